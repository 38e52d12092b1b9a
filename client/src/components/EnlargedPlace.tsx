/** The enlarged chart or heat map, in place of the board. It is loaded on first use. */
import { createEffect, createMemo, Show } from "solid-js";
import { heatId } from "../chart/buckets";
import type { Chart, Heatmap } from "../types.gen";
import { useStores } from "./context";
import Enlarged from "./Enlarged";
import EnlargedHeatmap from "./EnlargedHeatmap";
import { leavesOf } from "./layout";

export default function EnlargedPlace() {
  const { board, stats, view } = useStores();

  /** Find the panel with these metrics, or build a chart from the ones that exist. */
  function find(id: string): Chart | Heatmap | undefined {
    const panel = board
      .groups()
      .flatMap(leavesOf)
      .find(
        (one): one is Chart | Heatmap =>
          (one.type === "chart" && one.metrics.join(",") === id) ||
          (one.type === "heatmap" && heatId(one) === id),
      );
    if (panel !== undefined) return panel;
    const metrics = id.split(",").filter((name) => board.metric(name) !== undefined);
    const title = metrics.map((name) => board.metric(name)?.title).join(", ");
    return metrics.length === 0 ? undefined : { type: "chart", metrics, title };
  }

  const panel = createMemo<Chart | Heatmap | undefined>((before) => {
    const shown = view.shown();
    if (shown?.type !== "chart" || !stats.loaded()) return undefined;
    const found = find(shown.id);
    return JSON.stringify(found) === JSON.stringify(before) ? before : found;
  });

  // Close a link to a chart that does not exist or has gone.
  createEffect(() => {
    const shown = view.shown();
    const known = stats.loaded() && board.groups().length > 0;
    if (known && shown?.type === "chart" && find(shown.id) === undefined) view.close();
  });

  return (
    <Show when={panel()} keyed>
      {(one) => (one.type === "heatmap" ? <EnlargedHeatmap panel={one} /> : <Enlarged chart={one} />)}
    </Show>
  );
}
