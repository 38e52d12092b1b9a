/**
 * The values around alerts of the past, from history: for each alert from before it fired until it ended, or until
 * the moment on the page. Alerts that come into view together are asked for together, those of similar times in
 * one request. Buckets show their highest value, or their lowest for a rule that fires below its threshold.
 */
import { firesBelow } from "../alerts/entries";
import { seriesKey } from "../link/protocol";
import { AFTER_TICKS, MAX_POINTS, SIDE_TICKS } from "../stores/sparks";
import type { Clock } from "../time/clock";
import { type Range, writeTime } from "../time/range";
import type { Alert } from "../types.gen";
import type { Spark } from "../window/spark";
import type { Window } from "../window/window";
import { type Answer, answerOf, decodeAnswer } from "./answer";
import { covers } from "./loader";

export interface HistorySparksOptions {
  clock: Clock;
  get(path: string, signal: AbortSignal): Promise<ArrayBuffer>;
  /** The board's own window: what lies in it costs no request. */
  live: Window;
  /** Whether the board keeps a history. */
  hasHistory(): boolean;
  /** More values have arrived, or a request has failed. */
  onChange(): void;
}

/** Alerts that come into view together ask together. */
const GATHER_MS = 20;
const REQUESTS = 2;
/** A longer address may be refused on the way. */
const MAX_ADDRESS = 6_000;
/** More than are ever drawn at once. */
const MAX_SPARKS = 200;
/** The value at a moment is the newest of this many ticks. */
const LAST_TICKS = 5;

interface Followed extends Range {
  key: string;
  below: boolean;
  times: readonly number[];
  values: readonly number[];
  /** The value at the end of the range, if a bucket has it with others; NaN if it is not known. */
  last: number;
}

export class HistorySparks {
  /** Why the last request failed; empty if it did not. */
  failed = "";
  readonly #followed = new Map<string, Followed>();
  #waiting = new Set<Followed>();
  #queue: Followed[][] = [];
  #running = 0;
  #failures: Followed[] = [];
  #cancelGather: (() => void) | null = null;
  #abort = new AbortController();

  readonly #options: HistorySparksOptions;

  constructor(options: HistorySparksOptions) {
    this.#options = options;
  }

