/**
 * The window of the range that the page shows, if that is not the board's own window. What loads it is itself
 * loaded on first use. It must not know how a window is drawn.
 */
import { batch, createEffect, createSignal, untrack } from "solid-js";
import type { FeedEvent } from "../link/feed";
import type { LoaderOptions, LoadState, RangeLoader } from "../past/loader";
import type { Window } from "../window/window";
import type { TimeStore } from "./time";

export interface PastOptions extends Omit<LoaderOptions, "live" | "onWindow" | "onState"> {
  /** The board's own window. */
  live(): Window;
  time: Pick<TimeStore, "isOwn" | "shown" | "speed">;
  /** Fetch the loader's code. */
  loader(): Promise<new (options: LoaderOptions) => RangeLoader>;
}

const READY: LoadState = { loading: false, failed: "" };

export function createPastStore({ time, live, loader, ...options }: PastOptions) {
  const [window, setWindow] = createSignal<Window | null>(null, { equals: false });
  const [state, setState] = createSignal<LoadState>(READY);
  /** How many views want each metric. */
  const wanted = new Map<string, number>();
  const [asked, setAsked] = createSignal(0);
  let range: RangeLoader | null = null;
  let fetching = false;

  async function fetchLoader(): Promise<void> {
    if (fetching) return;
    fetching = true;
    setState({ loading: true, failed: "" });
    try {
      const Loader = await loader();
      range = new Loader({
        ...options,
        live: live(),
        onWindow: (next) => !time.isOwn() && setWindow(next),
        onState: (next) => setState(next),
      });
      range.want(new Set(wanted.keys()));
      aim();
    } catch {
      setState({ loading: false, failed: "this part of the page could not be loaded" });
    } finally {
      fetching = false;
    }
  }

  function aim(): void {
    if (time.isOwn()) {
      range?.stop();
      batch(() => {
        setWindow(null);
        setState(READY);
      });
    } else if (range !== null) range.aim(time.shown(), time.speed());
    else void fetchLoader();
  }

  createEffect(() => {
    time.shown();
    time.speed();
    untrack(aim);
  });

  function count(metric: string, by: 1 | -1): void {
    const left = (wanted.get(metric) ?? 0) + by;
    if (left === 0) wanted.delete(metric);
    else wanted.set(metric, left);
  }

  return {
    /** What a loader of another range needs. */
    loading: (own: Pick<LoaderOptions, "onWindow" | "onState">): LoaderOptions => ({
      ...options,
      ...own,
      live: live(),
    }),
    /** Null while the board's own window is shown, or nothing has arrived yet. Changes as values arrive. */
    window,
    state,
    /** Load metrics that are in sight; the returned function takes that back. */
    want(metrics: readonly string[]): () => void {
      for (const metric of metrics) count(metric, 1);
      setAsked((times) => times + 1);
      range?.want(new Set(wanted.keys()));
      return () => {
        for (const metric of metrics) count(metric, -1);
      };
    },
    /** Whether a metric's values of the range have arrived. */
    has: (metric: string): boolean => range?.has(metric) ?? true,
    /** Whether values that are wanted have not arrived. */
    lacks(): boolean {
      asked();
      return !time.isOwn() && [...wanted.keys()].some((metric) => !(range?.has(metric) ?? false));
    },
    retry(): void {
      if (range === null) aim();
      else range.retry();
    },
    /** Call it after the live window has applied the same event. */
    apply(event: FeedEvent): void {
      if (!time.isOwn()) range?.apply(event);
    },
  };
}

export type PastStore = ReturnType<typeof createPastStore>;
