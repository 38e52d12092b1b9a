/** Where an enlarged chart takes the place of the board: loaded when one is first wanted. */
import { createEffect, createMemo, lazy, onCleanup, onMount, Show } from "solid-js";
import type { Chart } from "../types.gen";
import { useStores } from "./context";
import { LoadedPart } from "./LoadedPart";
import { leavesOf } from "./layout";

const load = () => import("./Enlarged");
const Enlarged = lazy(load);

/** It is there when the server is not. */
const PRELOAD_AFTER_MS = 5_000;

export function EnlargedPlace() {
  const { board, stats, view } = useStores();

  /** The panel with these metrics, or else a chart of them, as far as they exist. */
  function find(id: string): Chart | undefined {
    const panel = board
      .groups()
      .flatMap(leavesOf)
      .find((one): one is Chart => one.type === "chart" && one.metrics.join(",") === id);
    if (panel !== undefined) return panel;
    const metrics = id.split(",").filter((name) => board.metric(name) !== undefined);
    const title = metrics.map((name) => board.metric(name)?.title).join(", ");
    return metrics.length === 0 ? undefined : { type: "chart", metrics, title };
  }

  const chart = createMemo<Chart | undefined>((before) => {
    const shown = view.shown();
    if (shown?.type !== "chart" || !stats.loaded()) return undefined;
    const found = find(shown.id);
    return JSON.stringify(found) === JSON.stringify(before) ? before : found;
  });

  // A link to what is not there, or no longer.
  createEffect(() => {
    const shown = view.shown();
    const known = stats.loaded() && board.groups().length > 0;
    if (known && shown?.type === "chart" && find(shown.id) === undefined) view.close();
  });

  onMount(() => {
    const timer = setTimeout(() => load().catch(() => {}), PRELOAD_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });

  return (
    <Show when={chart()} keyed>
      {(one) => (
        <LoadedPart>
          <Enlarged chart={one} />
        </LoadedPart>
      )}
    </Show>
  );
}