  /**
   * Return what has arrived of an alert's values up to a moment, and ask for the others.
   *
   * @param ended when the alert ended, or will have.
   * @param until up to when a replay will need them.
   */
  of(alert: Alert, ended: number, at: number, until: number): Spark {
    const one = this.#find(alert, ended, until);
    const fired = Date.parse(alert.timestamp);
    const count = one.times.findLastIndex((time) => time < at) + 1;
    const times = one.times.slice(0, count);
    const to = Math.max(fired + SIDE_TICKS * this.#options.live.intervalMs, times.at(-1) ?? 0);
    return {
      ...{ from: Math.max(one.from, times[0] ?? one.from), fired, to, times },
      ended: ended < at ? ended : Number.POSITIVE_INFINITY,
      values: one.values.slice(0, count),
    };
  }

  /** The value of an alert's series at a moment, NaN if it is not known. */
  valueAt(alert: Alert, at: number): number {
    const one = this.#followed.get(alert.id);
    if (one === undefined) return Number.NaN;
    if (one.to === at && Number.isFinite(one.last)) return one.last;
    const newest = one.times.findLastIndex((time) => time < at);
    return one.values[newest] ?? Number.NaN;
  }

  /** Ask again for what failed. */
  retry(): void {
    const failures = this.#failures;
    this.#failures = [];
    this.failed = "";
    for (const one of failures) this.#ask(one);
  }

  forget(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#cancelGather?.();
    this.#cancelGather = null;
    this.#followed.clear();
    this.#waiting.clear();
    [this.#queue, this.#failures, this.#running, this.failed] = [[], [], 0, ""];
  }

  #find(alert: Alert, ended: number, until: number): Followed {
    const { hasHistory, live } = this.#options;
    const interval = live.intervalMs;
    const fired = Date.parse(alert.timestamp);
    const from = fired - SIDE_TICKS * interval;
    const most = Math.max(ended, fired + SIDE_TICKS * interval) + AFTER_TICKS * interval;
    const to = Math.max(fired + 1, Math.min(most, until));
    const known = this.#followed.get(alert.id);
    // Reinsert it, so that the least recently used spark is dropped first.
    this.#followed.delete(alert.id);
    if (known !== undefined && from <= known.from && to <= known.to) {
      this.#followed.set(alert.id, known);
      return known;
    }
    const key = seriesKey(alert.metric ?? "", alert.labels);
    const one: Followed = {
      ...{ key, from, to, below: firesBelow(alert), last: Number.NaN },
      // What it had before stays until more has arrived.
      ...{ times: known?.times ?? [], values: known?.values ?? [] },
    };
    this.#followed.set(alert.id, one);
    for (const id of this.#followed.keys()) {
      if (this.#followed.size <= MAX_SPARKS) break;
      this.#followed.delete(id);
    }
    if (!hasHistory() || covers(live, one)) take(one, answerOf(live, one));
    else this.#ask(one);
    return one;
  }

  #ask(one: Followed): void {
    this.#waiting.add(one);
    this.#cancelGather ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelGather = null;
      this.#queue.push(...batches([...this.#waiting]));
      this.#waiting.clear();
      this.#run();
    });
  }

  #run(): void {
    while (this.#running < REQUESTS) {
      const batch = this.#queue.shift();
      if (batch === undefined) return;
      this.#running++;
      void this.#load(batch, this.#abort.signal);
    }
  }

  async #load(batch: readonly Followed[], signal: AbortSignal): Promise<void> {
    const from = Math.min(...batch.map((one) => one.from));
    const to = Math.max(...batch.map((one) => one.to));
    const shortest = Math.min(...batch.map((one) => one.to - one.from));
    try {
      const points = Math.ceil((MAX_POINTS * (to - from)) / shortest);
      const answer = await this.#fetch(batch, { from, to }, points, signal);
      for (const one of batch) take(one, answer);
      if (answer.resolutionMs > this.#options.live.intervalMs) await this.#loadLast(batch, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.#failures.push(...batch);
      this.failed = error instanceof Error ? error.message : String(error);
    }
    if (signal.aborted) return;
    this.#running--;
    this.#options.onChange();
    this.#run();
  }

  /** Load the last value of those that end together, which a bucket has among others. */
  async #loadLast(batch: readonly Followed[], signal: AbortSignal): Promise<void> {
    const to = Math.max(...batch.map((one) => one.to));
    const ending = batch.filter((one) => one.to === to);
    const from = to - LAST_TICKS * this.#options.live.intervalMs;
    const { series } = await this.#fetch(ending, { from, to }, LAST_TICKS + 2, signal);
    const last = new Map(series.map(({ series, avg }) => [series.key, avg.findLast(Number.isFinite)]));
    for (const one of ending) one.last = last.get(one.key) ?? Number.NaN;
  }

  async #fetch(
    batch: readonly Followed[],
    { from, to }: Range,
    points: number,
    signal: AbortSignal,
  ): Promise<Answer> {
    const query = new URLSearchParams({ from: writeTime(from), to: writeTime(to), points: String(points) });
    query.set("format", "binary");
    for (const key of new Set(batch.map((one) => one.key))) query.append("metrics", key);
    return decodeAnswer(await this.#options.get(`api/history?${query}`, signal));
  }
}

/** Take an alert's values out of an answer. */
function take(one: Followed, { resolutionMs, series, times }: Answer): void {
  const found = series.find(({ series: { key } }) => key === one.key);
  const values = one.below ? found?.min : found?.max;
  const taken: [time: number, value: number][] = [];
  values?.forEach((value, i) => {
    const time = times[(found?.first ?? 0) + i];
    if (time > one.from - resolutionMs && time < one.to) taken.push([time, value]);
  });
  one.times = taken.map(([time]) => time);
  one.values = taken.map(([, value]) => value);
}

/** Group alerts whose times are about equally long and begin at about the same time. */
function batches(all: readonly Followed[]): Followed[][] {
  const groups = new Map<string, Followed[]>();
  const sizes = new Map<Followed[], number>();
  for (const one of all) {
    const length = 2 ** Math.ceil(Math.log2(one.to - one.from));
    const place = `${length} ${Math.floor(one.from / length)}`;
    const size = encodeURIComponent(one.key).length + "&metrics=".length;
    const group = groups.get(place);
    if (group === undefined || (sizes.get(group) ?? 0) + size > MAX_ADDRESS) {
      // The full one goes as it is.
      if (group !== undefined) groups.set(`${place} ${groups.size}`, group);
      const next = [one];
      groups.set(place, next);
      sizes.set(next, size);
      continue;
    }
    group.push(one);
    sizes.set(group, (sizes.get(group) ?? 0) + size);
  }
  return [...groups.values()];
}
