/**
 * Loads the window of a range. It asks history for the metrics that are in sight, and for others when they
 * come into sight; a range that lies in the live window costs no request. While the page follows now, ticks
 * go on where the answers end. A window that is shown stays until the next one has arrived.
 *
 *   live window                        ├────────┤ now
 *   last hour     ├─── history ──────────────┤tk┤    tk: ticks since the request
 *   standing    ├─ history ─┤        ├ copy ┤
 */
import type { FeedEvent } from "../link/feed";
import type { Series } from "../link/protocol";
import type { Clock } from "../time/clock";
import { type Range, type Shown, writeTime } from "../time/range";
import type { Window } from "../window/window";
import { type Answer, answerOf, decodeAnswer } from "./answer";
import { RangeWindow } from "./rangewindow";

/** Whether the window of the range is complete, and if not why. */
export interface LoadState {
  loading: boolean;
  /** Why the last request failed; empty if it did not. */
  failed: string;
}

export interface LoaderOptions {
  clock: Clock;
  live: Window;
  /** GET an address below the page's; rejects with a message for the viewer. */
  get(path: string, signal: AbortSignal): Promise<ArrayBuffer>;
  /** Whether there is a history to ask. Without one, a range has what the live window has of it. */
  kept(): boolean;
  /** How many series a metric has, as far as known. */
  seriesOf(metric: string): number;
  onWindow(window: Window): void;
  onState(state: LoadState): void;
}

/** About as many buckets as a chart has pixels. */
const POINTS = 600;
const FEWEST_POINTS = 50;
/** The most values of one request, of the two million that the server allows. */
const VALUES = 300_000;
/** A longer address may be refused on the way. */
const METRICS = 50;
const REQUESTS = 2;
/** Views that come into sight together ask together. */
const GATHER_MS = 20;
const RETRIES_MS = [1000, 3000, 10_000];
/** The value at the end of a range of buckets is the newest of this many ticks. */
const LAST_TICKS = 5;
/** Buckets this many times as long as necessary come from earlier ticks that were further apart. */
const COARSE = 2;
/** A replay loads this many spans ahead, and at least this much of its own time. */
const AHEAD_SPANS = 1;
const AHEAD_MS = 15_000;

/** What is loaded, or being loaded, of one range. */
interface Loading {
  range: Range;
  points: number;
  answers: Answer[];
  last: Map<string, number>;
  asked: Set<string>;
  arrived: Set<string>;
  queue: string[][];
  running: number;
  failures: number;
  abort: AbortController;
}

export class RangeLoader {
  #shown: Shown | null = null;
  #speed = 0;
  #wanted: ReadonlySet<string> = new Set();
  #loading: Loading | null = null;
  /** What a replay shows next. */
  #next: Loading | null = null;
  /** The window to which ticks go on, null while the page stands still. */
  #following: RangeWindow | null = null;
  /** When nothing that made its buckets too long is in it any more. */
  #coarseUntil = Number.POSITIVE_INFINITY;
  /** One object for each series, so that views see the same one in every range. */
  readonly #series = new Map<string, Series>();
  #cancelGather: (() => void) | null = null;
  #cancelRetry: () => void = () => {};

  readonly #options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Show another range. @param speed of a replay, 0 for none. */
  aim(shown: Shown, speed: number): void {
    this.#shown = shown;
    this.#speed = speed;
    if (shown.follows) this.#aimAtNow(shown.spanMs ?? 0);
    else this.#aimAt(shown);
  }

