/**
 * The panels pinned to the top of the page, remembered between visits. A pinned chart need not be on the
 * board: it is shown while the board has its metrics. Any other panel that the board drops stays pinned in
 * case it returns. It must not know how they are drawn.
 */
import { createMemo, createSignal } from "solid-js";
import { leavesOf, metricsOf, type Plotted } from "../components/layout";
import type { Chart } from "../types.gen";
import { kept } from "../window/kept";
import type { BoardStore } from "./board";
import type { RowsMemory } from "./rows";

const MOST_PINNED = 50;

/** Identifies a panel across visits. */
const idOf = (panel: Plotted): string => JSON.stringify([panel.type, metricsOf(panel), panel.title]);

/** The chart that an id identifies, null if it is of another panel. */
function chartOf(id: string): Chart | null {
  try {
    const [type, metrics, title] = JSON.parse(id);
    return type === "chart" && Array.isArray(metrics) ? { type, metrics, title } : null;
  } catch {
    // It was edited in the browser's storage.
    return null;
  }
}

export function createPinsStore(memory: RowsMemory, board: Pick<BoardStore, "groups" | "metric">) {
  const [ids, setIds] = createSignal<readonly string[]>(memory.load());

  /** The charts that are not on the board, each always the same object. */
  const added = new Map<string, Chart | null>();

  /** A chart that is not on the board, if the board has its metrics. */
  function addedChart(id: string): Chart | [] {
    if (!added.has(id)) added.set(id, chartOf(id));
    const chart = added.get(id);
    return chart?.metrics.every((name) => board.metric(name) !== undefined) ? chart : [];
  }

  const panels = createMemo<readonly Plotted[]>((before) => {
    if (ids().length === 0) return kept(before, []);
    const known = new Map<string, Plotted>();
    for (const panel of board.groups().flatMap(leavesOf)) {
      if (panel.type !== "card" && panel.type !== "row" && !known.has(idOf(panel)))
        known.set(idOf(panel), panel);
    }
    return kept(
      before,
      ids().flatMap((id) => known.get(id) ?? addedChart(id)),
    );
  }, []);

  return {
    /** The pinned panels that can be shown, in the order they were pinned. */
    panels,
    isPinned: (panel: Plotted): boolean => ids().includes(idOf(panel)),
    toggle(panel: Plotted): void {
      const id = idOf(panel);
      const next = ids().includes(id)
        ? ids().filter((one) => one !== id)
        : [...ids(), id].slice(-MOST_PINNED);
      setIds(next);
      memory.save(next);
    },
  };
}

export type PinsStore = ReturnType<typeof createPinsStore>;
