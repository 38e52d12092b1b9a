/** The newest ticks of a heat map as a table, for screen readers and for copying: the share of each bucket. */
import { createMemo, For, Index } from "solid-js";
import { cellAt, cellsOf, rowText, shareText } from "../chart/heat";
import { formatWhen } from "../format";
import type { Heatmap } from "../types.gen";
import { useBeat } from "./beat";
import { useStores } from "./context";
import { useBucketSets } from "./HeatCanvas";

const ROWS = 30;
/** Nobody reads a table with more columns. */
const COLUMNS = 20;

export function HeatTable(props: { panel: Heatmap; live: () => boolean }) {
  const { stats } = useStores();
  const { title, unit = "" } = props.panel;
  const beat = useBeat(props.live);
  const sets = useBucketSets(props.panel);
  const cells = createMemo(() => {
    beat();
    const { intervalMs } = stats.window;
    return cellsOf(stats.window, sets(), { intervalMs, columnMs: intervalMs, most: COLUMNS });
  });
  /** The places of the rows, the highest bucket first. */
  const buckets = () => [...cells().edges.keys()].slice(1).reverse();
  const times = () => [...cells().columns.keys()].slice(-ROWS).reverse();
  return (
    <table class="data-table">
      <caption class="visually-hidden">{`${title}, share of the values in each bucket, newest first`}</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <For each={buckets()}>
            {(end) => <th scope="col">{rowText([cells().edges[end - 1], cells().edges[end]], unit)}</th>}
          </For>
        </tr>
      </thead>
      <tbody>
        {/* Keyed by place: a tick changes only texts, so a text selection survives. */}
        <Index each={times()}>
          {(column) => (
            <tr>
              <th scope="row">{formatWhen(cells().columns[column()].time, stats.live.newestTime)}</th>
              <Index each={buckets()}>
                {(end) => <td>{shareText(cellAt(cells(), column(), end() - 1).share)}</td>}
              </Index>
            </tr>
          )}
        </Index>
      </tbody>
    </table>
  );
}
