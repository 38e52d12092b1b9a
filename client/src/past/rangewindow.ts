/**
 * A window of buckets: what history answers for a range, and while the page follows now, the ticks since.
 * Cards, tables and charts read it like any window: a value is the average of its bucket. The lowest and
 * highest value and the number of values in each bucket are in columns beside it.
 */
import type { Amendment } from "../link/decoder";
import type { Range } from "../time/range";
import { computeStats, type SeriesStats } from "../window/stats";
import { type Buckets, Window } from "../window/window";
import { type Answer, type AnsweredSeries, answerOf } from "./answer";

export interface RangeWindowOptions {
  range: Range;
  /** Reads the newest value of a series; undefined: it is the last bucket's average. */
  newest?: (key: string) => number;
}

/** A longer step between buckets than this many is a gap. */
const GAP_BUCKETS = 1.5;

export class RangeWindow extends Window {
  readonly #buckets = new Map<string, Buckets>();
  readonly #newestOf: ((key: string) => number) | undefined;
  readonly #range: Range;
  readonly #stands: boolean;
  readonly #bucketed: boolean;
  #newestTick = Number.NaN;

  /**
   * @param answers all of the same range and resolution, each with other series.
   * @param live a window to go on from: its ticks come next. Null for a range that stands still.
   */
  constructor(answers: readonly Answer[], { range, newest }: RangeWindowOptions, live: Window | null) {
    const resolutionMs = answers[0]?.resolutionMs ?? 1000;
    const times = timesOf(answers, range, resolutionMs);
    const room = live === null ? times.length : Math.ceil((range.to - range.from) / resolutionMs) + 2;
    super(Math.max(2, times.length, room), resolutionMs);
    this.#range = range;
    this.#stands = live === null;
    this.#bucketed = live !== null && resolutionMs > live.intervalMs;
    this.#newestOf = newest;
    const seqs = new Float64Array(times.length).fill(Number.NaN);
    const { epoch, capacity } = this;
    this.restore({
      ...{ epoch: live?.epoch ?? epoch, capacity, intervalMs: resolutionMs, times, seqs },
      ...{ series: [], columns: [], layout: live?.layout ?? [] },
    });
    for (const answer of answers) this.merge(answer);
    if (live !== null) this.#goOn(live, range.to);
  }

  override get spanMs(): number {
    return this.#range.to - this.#range.from;
  }

  override get until(): number {
    return this.#stands ? this.#range.to : Math.max(this.newestTime, this.#newestTick || 0);
  }

  override newest(key: string): number {
    return this.#newestOf?.(key) ?? super.newest(key);
  }

  override bandOf(key: string): Buckets | undefined {
    return this.#buckets.get(key);
  }

  /** An average may be whole where its values are not. */
  override isWhole(): boolean {
    return false;
  }

  override statsOf(key: string): SeriesStats {
    const band = this.#buckets.get(key);
    const values = this.ring(key);
    const last = this.newest(key);
    if (band === undefined || values === undefined) return { ...computeStats(this.ordered(key)), last };
    let [sum, count, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let slot = 0; slot < values.length; slot++) {
      const here = band.counts[slot];
      if (Number.isNaN(values[slot]) || !(here > 0)) continue;
      sum += values[slot] * here;
      count += here;
      min = Math.min(min, band.lows[slot]);
      max = Math.max(max, band.highs[slot]);
    }
    if (count === 0) return { avg: Number.NaN, min: Number.NaN, max: Number.NaN, count, last };
    return { avg: sum / count, min, max, count, last };
  }

  /** Add an answer's series. Buckets at times that the window does not have are left out. */
  merge(answer: Answer): void {
    const slots = this.#slotsOf(answer.times);
    for (const one of answer.series) this.#mergeSeries(one, slots);
    this.follow(this.layout);
    this.version++;
  }

  override amend(amendment: Amendment): void {
    // What a bucket had before is not known any more.
    if (!this.#bucketed) super.amend(amendment);
  }

  /** Add a window's ticks from a time on, so that its next tick comes next here too. */
  #goOn(live: Window, from: number): void {
    const { times, series } = answerOf(live, { from, to: Number.POSITIVE_INFINITY });
    this.follow(series.map((one) => one.series));
    times.forEach((time, tick) => {
      this.push(
        Number.NaN,
        time,
        Float64Array.from(series, ({ avg }) => avg[tick]),
      );
    });
    if (this.ticks > 0) this.renumber(live.newestSeq);
    this.#newestTick = live.newestTime;
    this.follow(live.layout);
  }

