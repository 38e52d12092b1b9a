/**
 * Where the focus goes when its button is removed, usually by its own press. Otherwise the keyboard would
 * start again at the top of the page.
 */
import { onCleanup } from "solid-js";

type Place = HTMLElement | null | undefined;

/**
 * @param next runs while the button is still in place. It returns a function that runs after the removal and
 *     returns the element to focus.
 */
export function usePassedFocus(button: () => HTMLElement, next: () => () => Place): void {
  onCleanup(() => {
    if (document.activeElement !== button()) return;
    const place = next();
    queueMicrotask(() => place()?.focus({ preventScroll: true }));
  });
}

/** The control of the time bar that takes the place of one that was pressed. */
export const passTo = (selector: string) => () => (): Place =>
  document.querySelector<HTMLElement>(`.time-controls ${selector}`);

/** The undo button if there is one, otherwise the list of alerts. */
export const undoOrList = (): Place =>
  document.querySelector<HTMLElement>(".undo button") ?? document.querySelector<HTMLElement>(".alert-log");

/**
 * The fold, unfold or dismiss button of a row, or of the next or previous row; `undoOrList` if all are gone.
 */
export function nearRow(row: HTMLElement): () => Place {
  const rows = [row, row.nextElementSibling, row.previousElementSibling];
  return () =>
    rows.find((one) => one?.isConnected)?.querySelector<HTMLElement>(":scope > .unfold, .dismiss") ??
    undoOrList();
}
