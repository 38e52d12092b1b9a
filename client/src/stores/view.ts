/**
 * The view open over the board: an enlarged chart, a new mark, the search, the outline or the shortcuts, one at a
 * time, or beside it: what changed. Opening one adds a history entry, so that the back button closes it; a chart
 * and a comparison are also in the address, so that a link opens them. What is beside the board stays there
 * under what opens over it. The browser's history is an argument. It must not know how a view is drawn.
 */
import { createSignal } from "solid-js";
import { CHANGES, type Comparison, readComparison, writeComparison } from "../time/comparison";

/** A chart's id is its metrics, joined by commas. */
export type View =
  | { type: "chart"; id: string }
  /** Making a mark: of a moment, or from then until later; milliseconds since 1970. */
  | { type: "mark"; from?: number; until?: number }
  | ({ type: "changes" } & Comparison)
  | { type: "search" }
  | { type: "outline" }
  | { type: "shortcuts" };

/** The part of the browser's history and address that is used here. */
export interface Place {
  state(): unknown;
  hash(): string;
  /** Add an entry, or replace the current one. An empty hash removes it from the address. */
  push(state: unknown, hash: string): void;
  replace(state: unknown, hash: string): void;
  /** Go back one entry. The browser calls `moved` later, not at once. */
  back(): void;
}

const CHART = "#chart=";

interface Kept {
  view: View;
  /** What it returns to when it closes. */
  under: View | null;
}

const isKept = (state: unknown): state is Kept =>
  typeof state === "object" && state !== null && "view" in state;

function hashOf(view: View): string {
  if (view.type === "changes") return writeComparison(view);
  return view.type === "chart" ? CHART + encodeURIComponent(view.id) : "";
}

/** The view in an address, null for none. */
function viewIn(hash: string): View | null {
  if (hash.startsWith(CHANGES)) {
    const comparison = readComparison(hash.slice(CHANGES.length));
    return comparison && { type: "changes", ...comparison };
  }
  if (!hash.startsWith(CHART)) return null;
  try {
    return { type: "chart", id: decodeURIComponent(hash.slice(CHART.length)) };
  } catch {
    // A link that was cut inside an escape sequence.
    return null;
  }
}

/** The views of the current history entry: from its state, or the one in its address. */
function viewsAt(place: Place): Kept | null {
  const state = place.state();
  if (isKept(state)) return state;
  const view = viewIn(place.hash());
  return view && { view, under: null };
}

/** @param fixed never opens a view, for a wall display. */
export function createViewStore(place: Place, fixed = false) {
  const here = () => (fixed ? null : viewsAt(place));
  const [views, setViews] = createSignal<Kept | null>(here(), {
    equals: (one, next) => JSON.stringify(one) === JSON.stringify(next),
  });
  const shown = (): View | null => views()?.view ?? null;
  /** Going back is asynchronous. A view requested meanwhile waits in `next`. */
  let leaving = false;
  let next: View | null = null;
  let afterwards: (() => void) | null = null;

  function open(view: View): void {
    const last = views();
    const over = last?.view.type === "changes" && view.type !== "changes";
    const kept = { view, under: (over ? last?.view : last?.under) ?? null };
    const write = !over && isKept(place.state()) ? place.replace : place.push;
    write(kept, hashOf(view));
    setViews(kept);
  }

  function show(view: View): void {
    if (fixed) return;
    if (leaving) next = view;
    else open(view);
  }

  function close(): void {
    next = null;
    if (shown() === null || leaving) return;
    const under = views()?.under ?? null;
    setViews(under && { view: under, under: null });
    if (isKept(place.state())) {
      leaving = true;
      place.back();
    } else {
      place.replace(null, "");
    }
  }

  return {
    /** The open view, null for none. */
    shown,
    /** Whether a view hides the board. */
    covers: (): boolean => shown() !== null && shown()?.type !== "changes",
    /** The two ranges that are compared, also under a view that has opened over them; null for none. */
    comparison(): Comparison | null {
      const { view, under } = views() ?? {};
      if (view?.type === "changes") return view;
      return under?.type === "changes" ? under : null;
    },
    show,
    close,
    /** Close the view, then call back once the browser has gone back; at once if nothing is open. */
    leave(then: () => void): void {
      close();
      if (leaving) afterwards = then;
      else then();
    },
    /** Call it when the browser moves in its history or the viewer edits the address. */
    moved(): void {
      leaving = false;
      setViews(here());
      if (next !== null) open(next);
      next = null;
      const then = afterwards;
      afterwards = null;
      then?.();
    },
  };
}

export type ViewStore = ReturnType<typeof createViewStore>;
