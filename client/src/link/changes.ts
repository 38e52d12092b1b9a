/**
 * Applies changes to a list or a board: the old one and a message in, the new one out. Unchanged items stay
 * the same objects. Pure; it must not know where the message came from.
 */
import type { BoardInfo, MetricsChanged, Panel, PanelsChanged } from "../types.gen";

/** First removes items at their old indices, in ascending order; then inserts items at the indices `at`. */
export interface ListChange<T> {
  removed?: readonly number[];
  at?: readonly number[];
  added?: readonly T[];
}

export function changedList<T>(
  before: readonly T[],
  { removed = [], at = [], added = [] }: ListChange<T>,
): T[] {
  const gone = new Set(removed);
  const stays = before.filter((_, place) => !gone.has(place));
  const after: T[] = [];
  let next = 0;
  at.forEach((place, i) => {
    while (after.length < place && next < stays.length) after.push(stays[next++]);
    after.push(added[i]);
  });
  return after.concat(stays.slice(next));
}

/** Apply a change to a board; null if the change builds on another revision. */
export function changedBoard(board: BoardInfo, change: MetricsChanged): BoardInfo | null {
  if (board.epoch !== change.epoch || (board.revision ?? 0) !== change.before) return null;
  const gone = new Set(change.removed);
  const metrics = board.metrics.filter(({ name }) => !gone.has(name)).concat(change.added ?? []);
  return {
    ...board,
    metrics,
    panels: changedPanels(board.panels, change.panels ?? {}),
    revision: change.revision,
  };
}

function changedPanels(before: readonly Panel[], change: PanelsChanged): Panel[] {
  const panels = changedList(before, change);
  change.rows_at?.forEach((place, i) => {
    const row = panels[place];
    const of = change.rows?.[i];
    if (row?.type === "row" && of !== undefined) {
      panels[place] = { ...row, panels: changedPanels(row.panels, of) };
    }
  });
  return panels;
}
