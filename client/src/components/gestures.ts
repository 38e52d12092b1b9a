/**
 * Choosing a range on whatever has a time axis, by mouse, pen or touch: a drag zooms the page, with Shift or
 * after a long press it brushes, two fingers zoom and move. A double click goes back. While a gesture goes
 * on, only the draft in the brush store changes.
 */
import { createEffect, onCleanup, onMount } from "solid-js";
import { Gesture, type Pointer } from "../chart/gesture";
import { isOn, type TimeAxis } from "../chart/timeaxis";
import { useStores } from "./context";

/** A finger that rests this long brushes: before the browser opens its own menu. */
const HOLD_MS = 450;

/**
 * @param element receives the pointers; it needs `touch-action: pan-y`.
 * @param axis the time axis in the element; null before the first drawing.
 * @param first an event that came before this part was loaded: the press of a drag that goes on.
 */
export function useTimeGestures(
  element: HTMLElement,
  axis: () => TimeAxis | null,
  first: Event | null = null,
): void {
  const { brush, past, time } = useStores();
  const gesture = new Gesture(axis);
  let holding: ReturnType<typeof setTimeout> | undefined;
  /** Whether the click that the browser makes of a drag must be ignored. */
  let dragged = false;
  let touched = false;

  function pointerOf({ pointerId, clientX, clientY }: PointerEvent): Pointer {
    const { left, top } = element.getBoundingClientRect();
    return { id: pointerId, x: clientX - left, y: clientY - top };
  }

  function show(): void {
    const { draft } = gesture;
    if (draft !== null) brush.setDraft({ ...draft, at: element });
    // A view stays until its values have arrived.
    else if (brush.draft()?.mode !== "view") hide();
  }

  function hide(): void {
    if (brush.draft()?.at === element) brush.setDraft(null);
  }

  function hold(): void {
    gesture.hold();
    show();
  }

  function down(event: PointerEvent): void {
    clearTimeout(holding);
    dragged = false;
    touched = event.pointerType === "touch";
    // The first button, or a finger.
    if (event.buttons !== 1) return;
    gesture.press({ ...pointerOf(event), touch: touched, shift: event.shiftKey });
    if (gesture.rests) holding = setTimeout(hold, HOLD_MS);
    show();
  }

  function move(event: PointerEvent): void {
    if (event.buttons === 0) {
      // It went up where nobody saw it.
      if (gesture.goesOn) cancel();
      return;
    }
    gesture.move(pointerOf(event));
    if (!gesture.rests) clearTimeout(holding);
    if (gesture.draft !== null) {
      dragged = true;
      // An event that is replayed may be of a pointer that is up.
      if (event.isTrusted) element.setPointerCapture(event.pointerId);
    }
    show();
  }

  function up(event: PointerEvent): void {
    clearTimeout(holding);
    const tapped = !dragged && event.button === 0 && !gesture.claims;
    const done = gesture.release(event.pointerId);
    if (tapped) brush.clear();
    if (done?.mode === "view") {
      time.stand(done.range);
      brush.setDraft({ ...done, at: element });
      return;
    }
    show();
    if (done === null) return;
    if (done.mode === "zoom") time.stand(done.range);
    brush.set({ range: done.range, at: element, zoomed: done.mode === "zoom" });
  }

  createEffect(() => {
    if (brush.draft()?.mode === "view" && !gesture.claims && !past.state().loading) hide();
  });

  function cancel(): void {
    clearTimeout(holding);
    gesture.cancel();
    hide();
  }

  function keydown(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !gesture.claims) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    cancel();
  }

  function click(event: MouseEvent): void {
    if (dragged) event.stopImmediatePropagation();
    dragged = false;
  }

  function doubleClick(event: MouseEvent): void {
    const here = axis();
    if (here !== null && isOn(here, event.clientX - element.getBoundingClientRect().left)) time.back();
  }

  /** The page neither scrolls nor opens a menu under a gesture. */
  function keep(event: Event): void {
    if (gesture.claims || (touched && event.type === "contextmenu")) event.preventDefault();
  }

  onMount(() => {
    const events: [string, (event: never) => void][] = [
      ["pointerdown", down],
      ["pointermove", move],
      ["pointerup", up],
      ["pointercancel", cancel],
      ["dblclick", doubleClick],
      ["contextmenu", keep],
      ["touchmove", keep],
    ];
    for (const [type, listener] of events) {
      element.addEventListener(type, listener as EventListener, { passive: false });
    }
    // Before what a key or click does on the element itself.
    element.addEventListener("click", click, { capture: true });
    window.addEventListener("keydown", keydown, { capture: true });
    if (first instanceof PointerEvent) down(first);
    onCleanup(() => {
      cancel();
      for (const [type, listener] of events) element.removeEventListener(type, listener as EventListener);
      element.removeEventListener("click", click, { capture: true });
      window.removeEventListener("keydown", keydown, { capture: true });
    });
  });
}