  /** The metrics in sight. */
  want(metrics: ReadonlySet<string>): void {
    this.#wanted = metrics;
    this.#cancelGather ??= this.#options.clock.after(GATHER_MS, () => {
      this.#cancelGather = null;
      this.#fill();
    });
  }

  /** Call it after the live window has applied the same event. */
  apply(event: FeedEvent): void {
    if (event.type === "ticks") {
      const following = this.#following;
      const finer = following !== null && this.#options.live.newestTime > this.#coarseUntil;
      if (event.afresh || finer || (following ?? this.#loading) === null) this.#restart();
      else following?.take(event);
    }
    if (event.type === "amended") this.#following?.amend(event);
    // After a pause of the connection the live window has ticks that this one has not.
    if (event.type === "snapshot") this.#restart();
  }

  /** Ask again for what failed. */
  retry(): void {
    this.#cancelRetry();
    const loading = this.#loading;
    if (loading === null) return;
    loading.failures = 0;
    for (const metric of loading.asked) if (!loading.arrived.has(metric)) loading.asked.delete(metric);
    this.#fill();
  }

  /** Show the board's own window again. */
  stop(): void {
    this.#drop();
    this.#shown = null;
    this.#following = null;
    this.#options.onState({ loading: false, failed: "" });
  }

  /** Whether a metric's values of the range have arrived. */
  has(metric: string): boolean {
    return this.#loading === null || this.#loading.arrived.has(metric);
  }

  #restart(): void {
    const shown = this.#shown;
    if (shown === null || !shown.follows) return;
    this.#following = null;
    this.#drop();
    this.aim(shown, 0);
  }

  #drop(): void {
    this.#cancelRetry();
    for (const one of [this.#loading, this.#next]) one?.abort.abort();
    this.#loading = this.#next = null;
  }

  #aimAtNow(spanMs: number): void {
    const { live } = this.#options;
    if (live.ticks === 0) return;
    this.#following = null;
    this.#drop();
    const to = live.newestTime + 1;
    const range = { from: to - spanMs, to };
    if (!this.#options.kept() || covers(live, range)) {
      this.#follow(new RangeWindow([answerOf(live, range)], { range }, live));
      return;
    }
    this.#load(range);
  }

  #follow(window: RangeWindow): void {
    this.#following = window;
    this.#options.onWindow(window);
    this.#report();
  }

  #aimAt(range: Range): void {
    const { live } = this.#options;
    this.#following = null;
    if (!this.#options.kept() || covers(live, range)) {
      this.#drop();
      this.#options.onWindow(new RangeWindow([answerOf(live, range)], { range }, null));
      this.#report();
      return;
    }
    // A part of what is loaded is shown at once, also while its finer buckets are on the way.
    if (this.#loading?.arrived.size && isWithin(range, this.#loading.range)) this.#show();
    // A replay that waits for what comes next keeps the picture that it has.
    if (this.#speed > 0 && this.#loading !== null) this.#loadAhead(range);
    else if (!this.#isExact(range)) {
      this.#drop();
      this.#load(range);
    }
  }

  /** Whether what is loaded, or being loaded, is all that there is to know of a range. */
  #isExact(range: Range): boolean {
    const loading = this.#loading;
    if (loading === null || !isWithin(range, loading.range)) return false;
    const { intervalMs } = this.#options.live;
    const areTicks =
      loading.answers.length > 0 && loading.answers.every((one) => one.resolutionMs <= intervalMs);
    return areTicks || (range.from === loading.range.from && range.to === loading.range.to);
  }

  #load(range: Range): void {
    this.#loading = this.#begin(this.#withAhead(range));
    this.#fill();
  }

  #begin(range: Range): Loading {
    const most = Math.max(1, ...Array.from(this.#wanted, this.#options.seriesOf));
    const points = Math.max(FEWEST_POINTS, Math.min(POINTS, Math.floor(VALUES / most)));
    const shown = this.#shown as Shown;
    // A replay has the range on the page several times over.
    const times = shown.follows ? 1 : (range.to - range.from) / (shown.to - shown.from);
    return {
      ...{ range, points: Math.min(5000, Math.ceil(points * times)) },
      ...{ answers: [], last: new Map(), asked: new Set(), arrived: new Set(), queue: [] },
      ...{ running: 0, failures: 0, abort: new AbortController() },
    };
  }

  #withAhead(range: Range): Range {
    if (this.#speed === 0) return range;
    const ahead = Math.max(AHEAD_SPANS * (range.to - range.from), this.#speed * AHEAD_MS);
    return { from: range.from, to: Math.min(range.to + ahead, this.#options.live.newestTime + 1) };
  }

  /** Load on while a replay still has half of what lies ahead. */
  #loadAhead(range: Range): void {
    const { range: loaded } = this.#loading as Loading;
    const ahead = this.#withAhead(range);
    if (this.#next !== null || loaded.to - range.to > (ahead.to - range.to) / 2) return;
    const next = this.#begin(ahead);
    this.#next = next;
    this.#fillOf(next);
  }

  /** Ask for the metrics in sight that have not been asked for. */
  #fill(): void {
    if (this.#loading !== null) this.#fillOf(this.#loading);
    if (this.#next !== null) this.#fillOf(this.#next);
  }

  #fillOf(loading: Loading): void {
    const missing = [...this.#wanted].filter((metric) => !loading.asked.has(metric));
    let batch: string[] = [];
    let values = 0;
    for (const metric of missing) {
      const more = this.#options.seriesOf(metric) * loading.points;
      if (batch.length === METRICS || (batch.length > 0 && values + more > VALUES)) {
        loading.queue.push(batch);
        [batch, values] = [[], 0];
      }
      batch.push(metric);
      values += more;
      loading.asked.add(metric);
    }
    if (batch.length > 0) loading.queue.push(batch);
    this.#run(loading);
  }

  #run(loading: Loading): void {
    while (loading.running < REQUESTS) {
      const metrics = loading.queue.shift();
      if (metrics === undefined) break;
      loading.running++;
      void this.#ask(loading, metrics);
    }
    this.#report();
  }

  async #ask(loading: Loading, metrics: string[]): Promise<void> {
    try {
      const answer = await this.#answer(loading, metrics, loading.range, loading.points);
      const { intervalMs } = this.#options.live;
      if (answer.resolutionMs > intervalMs && !this.#shown?.follows) {
        const from = loading.range.to - LAST_TICKS * intervalMs;
        const last = await this.#answer(loading, metrics, { from, to: loading.range.to }, LAST_TICKS + 2);
        for (const { series, avg } of last.series) {
          loading.last.set(series.key, avg.findLast((value) => !Number.isNaN(value)) ?? Number.NaN);
        }
      }
      loading.running--;
      loading.failures = 0;
      loading.answers.push(answer);
      for (const metric of metrics) loading.arrived.add(metric);
      this.#arrived(loading, answer);
    } catch (error) {
      if (loading.abort.signal.aborted) return;
      loading.running--;
      this.#failed(loading, metrics, error instanceof Error ? error.message : String(error));
    }
  }

  async #answer(loading: Loading, metrics: string[], range: Range, points: number): Promise<Answer> {
    const query = new URLSearchParams({ from: writeTime(range.from), to: writeTime(range.to) });
    query.set("points", String(points));
    query.set("format", "binary");
    for (const metric of metrics) query.append("metrics", metric);
    const answer = decodeAnswer(await this.#options.get(`api/history?${query}`, loading.abort.signal));
    for (const one of this.#options.live.series) this.#series.set(one.key, one);
    for (const one of answer.series) {
      const known = this.#series.get(one.series.key);
      if (known?.unit === one.series.unit) one.series = known;
      else this.#series.set(one.series.key, one.series);
    }
    return answer;
  }

  #arrived(loading: Loading, answer: Answer): void {
    if (loading === this.#next) {
      if (loading.queue.length > 0 || loading.running > 0) {
        this.#run(loading);
        return;
      }
      this.#next = null;
      this.#loading = loading;
    }
    if (loading !== this.#loading) return;
    if (this.#following !== null) {
      this.#following.merge(answer);
      this.#options.onWindow(this.#following);
    } else this.#show();
    this.#run(loading);
  }

  #show(): void {
    const loading = this.#loading;
    const shown = this.#shown;
    if (loading === null || shown === null) return;
    const { live } = this.#options;
    if (shown.follows) {
      const newest = (key: string) => live.newest(key);
      const spanMs = loading.range.to - loading.range.from;
      const least = Math.max(live.intervalMs, spanMs / loading.points);
      const coarse = loading.answers.some(({ resolutionMs }) => resolutionMs > COARSE * least);
      this.#coarseUntil = coarse ? loading.range.to + spanMs : Number.POSITIVE_INFINITY;
      this.#follow(new RangeWindow(loading.answers, { range: loading.range, newest }, live));
      return;
    }
    const ends = shown.to >= loading.range.to && loading.last.size > 0;
    const newest = ends ? (key: string) => loading.last.get(key) ?? Number.NaN : undefined;
    this.#options.onWindow(new RangeWindow(loading.answers, { range: shown, newest }, null));
    this.#report();
  }

  #failed(loading: Loading, metrics: string[], why: string): void {
    const wait = RETRIES_MS[loading.failures++];
    if (wait !== undefined) {
      loading.queue.push(metrics);
      this.#cancelRetry = this.#options.clock.after(wait, () => this.#run(loading));
      this.#report();
      return;
    }
    for (const metric of metrics) loading.asked.delete(metric);
    if (loading === this.#next) this.#next = null;
    this.#options.onState({ loading: false, failed: why });
  }

  #report(): void {
    const loading = this.#loading;
    const busy = loading !== null && (loading.running > 0 || loading.queue.length > 0);
    this.#options.onState({ loading: busy, failed: "" });
  }
}

const isWithin = (inner: Range, outer: Range): boolean => outer.from <= inner.from && inner.to <= outer.to;

/** Whether a window has every tick of a range. */
export function covers(window: Window, { from, to }: Range): boolean {
  const { intervalMs } = window;
  const [oldest] = window.orderedTimes();
  return from > oldest - intervalMs && to <= window.newestTime + intervalMs;
}
