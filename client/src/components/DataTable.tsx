/** The newest ticks of a chart as a table, or its newest buckets: for screen readers and for copying. */
import "../styles/datatable.css";
import { createMemo, For, Index, Show } from "solid-js";
import { formatText, formatWhen } from "../format";
import { computeStats } from "../window/stats";
import { useBeat } from "./beat";
import { useStores } from "./context";
import { extremesAt } from "./extremes";
import { sayHighest } from "./highest";
import type { Line } from "./lines";

const ROWS = 30;

export default function DataTable(props: {
  title: string;
  lines: readonly Line[];
  all: number;
  live: () => boolean;
}) {
  const { stats } = useStores();
  const beat = useBeat(props.live);
  const rows = createMemo(() => {
    beat();
    const times = stats.window.orderedTimes().slice(-ROWS);
    const columns = props.lines.map(({ key, unit }) => {
      const values = stats.window.ordered(key);
      const { min, max } = computeStats(values);
      const first = values.length - Math.min(ROWS, values.length);
      return Array.from(values.slice(-ROWS), (value, i) => {
        const extremes = extremesAt(stats.window, { key, unit }, first + i);
        return `${formatText(value, unit, [min, max])}${extremes && ` (${extremes})`}`;
      });
    });
    return Array.from(times, (time, tick) => ({
      time,
      cells: columns.map((column) => column[tick]),
    })).reverse();
  });
  const bucketed = createMemo(() => {
    beat();
    return props.lines.some(({ key }) => stats.window.bandOf(key) !== undefined);
  });
  return (
    <table class="data-table">
      <caption class="visually-hidden">
        {props.title}, newest first
        <Show when={bucketed()}>, averages with the lowest and the highest value</Show>
        <Show when={props.all > props.lines.length}>, {sayHighest(props.lines.length, props.all)}</Show>
      </caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <For each={props.lines}>
            {(line) => <th scope="col">{[line.label, line.stale].filter(Boolean).join(", ")}</th>}
          </For>
        </tr>
      </thead>
      <tbody>
        {/* Keyed by place: a tick changes only texts, so a text selection survives. */}
        <Index each={rows()}>
          {(row) => (
            <tr>
              <th scope="row">{formatWhen(row().time, stats.live.newestTime)}</th>
              <Index each={row().cells}>{(cell) => <td>{cell()}</td>}</Index>
            </tr>
          )}
        </Index>
      </tbody>
    </table>
  );
}
