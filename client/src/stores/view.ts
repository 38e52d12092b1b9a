/**
 * The view open over the board: an enlarged chart, a new mark, the search, the outline or the shortcuts, one
 * at a time.
 * Opening one adds a history entry, so that the back button closes it; a chart is also in the address, so
 * that a link opens it. The browser's history is an argument. It must not know how a view is drawn.
 */
import { createSignal } from "solid-js";

/** A chart's id is its metrics, joined by commas. */
export type View =
  | { type: "chart"; id: string }
  /** Making a mark: of a moment, or from then until later; milliseconds since 1970. */
  | { type: "mark"; from?: number; until?: number }
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
}

const isKept = (state: unknown): state is Kept =>
  typeof state === "object" && state !== null && "view" in state;

const hashOf = (view: View): string => (view.type === "chart" ? CHART + encodeURIComponent(view.id) : "");

/** The view of the current history entry: from its state, or the chart in its address. */
function viewAt(place: Place): View | null {
  const state = place.state();
  if (isKept(state)) return state.view;
  const hash = place.hash();
  if (!hash.startsWith(CHART)) return null;
  try {
    return { type: "chart", id: decodeURIComponent(hash.slice(CHART.length)) };
  } catch {
    // A link that was cut inside an escape sequence.
    return null;
  }
}

/** @param fixed never opens a view, for a wall display. */
export function createViewStore(place: Place, fixed = false) {
  const here = () => (fixed ? null : viewAt(place));
  const [shown, setShown] = createSignal<View | null>(here());
  /** Going back is asynchronous. A view requested meanwhile waits in `next`. */
  let leaving = false;
  let next: View | null = null;
  let afterwards: (() => void) | null = null;

  function open(view: View): void {
    const write = isKept(place.state()) ? place.replace : place.push;
    write({ view }, hashOf(view));
    setShown(view);
  }

  function show(view: View): void {
    if (fixed) return;
    if (leaving) next = view;
    else open(view);
  }

  function close(): void {
    next = null;
    if (shown() === null || leaving) return;
    setShown(null);
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
      setShown(here());
      if (next !== null) open(next);
      next = null;
      const then = afterwards;
      afterwards = null;
      then?.();
    },
  };
}

export type ViewStore = ReturnType<typeof createViewStore>;
