/**
 * The panels pinned to the top of the page, remembered between visits. A panel that the board drops stays
 * pinned in case it returns. It must not know how they are drawn.
 */
import { createMemo, createSignal } from "solid-js";
import { leavesOf, metricsOf, type Plotted } from "../components/layout";
import { kept } from "../window/kept";
import type { BoardStore } from "./board";
import type { RowsMemory } from "./rows";

const MOST_PINNED = 50;

/** Identifies a panel across visits. */
const idOf = (panel: Plotted): string => JSON.stringify([panel.type, metricsOf(panel), panel.title]);

export function createPinsStore(memory: RowsMemory, board: Pick<BoardStore, "groups">) {
  const [ids, setIds] = createSignal<readonly string[]>(memory.load());

  const panels = createMemo<readonly Plotted[]>((before) => {
    if (ids().length === 0) return kept(before, []);
    const known = new Map<string, Plotted>();
    for (const panel of board.groups().flatMap(leavesOf)) {
      if (panel.type !== "card" && panel.type !== "row" && !known.has(idOf(panel)))
        known.set(idOf(panel), panel);
    }
    return kept(
      before,
      ids().flatMap((id) => known.get(id) ?? []),
    );
  }, []);

  return {
    /** The board's pinned panels, in the order they were pinned. */
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
