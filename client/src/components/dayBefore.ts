/** The values of a chart one day before the range on the page, from history. */
import { createEffect, createMemo, createSignal, onCleanup } from "solid-js";
import { type LoadState, RangeLoader } from "../past/loader";
import { DAY_MS } from "../time/zone";
import type { Window } from "../window/window";
import { useStores } from "./context";

/** A range that moves on is loaded again after this share of its length. */
const STEP_SHARE = 1 / 8;

/** @param on whether they are shown. */
export function useDayBefore(metrics: readonly string[], on: () => boolean) {
  const { past, time } = useStores();
  const [window, setWindow] = createSignal<Window | null>(null, { equals: false });
  const [state, setState] = createSignal<LoadState>({ loading: false, failed: "" });
  const loader = new RangeLoader(past.loading({ onWindow: setWindow, onState: setState }));
  loader.want(new Set(metrics));
  onCleanup(() => loader.stop());

  /** The times of whole steps around the range. */
  const wanted = createMemo(
    () => {
      const { from, to } = time.range();
      if (!on() || !(to > from)) return null;
      const step = (to - from) * STEP_SHARE;
      return [Math.floor(from / step) * step, Math.ceil(to / step) * step] as const;
    },
    null,
    { equals: (one, next) => one?.[0] === next?.[0] && one?.[1] === next?.[1] },
  );
  createEffect(() => {
    const range = wanted();
    if (range === null) {
      loader.stop();
      setWindow(null);
    } else loader.aim({ follows: false, from: range[0] - DAY_MS, to: range[1] - DAY_MS }, 0);
  });

  return {
    window,
    /** What is seen, or why nothing is; empty while they are not shown. */
    note(): string {
      const { failed, loading } = state();
      if (!on() || loading) return "";
      if (failed !== "") return `The day before could not be loaded: ${failed}`;
      return metrics.some((name) => window()?.series.some((series) => series.name === name))
        ? "Dashed: one day before"
        : "Nothing is kept of the day before";
    },
  };
}
