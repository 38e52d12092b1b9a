/** A small chart of the values around an alert's episode, with the episode shaded and the threshold. */
import { createMemo, Show, untrack } from "solid-js";
import type { Episode } from "../alerts/episodes";
import { type SparkLines, sparkLines } from "../window/spark";
import { useStores } from "./context";

const WIDTH = 132;
const HEIGHT = 36;

export function SparkLine(props: { episode: Episode; inView: () => boolean }) {
  const { board, sparks, stats } = useStores();
  const threshold = () => (board.isPlain(props.episode.alert) ? props.episode.alert.threshold : undefined);
  const lines = createMemo<SparkLines | null>((before) => {
    const { alert, ended } = props.episode;
    if (before !== undefined && !props.inView()) return before;
    stats.drawn();
    sparks.changed();
    return untrack(() => sparkLines(sparks.of(alert, ended), threshold(), WIDTH, HEIGHT));
  });
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <Show when={lines()}>
        {(drawn) => (
          <>
            <rect
              class="spark-episode"
              x={drawn().episode.left}
              y="0"
              width={Math.max(0, drawn().episode.right - drawn().episode.left)}
              height={HEIGHT}
            />
            <Show when={drawn().threshold !== null}>
              <path class="spark-threshold" d={`M0 ${drawn().threshold}H${WIDTH}`} />
            </Show>
            <path class="spark-line" d={drawn().line} />
            <path class="spark-newest" d={`M${drawn().newest.x} ${drawn().newest.y}h0`} />
          </>
        )}
      </Show>
    </svg>
  );
}
