/** The newest ticks of a chart as a table: what a canvas cannot say to a screen reader, and numbers to copy. */
import { createMemo, For, Index } from "solid-js";
import { formatText, formatTime } from "../format";
import { computeStats } from "../window/stats";
import { useStores } from "./context";

export interface TableLine {
  key: string;
  label: string;
  /** What distinguishes it from the other lines. */
  short: string;
  unit: string;
  /** Since when its values are not what is, in words; empty while they are. */
  stale: string;
}

const ROWS = 30;

export function DataTable(props: { title: string; note: string; lines: readonly TableLine[] }) {
  const { stats } = useStores();
  const rows = createMemo(() => {
    stats.drawn();
    const times = stats.window.orderedTimes().slice(-ROWS);
    const columns = props.lines.map(({ key, unit }) => {
      const values = stats.window.ordered(key);
      const { min, max } = computeStats(values);
      return Array.from(values.slice(-ROWS), (value) => formatText(value, unit, [min, max]));
    });
    return Array.from(times, (time, tick) => ({
      time,
      cells: columns.map((column) => column[tick]),
    })).reverse();
  });
  return (
    <table class="data-table">
      <caption class="visually-hidden">
        {props.title}, newest first{props.note && `, ${props.note}`}
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
        {/* By place, not by row: a tick changes texts, and what someone marks to copy stays marked. */}
        <Index each={rows()}>
          {(row) => (
            <tr>
              <th scope="row">{formatTime(row().time)}</th>
              <Index each={row().cells}>{(cell) => <td>{cell()}</td>}</Index>
            </tr>
          )}
        </Index>
      </tbody>
    </table>
  );
}