  #mergeSeries({ series, first, avg, min, max, count }: AnsweredSeries, slots: Int32Array): void {
    const values = this.columnOf(series);
    const buckets = count === null ? undefined : this.#bucketsOf(series.key);
    for (let i = 0; i < avg.length; i++) {
      const slot = slots[first + i];
      if (slot === -1 || !Number.isFinite(avg[i])) continue;
      if (buckets === undefined || count === null) values[slot] = avg[i];
      else this.#combine(values, buckets, slot, avg[i], min[i], max[i], count[i]);
    }
  }

  /** A bucket that already has newer ticks keeps them. */
  #combine(
    values: Float64Array,
    { lows, highs, counts }: Buckets,
    ...[slot, avg, min, max, count]: [number, number, number, number, number]
  ): void {
    const before = counts[slot] || 0;
    const all = before + count;
    values[slot] = before === 0 ? avg : (values[slot] * before + avg * count) / all;
    lows[slot] = before === 0 ? min : Math.min(lows[slot], min);
    highs[slot] = before === 0 ? max : Math.max(highs[slot], max);
    counts[slot] = all;
  }

  #bucketsOf(key: string): Buckets {
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const column = () => new Float64Array(this.capacity).fill(Number.NaN);
    const made = { lows: column(), highs: column(), counts: column() };
    this.#buckets.set(key, made);
    return made;
  }

  /** The slot of each time, -1 if the window does not have it. Both are ascending. */
  #slotsOf(times: Float64Array): Int32Array {
    const slots = new Int32Array(times.length).fill(-1);
    let index = 0;
    for (let i = 0; i < times.length; i++) {
      while (index < this.ticks && this.#timeAt(index) < times[i]) index++;
      if (index < this.ticks && this.#timeAt(index) === times[i]) slots[i] = this.slotAt(index);
    }
    return slots;
  }

  #timeAt(index: number): number {
    return this.times[this.slotAt(index)];
  }

  /** Ticks fill the bucket of their time: buckets begin at whole multiples of their length. */
  protected override push(seq: number, time: number, row: Float64Array): void {
    this.#newestTick = time;
    if (!this.#bucketed) {
      super.push(seq, time, row);
      return;
    }
    if (seq <= this.newestSeq) return;
    const begin = Math.floor(time / this.intervalMs) * this.intervalMs;
    if (this.ticks > 0 && begin < this.newestTime) return;
    if (begin - this.newestTime > GAP_BUCKETS * this.intervalMs) {
      this.advance(seq, begin - this.intervalMs);
      this.#clearBuckets();
    }
    if (begin !== this.newestTime) {
      this.advance(seq, begin);
      this.#clearBuckets();
    }
    this.renumber(seq);
    this.#add(row);
  }

  #clearBuckets(): void {
    const slot = this.slotAt(this.ticks - 1);
    for (const { lows, highs, counts } of this.#buckets.values()) {
      lows[slot] = highs[slot] = counts[slot] = Number.NaN;
    }
  }

  #add(row: Float64Array): void {
    const slot = this.slotAt(this.ticks - 1);
    this.layout.forEach((series, place) => {
      const value = row[place];
      if (!Number.isFinite(value)) return;
      this.#combine(this.columnOf(series), this.#bucketsOf(series.key), slot, value, value, value, 1);
    });
  }
}

/**
 * The times of all answers that are in the range, with one more in each gap, so that no line crosses it.
 */
function timesOf(answers: readonly Answer[], { from, to }: Range, resolutionMs: number): Float64Array {
  const all = new Set<number>();
  for (const { times } of answers) {
    // A bucket may begin before the range.
    for (const time of times) if (time > from - resolutionMs && time < to) all.add(time);
  }
  const sorted = Float64Array.from(all).sort();
  const spaced: number[] = [];
  for (const [i, time] of sorted.entries()) {
    if (i > 0 && time - sorted[i - 1] > 2.5 * resolutionMs) spaced.push((time + sorted[i - 1]) / 2);
    spaced.push(time);
  }
  return Float64Array.from(spaced);
}
