/**
 * The values of an alert's series from before it fired until it ended: copied from the window and kept as the
 * window moves on. A long episode is thinned to at most `MAX_POINTS`. What was before the window comes from
 * history, and so do all values at another time. It must not know how they are drawn.
 *
 *   window        ┊──────────────────────┤ now
 *   spark   from ·········│fired ········│ at least to here, and on until it is over
 */
import type { FeedEvent } from "../link/feed";
import { seriesKey } from "../link/protocol";
import type { Alert } from "../types.gen";
import type { Spark } from "../window/spark";
import type { Window } from "../window/window";

/** Ticks before the alert fired, and at least as many after. */
export const SIDE_TICKS = 24;
export const AFTER_TICKS = 6;
export const MAX_POINTS = 120;
/** More than are ever drawn at once. */
const MAX_SPARKS = 200;

interface Followed {
  key: string;
  fired: number;
  from: number;
  /** The last time to collect: Infinity while the alert fires. */
  until: number;
  times: number[];
  values: number[];
}

/** Drop every second value; of two neighbours, keep the one further from the last kept value. */
function thin(one: Followed): void {
  const [times, values] = [[one.times[0]], [one.values[0]]];
  for (let i = 1; i < one.values.length; i += 2) {
    const last = values[values.length - 1];
    const next =
      i + 1 < one.values.length && !(Math.abs(one.values[i] - last) >= Math.abs(one.values[i + 1] - last));
    times.push(one.times[i + (next ? 1 : 0)]);
    values.push(one.values[i + (next ? 1 : 0)]);
  }
  one.times = times;
  one.values = values;
}

/** The values around alerts at the time on the page, if the page does not follow now. */
export interface OtherSparks {
  /** Null while the page follows now. */
  spark(alert: Alert): Spark | null;
  /** NaN if it is not known. */
  valueOf(alert: Alert): number;
  /** The values before a time; null if they are not known. */
  earlier(alert: Alert, before: number): Spark | null;
  /** Changes when more values have arrived, and with the time on the page. */
  changed(): void;
}

const NO_OTHERS: OtherSparks = {
  ...{ spark: () => null, earlier: () => null, valueOf: () => Number.NaN, changed: () => {} },
};

export function createSparkStore(window: Window, other: OtherSparks = NO_OTHERS) {
  const followed = new Map<string, Followed>();
  /** Sparks that still need ticks. */
  const open = new Set<Followed>();

  function begin(alert: Alert): Followed {
    const fired = Date.parse(alert.timestamp);
    const key = seriesKey(alert.metric ?? "", alert.labels);
    const from = fired - SIDE_TICKS * window.intervalMs;
    return { key, fired, from, until: Number.POSITIVE_INFINITY, times: [], values: [] };
  }

  function read(one: Followed): void {
    const last = one.times.at(-1);
    const next = window.between(one.key, last ?? one.from - 1, one.until);
    if (next.times.length > 0 && (last !== undefined || window.has(one.key))) {
      one.times.push(...next.times);
      one.values.push(...next.values);
      while (one.times.length > MAX_POINTS) thin(one);
    }
    if (window.newestTime >= one.until) open.delete(one);
  }

  function find(alert: Alert): Followed {
    const known = followed.get(alert.id) ?? begin(alert);
    // Reinsert it, so that the least recently used spark is dropped first.
    const isNew = !followed.delete(alert.id);
    followed.set(alert.id, known);
    if (isNew) {
      open.add(known);
      read(known);
      forgetOldest();
    }
    return known;
  }

  function forgetOldest(): void {
    for (const [id, one] of followed) {
      if (followed.size <= MAX_SPARKS) break;
      followed.delete(id);
      open.delete(one);
    }
  }

  return {
    /** Call it after the window has applied the same event. */
    apply(event: FeedEvent): void {
      if (event.type === "ticks" || event.type === "snapshot") for (const one of open) read(one);
    },
    /**
     * Return the spark of an alert so far. From then on its ticks are collected, drawn or not.
     *
     * @param ended when the alert ended, Infinity while it fires.
     */
    of(alert: Alert, ended: number): Spark {
      const past = other.spark(alert);
      if (past !== null) return past;
      const one = find(alert);
      const { fired, from, times, values } = one;
      one.until = Math.max(ended, fired + SIDE_TICKS * window.intervalMs) + AFTER_TICKS * window.intervalMs;
      const to = Math.max(fired + SIDE_TICKS * window.intervalMs, times.at(-1) ?? 0);
      const first = times[0] ?? from;
      const earlier = first > from + window.intervalMs ? other.earlier(alert, first) : null;
      return {
        ...{ from: Math.max(from, earlier?.times[0] ?? first), fired, ended, to },
        times: [...(earlier?.times ?? []), ...times],
        values: [...(earlier?.values ?? []), ...values],
      };
    },
    /** The value of an alert's series at another time; NaN while the page follows now, or if it is not known. */
    valueThen: other.valueOf,
    /** Read it to follow the changes of sparks at another time. */
    changed: other.changed,
  };
}

export type SparkStore = ReturnType<typeof createSparkStore>;
