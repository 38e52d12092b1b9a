/**
 * The window and everything computed from it. Ticks are stored at once and drawn with the next frame, so a
 * burst of ticks costs one drawing, a hidden page costs none, and a paused page keeps collecting. It must not
 * know what a card or a chart is. Another range of time is another window in its place.
 */
import { createEffect, createMemo, createSignal, on, untrack } from "solid-js";
import type { FeedEvent } from "../link/feed";
import type { Series } from "../link/protocol";
import type { BoardInfo } from "../types.gen";
import { kept } from "../window/kept";
import type { SeriesStats } from "../window/stats";
import { Window } from "../window/window";

const FIRST_CAPACITY = 60;
const FIRST_INTERVAL_MS = 1000;

/** Budget of one drawing, too short to notice. The remaining charts are drawn in the next one. */
const BUDGET_MS = 40;
/** A chart that has waited this long is drawn even if the budget is spent … */
const LATE_MS = 500;
/** … but a drawing never takes longer than this, since a key or a press waits meanwhile. */
const BUDGET_LATE_MS = 200;

/** What is shown instead of the board's own window. */
export interface OtherTime {
  /** Null for the board's own window. */
  window(): Window | null;
  /** Whether the page stands still, so that ticks change nothing. */
  stands(): boolean;
  /** Whether windows follow one another as a replay. */
  replays(): boolean;
  /** Whether a metric's values have arrived. */
  has(metric: string): boolean;
}

const OWN_TIME: OtherTime = {
  ...{ window: () => null, stands: () => false, replays: () => false, has: () => true },
};

/** A window that ends this close to the one before is the same moment: nothing moves to another place. */
const NEAR_INTERVALS = 3;
/** More values of the moment on the page, or another moment. */
const MORE_MS = 1000;
const JUMP_MS = 3_600_000;

/**
 * @param nextFrame calls back once when the next drawing may start.
 * @param held whether the picture must stay as it is, as in print.
 * @param now a clock to measure with, in milliseconds.
 */
export function createStatsStore(
  nextFrame: (callback: () => void) => void,
  held: () => boolean,
  now: () => number = () => performance.now(),
  other: OtherTime = OWN_TIME,
) {
  const window = new Window(FIRST_CAPACITY, FIRST_INTERVAL_MS, true);
  const [drawn, setDrawn] = createSignal(0);
  const [loaded, setLoaded] = createSignal(false);
  let waiting = false;
  let drawing = false;
  /** Whether the window has changed since the last drawing. */
  let changed = false;
  let newestDrawn = Number.NaN;
  let jumped = 0;
  /** The queued pictures and when each was queued, longest wait first. */
  const turns = new Map<() => void, number>();

  /** A copy for the views while held: ticks keep arriving, and the cursor must match the picture. */
  const copy = createMemo(() => (held() && other.window() === null ? window.copy() : null));
  const shown = () => other.window() ?? copy() ?? window;

  /** Update everything that depends on the window at the next frame. */
  function draw(): void {
    changed = true;
    ask();
  }

  function ask(): void {
    if (waiting) return;
    waiting = true;
    nextFrame(() => {
      waiting = false;
      drawing = true;
      try {
        follow();
      } finally {
        drawing = false;
        takeTurns();
      }
    });
  }

  function follow(): void {
    if (!changed || held()) return;
    changed = false;
    if (window.epoch !== "") setLoaded(true);
    newestDrawn = shown().newestTime;
    setDrawn((count) => count + 1);
  }

  function takeTurns(): void {
    const began = now();
    try {
      for (const [turn, asked] of turns) {
        const budget = began - asked > LATE_MS ? BUDGET_LATE_MS : BUDGET_MS;
        if (now() - began >= budget) break;
        turns.delete(turn);
        turn();
      }
    } finally {
      if (turns.size > 0) ask();
    }
  }

  /** Queue a picture for drawing, once however often it is requested. */
  function inTurn(picture: () => void): void {
    if (!turns.has(picture)) turns.set(picture, now());
    if (!drawing) ask();
  }

  function showBoard(board: BoardInfo): void {
    window.resize(board.window_size, board.interval_ms);
    draw();
  }

  function apply(event: FeedEvent): void {
    if (event.type === "board") showBoard(event.board);
    if (event.type === "ticks") {
      window.take(event);
      // What panels there are is known with the first ticks, whatever time is shown.
      if (!other.stands() || !loaded()) draw();
    }
    if (event.type === "amended") {
      window.amend(event);
      if (!other.stands()) draw();
    }
    if (event.type === "snapshot") {
      if (event.window !== null) window.restore(event.window);
      if (event.board !== null) window.resize(event.board.window_size, event.board.interval_ms);
      draw();
    }
  }

  function change(next: Window | null): void {
    if (!other.replays()) {
      const near = Math.abs((next ?? window).newestTime - newestDrawn) < NEAR_INTERVALS * window.intervalMs;
      jumped += near ? MORE_MS : JUMP_MS;
    }
    draw();
  }

  createEffect(on(other.window, change, { defer: true }));

  const seriesVersion = createMemo(
    () => {
      drawn();
      return { window: shown(), version: shown().seriesVersion };
    },
    { window, version: -1 },
    { equals: (one, next) => one.window === next.window && one.version === next.version },
  );

  const seriesByMetric = createMemo<Groups>((before) => {
    seriesVersion();
    // Another range with the same series rebuilds no card.
    return groupByName(untrack(series), before);
  }, new Map());

  /** The series of the window. Of a metric whose values have not arrived, the ones that it has now. */
  function series(): Series[] {
    if (other.window() === null) return shown().series;
    const arrived = shown().series.filter(({ name }) => other.has(name));
    return [...arrived, ...window.series.filter(({ name }) => !other.has(name))];
  }

  return {
    apply,
    draw,
    inTurn,
    /** Remove a picture from the queue. */
    outOfTurn: (picture: () => void): void => void turns.delete(picture),
    /** The drawn window. */
    get window(): Window {
      return shown();
    },
    /** The board's own window, whatever is drawn. */
    live: window,
    /** Changes when the views should redraw: at most once a frame, never while held. */
    drawn,
    /**
     * A time in milliseconds by which views decide whether to show more, or in another order: that of the ticks
     * that arrive, and it jumps when the page goes to another moment.
     */
    pace: (): number => window.newestTime + jumped,
    /** Whether a window has arrived yet. */
    loaded,
    /** The series of a metric, in order of appearance; the same array while they are unchanged. */
    seriesOf: (metric: string): readonly Series[] => seriesByMetric().get(metric) ?? NONE,
    /** The stats of one series, recomputed for each drawing while `live` is true. */
    statsOf: (key: string, live: () => boolean = () => true): (() => SeriesStats) =>
      createMemo((before?: SeriesStats): SeriesStats => {
        if (before !== undefined && !live()) return before;
        drawn();
        return shown().statsOf(key);
      }),
  };
}

type Groups = ReadonlyMap<string, readonly Series[]>;

const NONE: readonly Series[] = [];

function groupByName(all: readonly Series[], before: Groups): Groups {
  const groups = new Map<string, Series[]>();
  for (const series of all) {
    const group = groups.get(series.name);
    if (group === undefined) groups.set(series.name, [series]);
    else group.push(series);
  }
  return new Map(Array.from(groups, ([name, group]) => [name, kept(before.get(name), group)]));
}

export type StatsStore = ReturnType<typeof createStatsStore>;
