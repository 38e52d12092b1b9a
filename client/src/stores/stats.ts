/**
 * The window and everything computed from it. Ticks are taken at once; what is drawn follows with the next drawing,
 * so a burst of ticks costs one drawing, a page that nobody sees costs none, and a paused one keeps
 * collecting. It must not know what a card or a chart is.
 */
import { createMemo, createSignal, untrack } from "solid-js";
import type { FeedEvent } from "../link/feed";
import type { Series } from "../link/protocol";
import type { BoardInfo } from "../types.gen";
import { kept } from "../window/kept";
import { computeStats, type SeriesStats } from "../window/stats";
import { Window } from "../window/window";

const FIRST_CAPACITY = 60;
const FIRST_INTERVAL_MS = 1000;

/** What the pictures of one drawing may take; those that are left have their turn in the next. Less than a person notices. */
const BUDGET_MS = 40;
/** Pictures that have waited for longer than this are drawn all the same … */
const LATE_MS = 500;
/** … up to here: whoever presses something must not wait longer. */
const BUDGET_LATE_MS = 200;

/**
 * @param nextFrame calls back once when the next drawing may be made.
 * @param now a clock to measure with, in milliseconds.
 */
export function createStatsStore(
  nextFrame: (callback: () => void) => void,
  paused: () => boolean,
  now: () => number = () => performance.now(),
) {
  const window = new Window(FIRST_CAPACITY, FIRST_INTERVAL_MS);
  const [drawn, setDrawn] = createSignal(0);
  const [loaded, setLoaded] = createSignal(false);
  let waiting = false;
  let drawing = false;
  /** Whether what is drawn is not what is in the window. */
  let changed = false;
  /** The pictures whose turn comes, and since when they wait: those that have waited longest first. */
  const turns = new Map<() => void, number>();

  /** What the views read: under a paused picture the ticks go on, and the cursor must find what is drawn. */
  const held = createMemo(() => (paused() ? window.copy() : null));
  const shown = () => held() ?? window;

  /** Have everything that depends on the window follow it at the next frame. */
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
    if (!changed || paused()) return;
    changed = false;
    if (window.epoch !== "") setLoaded(true);
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

  /** Have a picture drawn when its turn comes: once, however often it was asked for until then. */
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
      draw();
    }
    if (event.type === "amended") {
      window.amend(event);
      draw();
    }
    if (event.type === "snapshot") {
      if (event.window !== null) window.restore(event.window);
      if (event.board !== null) window.resize(event.board.window_size, event.board.interval_ms);
      draw();
    }
  }

  const seriesVersion = createMemo(() => {
    drawn();
    return shown().seriesVersion;
  });

  const seriesByMetric = createMemo<Groups>((before) => {
    seriesVersion();
    // A pause begins and ends with the same series: no card has to be made anew.
    return groupByName(untrack(shown).series, before);
  }, new Map());

  return {
    apply,
    draw,
    inTurn,
    /** Forget a picture that was asked for. */
    outOfTurn: (picture: () => void): void => void turns.delete(picture),
    /** The window that is drawn: while paused, as it was when the pause began. */
    get window(): Window {
      return shown();
    },
    /** The window as it is now, also while the picture is held. */
    live: window,
    /** Changes when what is drawn should: at most once a frame, never while paused. */
    drawn,
    /** Whether there has been a window yet. */
    loaded,
    /** The series of one metric, in the order they appeared; the same array for as long as they are the same. */
    seriesOf: (metric: string): readonly Series[] => seriesByMetric().get(metric) ?? NONE,
    /** The stats of one series, computed again for each drawing that happens while it is live. */
    statsOf: (key: string, live: () => boolean = () => true): (() => SeriesStats) =>
      createMemo((before?: SeriesStats): SeriesStats => {
        if (before !== undefined && !live()) return before;
        drawn();
        return computeStats(shown().ordered(key));
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
