/** The newest ticks of a chart as a table: what a canvas cannot say to a screen reader, and numbers to copy. */
import { createMemo, For, Index } from "solid-js";
import { useStores } from "../context";
import { formatText, formatTime } from "../format";

export interface TableLine {
  key: string;
  label: string;
  unit: string;
}

const ROWS = 30;

export function DataTable(props: { title: string; note: string; lines: readonly TableLine[] }) {
  const { stats } = useStores();
  const rows = createMemo(() => {
    stats.drawn();
    const times = stats.window.orderedTimes().slice(-ROWS);
    const columns = props.lines.map(({ key }) => stats.window.ordered(key).slice(-ROWS));
    return Array.from(times, (time, tick) => ({
      time,
      values: columns.map((column) => column[tick]),
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
          <For each={props.lines}>{(line) => <th scope="col">{line.label}</th>}</For>
        </tr>
      </thead>
      <tbody>
        {/* By place, not by row: a tick changes texts, and what someone marks to copy stays marked. */}
        <Index each={rows()}>
          {(row) => (
            <tr>
              <th scope="row">{formatTime(row().time)}</th>
              <Index each={row().values}>
                {(value, line) => <td>{formatText(value(), props.lines[line]?.unit ?? "")}</td>}
              </Index>
            </tr>
          )}
        </Index>
      </tbody>
    </table>
  );
}
