/**
 * When a canvas is drawn: in turn with all others, on each tick while in view, and when its size, the theme
 * or the time zone changes. Off screen it costs nothing.
 */
import { createEffect, createMemo, onCleanup, onMount, untrack } from "solid-js";
import type { Range } from "../time/range";
import { isUtc } from "../time/zone";
import { useStores } from "./context";

/**
 * Schedule a canvas's drawing.
 *
 * @param element the element that the canvas fills.
 * @param live whether it is in view.
 * @param draw runs untracked.
 * @param depends reads the other signals that the drawing depends on.
 */
export function useDrawing(
  element: () => HTMLElement,
  live: () => boolean,
  draw: () => void,
  depends: () => void = () => {},
): void {
  const { stats, theme } = useStores();
  let drawnSize = "";
  const size = (): string => `${element().clientWidth} ${element().clientHeight}`;
  const picture = (): void => {
    drawnSize = size();
    draw();
  };
  createEffect(() => {
    if (!live()) return;
    depends();
    theme.shown();
    // Axes have times.
    isUtc();
    stats.drawn();
    // Draw the first time at once. In print too: no resize observer fires for paper.
    if (drawnSize === "" || theme.printing()) untrack(picture);
    else stats.inTurn(picture);
  });
  onMount(() => {
    const observer = new ResizeObserver(() => {
      if (drawnSize !== "" && size() !== drawnSize) picture();
    });
    observer.observe(element());
    onCleanup(() => observer.disconnect());
  });
  onCleanup(() => stats.outOfTurn(picture));
}

/** The range that two fingers on a drawing ask for, before its values are loaded; null for none. */
export function usePinched(element: () => object): () => Range | null {
  const { brush } = useStores();
  return createMemo(() => {
    const draft = brush.draft();
    return draft?.mode === "view" && draft.at === element() ? draft.range : null;
  });
}
