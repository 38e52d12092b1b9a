/** One series that changed: its name, the averages, the factor, the values of both ranges, and its chart. */
import { createEffect, createMemo, onCleanup, Show } from "solid-js";
import { changePaths } from "../../comparing/line";
import { averagesOf, factorOf } from "../../comparing/words";
import type { ChangeLinesStore } from "../../stores/changelines";
import { useStores } from "../context";
import { Icon } from "../Icon";
import { useInView } from "../inView";
import type { Listed } from "./ChangeList";
import { useSeriesChart } from "./serieschart";

const WIDTH = 148;
const HEIGHT = 44;

function Line(props: { id: string; lines: ChangeLinesStore; inView: () => boolean }) {
  createEffect(() => {
    if (props.inView()) onCleanup(props.lines.want(props.id));
  });
  const line = () => props.lines.of(props.id);
  const paths = createMemo(() => {
    const arrived = line();
    return arrived ? changePaths(arrived, WIDTH, HEIGHT) : null;
  });
  return (
    <Show
      when={line() !== null}
      fallback={<span class="change-line change-unloaded">no values: the server did not answer</span>}
    >
      <svg
        class="change-line"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <rect class="change-after" x={WIDTH / 2} y="0" width={WIDTH / 2} height={HEIGHT} />
        <Show when={paths()}>
          {(drawn) => (
            <>
              <path class="change-band" d={drawn().band} />
              <path class="change-values" d={drawn().line} />
            </>
          )}
        </Show>
      </svg>
    </Show>
  );
}

export function ChangeRow(props: { row: Listed; lines: ChangeLinesStore }) {
  const { board, view } = useStores();
  let item!: HTMLLIElement;
  const inView = useInView(() => item);
  const { change, key, text, detail } = props.row;
  const unit = () => board.metric(change.name)?.unit ?? change.unit;
  const factor = factorOf(change);
  const averages = () => averagesOf(change, unit());
  // A sheet covers the board, as do views over it.
  const chart = useSeriesChart(change, () => view.covers() || item.closest("dialog") !== null);
  const name = [text, detail].filter(Boolean).join(" ");
  const does = () => `${title()}: ${name}`;
  const title = () => {
    if (!chart.isPossible()) return "The board no longer has this metric";
    return chart.isThere() ? "Go to its chart" : "Put it on the page";
  };
  return (
    <li class="change" ref={item}>
      <span class="change-rank" aria-hidden="true">
        {props.row.rank}
      </span>
      <div class="change-text">
        <p class="change-name" title={name}>
          {text} <Show when={detail}>{(labels) => <span>{labels()}</span>}</Show>
        </p>
        <p class="change-averages">
          {averages().before}
          <span aria-hidden="true"> → </span>
          <span class="visually-hidden"> before, now </span>
          {averages().after}
        </p>
      </div>
      <b class="change-factor">
        <span aria-hidden="true">{factor.text}</span>
        <span class="visually-hidden">{factor.said}</span>
      </b>
      <Line id={key} lines={props.lines} inView={inView} />
      <button
        type="button"
        class="icon-button small bordered"
        aria-label={does()}
        aria-disabled={!chart.isPossible()}
        title={title()}
        onClick={() => chart.isPossible() && chart.show()}
      >
        <Icon name={chart.isThere() ? "go" : "plus"} />
      </button>
    </li>
  );
}
