/**
 * What has changed in a list or a board, put into effect: the old one and a message in, the new one out. All that
 * stays is the same object as before. Pure; it must not know where the message came from.
 */
import type { BoardInfo, MetricsChanged, Panel, PanelsChanged } from "../types.gen";

/** Some go, by their places before, in rising order; then some come to the places `at`. */
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

/** The board that a change makes of another; null where it is a change of one that is not known. */
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
