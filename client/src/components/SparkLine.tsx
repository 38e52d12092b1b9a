/** The values around the moment that an alert fired, small: what came before, what has come since, the threshold. */
import { createMemo, Show } from "solid-js";
import type { Alert } from "../types.gen";
import { type SparkLines, sparkLines } from "../window/spark";
import { useStores } from "./context";

const WIDTH = 92;
const HEIGHT = 24;

export function SparkLine(props: { alert: Alert }) {
  const { board, sparks } = useStores();
  const spark = sparks.follow(props.alert);
  const lines = createMemo<SparkLines | null>(() =>
    sparkLines(spark(), board.isPlain(props.alert) ? props.alert.threshold : undefined, WIDTH, HEIGHT),
  );
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <Show when={lines()}>
        {(drawn) => (
          <>
            <Show when={drawn().threshold !== null}>
              <path class="spark-threshold" d={`M3 ${drawn().threshold}H${WIDTH - 3}`} />
            </Show>
            <path class="spark-before" d={drawn().before} />
            <path class="spark-after" d={drawn().after} />
            <Show when={drawn().moment}>
              {(moment) => <circle class="spark-moment" cx={moment().x} cy={moment().y} r="2.5" />}
            </Show>
          </>
        )}
      </Show>
    </svg>
  );
}
