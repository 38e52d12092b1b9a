/**
 * The values of an alert's series around the moment that it fired: taken out of the window while they are in it, and
 * kept as the window moves on. It must not know how they are drawn.
 *
 *   window       ──────────────────────┐
 *   spark   from ·········│fired        ┊······· to: what is still to come is added with the ticks
 */
import { createSignal } from "solid-js";
import type { FeedEvent } from "../link/feed";
import { seriesKey } from "../link/protocol";
import type { Alert } from "../types.gen";
import type { Spark } from "../window/spark";
import type { Window } from "../window/window";

/** Ticks on each side of the moment. */
const SIDE_TICKS = 24;
/** More than are drawn at once. */
const MAX_SPARKS = 200;

interface Followed {
  key: string;
  spark: () => Spark;
  set(spark: Spark): void;
}

export function createSparkStore(window: Window) {
  const followed = new Map<string, Followed>();
  /** Those that have not got all their ticks yet. */
  const open = new Set<Followed>();

  function begin(alert: Alert): Followed {
    const fired = Date.parse(alert.timestamp);
    const side = SIDE_TICKS * window.intervalMs;
    const [spark, set] = createSignal<Spark>({
      ...{ from: fired - side, fired, to: fired + side },
      ...{ times: [], values: [] },
    });
    return { key: seriesKey(alert.metric ?? "", alert.labels), spark, set };
  }

  function read(one: Followed): void {
    const before = one.spark();
    const last = before.times.at(-1);
    const next = window.between(one.key, last ?? before.from - 1, before.to);
    if (next.times.length > 0 && (last !== undefined || window.has(one.key))) {
      const times = [...before.times, ...next.times];
      one.set({ ...before, times, values: [...before.values, ...next.values] });
    }
    if (window.newestTime >= before.to) open.delete(one);
  }

  function follow(alert: Alert): () => Spark {
    const known = followed.get(alert.id) ?? begin(alert);
    // What was asked for last is the last to be forgotten.
    const isNew = !followed.delete(alert.id);
    followed.set(alert.id, known);
    if (isNew) {
      open.add(known);
      read(known);
      forgetOldest();
    }
    return known.spark;
  }

  function forgetOldest(): void {
    for (const [id, one] of followed) {
      if (followed.size <= MAX_SPARKS) break;
      followed.delete(id);
      open.delete(one);
    }
  }

  return {
    /** After the window has taken the same event. */
    apply(event: FeedEvent): void {
      if (event.type === "ticks" || event.type === "snapshot") for (const one of open) read(one);
    },
    /** The spark of an alert: from here on its ticks are collected, whether or not it is drawn. */
    follow,
  };
}

export type SparkStore = ReturnType<typeof createSparkStore>;
