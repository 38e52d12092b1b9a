/**
 * The values of both ranges for the rows in sight. Rows that come into sight together are asked for in one
 * request, and one request runs at a time. It must not know how a line is drawn.
 */
import { createSignal } from "solid-js";
import { askValues, fitting, type Get, Unanswered } from "../comparing/asking";
import type { Answer } from "../past/answer";
import type { Clock } from "../time/clock";
import { type Comparison, isJustBefore } from "../time/comparison";
import type { Range } from "../time/range";

/** The buckets of one series in one range. NaN where it has no value. */
export interface Values {
  range: Range;
  resolutionMs: number;
  times: Float64Array;
  avg: Float64Array;
  min: Float64Array;
  max: Float64Array;
}

export interface ChangeLine {
  before: Values;
  after: Values;
}

/** As many buckets in both ranges together as a line has pixels. */
const POINTS = 148;
/** The most rows of one request. */
const ROWS = 25;
/** Rows that come into sight together ask together. */
const GATHER_MS = 50;
const RETRY_MS = 3000;
const MOST_FAILURES = 3;

export function createChangeLinesStore({ clock, get }: { clock: Clock; get: Get }) {
  const [lines, setLines] = createSignal<ReadonlyMap<string, ChangeLine | null>>(new Map());
  const wanted = new Set<string>();
  let comparison: Comparison | null = null;
  let abort = new AbortController();
  let cancelNext: (() => void) | null = null;
  let running = false;
  let failures = 0;

  function later(wait: number): void {
    cancelNext ??= clock.after(wait, () => {
      cancelNext = null;
      void run();
    });
  }

  /** Load the lines of some rows. If the ranges meet, one answer has both. */
  async function load(keys: readonly string[], { before, after }: Comparison, signal: AbortSignal) {
    const ask = (range: Range, points: number) => askValues(get, keys, range, points, signal);
    const meet = isJustBefore({ before, after });
    const first = meet
      ? await ask({ from: before.from, to: after.to }, POINTS)
      : await ask(before, POINTS / 2);
    const second = meet ? first : await ask(after, POINTS / 2);
    return keys.map((key): [string, ChangeLine] => [
      key,
      {
        before: valuesOf(first, key, before),
        after: valuesOf(second, key, after, meet ? after.from : undefined),
      },
    ]);
  }

  async function run(): Promise<void> {
    const missing = [...wanted].filter((key) => !lines().has(key)).slice(0, ROWS);
    if (running || missing.length === 0 || comparison === null) return;
    const ranges = comparison;
    const keys = fitting(missing);
    const { signal } = abort;
    running = true;
    try {
      const found = await load(keys, ranges, signal);
      if (signal.aborted) return;
      failures = 0;
      setLines((all) => new Map([...all, ...found]));
      later(0);
    } catch (error) {
      if (signal.aborted) return;
      const { retryMs } = error instanceof Unanswered ? error : new Unanswered(String(error));
      // A row without a line says so. It does not keep others from theirs.
      if (++failures > MOST_FAILURES) {
        failures = 0;
        setLines((all) => new Map([...all, ...keys.map((key): [string, null] => [key, null])]));
      }
      later(retryMs || RETRY_MS);
    } finally {
      if (!signal.aborted) running = false;
    }
  }

  function stop(): void {
    cancelNext?.();
    cancelNext = null;
    abort.abort();
    abort = new AbortController();
    running = false;
    failures = 0;
  }

  return {
    /** The line of a series, by its key: undefined until it has arrived, null if it could not be loaded. */
    of: (key: string): ChangeLine | null | undefined => lines().get(key),
    /** Load the line of a row in sight; the returned function takes that back. */
    want(key: string): () => void {
      wanted.add(key);
      later(GATHER_MS);
      return () => void wanted.delete(key);
    },
    /** Show other ranges. */
    aim(next: Comparison): void {
      stop();
      comparison = next;
      setLines(new Map());
      later(GATHER_MS);
    },
    stop,
  };
}

const NONE = new Float64Array();

/** The part of an answer from a time up to the end of a range. The first bucket may begin before the range. */
function valuesOf({ series, times, resolutionMs }: Answer, key: string, range: Range, from = 0): Values {
  const found = series.find((one) => one.series.key === key);
  if (found === undefined) return { range, resolutionMs, times: NONE, avg: NONE, min: NONE, max: NONE };
  const { first, avg, min, max } = found;
  const own = times.subarray(first, first + avg.length);
  const [start, end] = [own.findIndex((time) => time >= from), own.findIndex((time) => time >= range.to)];
  const cut = (column: Float64Array) =>
    start === -1 ? NONE : column.subarray(start, end === -1 ? undefined : end);
  return { range, resolutionMs, times: cut(own), avg: cut(avg), min: cut(min), max: cut(max) };
}

export type ChangeLinesStore = ReturnType<typeof createChangeLinesStore>;
