/**
 * What time the page shows: it follows now, or stands still at a range, which a replay moves on. It keeps the
 * address and the ranges before. It must not know where the values of a range come from.
 */
import { createMemo, createSignal } from "solid-js";
import type { Clock } from "../time/clock";
import { type Range, readAddress, type Shown, writeAddress } from "../time/range";

/** The query of the page's address. */
export interface Address {
  search(): string;
  replace(search: string): void;
}

/** Ticks, all times in milliseconds since 1970; before the first tick, the time now. */
export interface Now {
  /** The newest tick that has been drawn, and the newest one that has arrived. */
  drawn(): number;
  newest(): number;
  /** The oldest tick of the board's own window. */
  oldest(): number;
  intervalMs(): number;
  /** The length of the board's own window. */
  windowMs(): number;
}

export interface TimeOptions {
  clock: Clock;
  address: Address;
  now: Now;
}

/** How many times as fast as it was. */
export const SPEEDS = [1, 10, 60] as const;
export type Speed = (typeof SPEEDS)[number];

/** A shorter range has hardly a tick in it. */
const SHORTEST_INTERVALS = 2;
/** How often a replay moves on: as often as the page draws. */
const STEP_MS = 1000 / 15;
const MOST_REMEMBERED = 50;

export function createTimeStore({ clock, address, now }: TimeOptions) {
  const [shown, setShown] = createSignal<Shown>(readAddress(address.search()));
  const [before, setBefore] = createSignal<readonly Shown[]>([]);
  const [speed, setSpeed] = createSignal<Speed | 0>(0);
  let cancelStep: () => void = () => {};

  const follows = createMemo(() => shown().follows);
  /** The span that following shows, also while the page stands still. */
  const [followedMs, setFollowedMs] = createSignal<number | null>(shownSpan(shown()));
  function spanMs(): number {
    const here = shown();
    return here.follows ? (here.spanMs ?? now.windowMs()) : here.to - here.from;
  }

  function range(): Range {
    const here = shown();
    if (!here.follows) return { from: here.from, to: here.to };
    return { from: now.drawn() - spanMs(), to: now.drawn() };
  }

  const isOwn = createMemo(() => {
    const here = shown();
    return here.follows && here.spanMs === null;
  });

  /** @param kept whether the range before is one to go back to. */
  function change(next: Shown, kept = true): void {
    if (kept) setBefore((all) => [...all, shown()].slice(-MOST_REMEMBERED));
    if (next.follows) setFollowedMs(next.spanMs);
    setShown(next);
    address.replace(writeAddress(address.search(), next));
  }

  /** A range that is neither too short nor in the future. */
  function fitted({ from, to }: Range): Range {
    const least = SHORTEST_INTERVALS * now.intervalMs();
    const length = Math.max(least, to - from);
    // The newest tick is in the range, whose end is exclusive.
    const newest = now.newest() + 1;
    const end = to > newest ? newest : to;
    return { from: Math.floor(end - length), to: Math.ceil(end) };
  }

  function stop(): void {
    cancelStep();
    cancelStep = () => {};
    setSpeed(0);
  }

  function stand(wanted: Range, kept = true): void {
    stop();
    const next = fitted(wanted);
    const here = shown();
    if (!here.follows && here.from === next.from && here.to === next.to) return;
    change({ follows: false, ...next }, kept);
  }

  function follow(span: number | null): void {
    stop();
    const here = shown();
    if (here.follows && here.spanMs === span) return;
    change({ follows: true, spanMs: span });
  }

  /** Move a replay on; it goes live when it has caught up. */
  function step(first: Range, began: number): void {
    const passed = Math.round((clock.now() - began) * speed());
    const next = { from: first.from + passed, to: first.to + passed };
    if (next.to > now.newest()) {
      stop();
      change({ follows: true, spanMs: followedMs() }, false);
      return;
    }
    setShown({ follows: false, ...next });
    cancelStep = clock.after(STEP_MS, () => step(first, began));
  }

  return {
    shown,
    /** Whether the page shows now. */
    follows,
    /** Whether it shows the board's own window, as it does unless told otherwise. */
    isOwn,
    /** The range on the page. While it follows now, the end is the newest tick. */
    range,
    /** Its length in milliseconds. */
    spanMs,
    /** Follow now with another span; null for the board's own window. */
    follow,
    /** Follow now again, with the span from before. */
    live: () => follow(followedMs()),
    /** Stand still at a range. One that reaches into the future is moved back. */
    stand,
    /** Stand still at what is on the page. */
    pause(): void {
      const { from, to } = range();
      // Ticks are not exactly an interval apart.
      stand({ from: isOwn() ? Math.min(from, now.oldest()) : from, to: to + 1 });
    },
    /** Move by half a range, back (-1) or forward (1). A step beyond now follows it again. */
    step(way: -1 | 1): void {
      const { from, to } = range();
      const by = (way * (to - from)) / 2;
      if (way === 1 && to + by > now.newest() + 1) follow(followedMs());
      else stand({ from: from + by, to: to + by });
    },
    /** Return to the range before the last change; false if there is none. */
    back(): boolean {
      const last = before().at(-1);
      if (last === undefined) return false;
      stop();
      setBefore((all) => all.slice(0, -1));
      change(last, false);
      return true;
    },
    /** Replay from the range on the page, at a multiple of its own speed; 0 stops. */
    play(times: Speed | 0): void {
      stop();
      if (follows()) return;
      setSpeed(times);
      if (times === 0) address.replace(writeAddress(address.search(), shown()));
      else step(range(), clock.now());
    },
    /** The speed of the replay, 0 for none. */
    speed,
    /** Write the address anew: going back in the browser's history has changed it. */
    moved: () => address.replace(writeAddress(address.search(), shown())),
  };
}

const shownSpan = (shown: Shown): number | null => (shown.follows ? shown.spanMs : null);

export type TimeStore = ReturnType<typeof createTimeStore>;
