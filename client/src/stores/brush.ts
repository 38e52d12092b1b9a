/**
 * The brush: a range of time that the viewer has chosen on a drawing, to ask about it or to zoom. All drawings
 * show it, and its actions stand beside the one on which it was made. A draft is what a gesture under way
 * would do; only its own drawing shows it. It must not know a drawing.
 */
import { createEffect, createSignal, on } from "solid-js";
import type { Draft } from "../chart/gesture";
import { overlap } from "../chart/timeaxis";
import type { Range } from "../time/range";
import type { TimeStore } from "./time";

export interface Brush {
  range: Range;
  /** The element on which it was made, null for none. */
  at: object | null;
  /** Whether the page shows just this range. */
  zoomed: boolean;
}

export interface PlacedDraft extends Draft {
  at: object;
}

export function createBrushStore(time: Pick<TimeStore, "range" | "shown">) {
  const [brush, setBrush] = createSignal<Brush | null>(null);
  const [draft, setDraft] = createSignal<PlacedDraft | null>(null);

  // What is not on the page cannot be meant.
  createEffect(() => {
    const range = brush()?.range;
    if (range !== undefined && !overlap(range, time.range())) setBrush(null);
  });
  createEffect(on(time.shown, () => brush()?.zoomed && setBrush(null), { defer: true }));

  return {
    /** The chosen range, null for none. */
    range: (): Range | null => brush()?.range ?? null,
    at: (): object | null => brush()?.at ?? null,
    zoomed: (): boolean => brush()?.zoomed ?? false,
    set: (next: Brush): void => void setBrush(next),
    /** Return whether there was a range. */
    clear(): boolean {
      const was = brush() !== null;
      setBrush(null);
      return was;
    },
    draft,
    setDraft: (next: PlacedDraft | null): void => void setDraft(next),
  };
}

export type BrushStore = ReturnType<typeof createBrushStore>;
