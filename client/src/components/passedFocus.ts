/**
 * Where the focus goes when the button that has it is removed, most often by its own press. Without this the keyboard
 * would begin at the top of the page again.
 */
import { onCleanup } from "solid-js";

type Place = HTMLElement | null | undefined;

/**
 * @param next is called while the button is still in its place; what it returns is called when the button has gone, and
 *     says where the focus goes.
 */
export function usePassedFocus(button: () => HTMLElement, next: () => () => Place): void {
  onCleanup(() => {
    if (document.activeElement !== button()) return;
    const place = next();
    queueMicrotask(() => place()?.focus({ preventScroll: true }));
  });
}

/** What can be undone now, or else the list of alerts. */
export const undoOrList = (): Place =>
  document.querySelector<HTMLElement>(".undo button") ?? document.querySelector<HTMLElement>(".alert-log");

/** The button that folds, unfolds or dismisses a row, or the row after or before it; `undoOrList` when all have gone. */
export function nearRow(row: HTMLElement): () => Place {
  const rows = [row, row.nextElementSibling, row.previousElementSibling];
  return () =>
    rows.find((one) => one?.isConnected)?.querySelector<HTMLElement>(":scope > .unfold, .dismiss") ??
    undoOrList();
}
