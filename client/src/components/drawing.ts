/**
 * When something on a canvas is drawn: in turn with all others, with each tick while it is in view, and when its size
 * or the theme changes. Off screen it costs nothing.
 */
import { createEffect, onCleanup, onMount, untrack } from "solid-js";
import { useStores } from "./context";

/**
 * Have a picture drawn.
 *
 * @param element what it fills.
 * @param live whether it is in view.
 * @param draw is called outside of any tracking.
 * @param depends reads what else the picture depends on.
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
    stats.drawn();
    // Nobody waits for a first picture, nor does paper, whose size no observer is called for.
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
