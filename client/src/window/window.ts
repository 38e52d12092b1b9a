/**
 * The window: the last N ticks of every series, as one Float64Array ring per series and one for the times.
 *
 *            slot   0     1     2     3
 *   times         | t4  | t5  | t2  | t3  |     head = 2: the oldest, and the next to be written
 *   cpu_usage     | 41  | NaN | 38  | 40  |     NaN: no value at that tick
 *
 * Ticks go in as they arrive, columns come out oldest first. The worker and the page each have one. It must
 * not know where ticks come from or who draws them.
 */
import type { Band } from "../chart/reduce";
import type { Amendment, Ticks } from "../link/decoder";
import type { Series } from "../link/protocol";
import { computeStats, type SeriesStats } from "./stats";

/** The extremes of a series in each bucket, and how many values it has, in slots of the window. */
export interface Buckets extends Band {
  counts: Float64Array;
}

/** A window that the worker posts to a tab: columns oldest first. */
export interface WindowSnapshot {
  epoch: string;
  capacity: number;
  intervalMs: number;
  times: Float64Array;
  seqs: Float64Array;
  series: Series[];
  columns: Float64Array[];
  /** The series of the next ticks' values, until a tick brings a new list. */
  layout: readonly Series[];
}

interface Column {
  series: Series;
  values: Float64Array;
  /** The total of written ticks when this column last got a value. */
  seen: number;
  /** Whether all values so far are whole numbers. */
  whole: boolean;
}

/** A step between ticks longer than this many intervals is a hole, even if their numbers are consecutive. */
const HOLE_INTERVALS = 2.5;

export class Window {
  epoch = "";
  /** Increases when a series appears or vanishes, so that a view can keep its list until then. */
  seriesVersion = 0;
  /** Increases with every change, so that nothing is drawn twice. */
  version = 0;
  /** For how long the last value of a series stands for its newest, which other boards may send later. */
  lateMs = 0;
  #length = 0;
  #head = 0;
  #written = 0;
  /** In memory order: see `ring`. */
  times: Float64Array;
  #seqs: Float64Array;
  readonly #columns = new Map<string, Column>();
  /** The series of the next ticks' values. */
  layout: readonly Series[] = [];
  /** The columns in layout order, which saves a lookup per value; null for a series without a column. */
  #targets: (Column | null)[] = [];

  #grows: boolean;

  /** @param grows whether it grows when it is full, until `resize` says how many ticks it keeps. */
  constructor(
    public capacity: number,
    public intervalMs: number,
    grows = false,
  ) {
    this.#grows = grows;
    this.times = new Float64Array(capacity);
    this.#seqs = new Float64Array(capacity);
  }

  get ticks(): number {
    return this.#length;
  }

  /** The newest tick's number, 0 before the first. */
  get newestSeq(): number {
    return this.#length === 0 ? 0 : this.#seqs[this.slotAt(this.#length - 1)];
  }

  /** The newest tick's time in milliseconds, NaN before the first. */
  get newestTime(): number {
    return this.#length === 0 ? Number.NaN : this.times[this.slotAt(this.#length - 1)];
  }

  /** The length of the time axis in milliseconds, and the time at its end. */
  get spanMs(): number {
    return (this.capacity - 1) * this.intervalMs;
  }

  get until(): number {
    return this.newestTime;
  }

  get series(): Series[] {
    return Array.from(this.#columns.values(), ({ series }) => series);
  }

  /** Append ticks. Ticks marked `afresh` or from another epoch replace the window. */
  take(ticks: Ticks): void {
    this.version++;
    const { epoch, afresh, series, first, times, values } = ticks;
    if (afresh || epoch !== this.epoch) this.#begin(epoch, times.length);
    if (series !== null) this.follow(series);
    const width = this.layout.length;
    times.forEach((time, tick) => {
      this.push(first + tick, time, values.subarray(tick * width, (tick + 1) * width));
    });
    this.#forgetVanished();
  }

  /** Write late values into their tick; ignored if that tick is not in the window. */
  amend({ epoch, series, seq, values }: Amendment): void {
    if (epoch !== this.epoch) return;
    this.version++;
    if (series !== null) this.follow(series);
    let index = this.#length - 1;
    while (index >= 0 && this.#seqs[this.slotAt(index)] !== seq) index--;
    if (index < 0) return;
    const slot = this.slotAt(index);
    const seen = this.#written - (this.#length - 1 - index);
    values.forEach((value, place) => {
      if (!Number.isFinite(value)) return;
      const column = this.#targets[place] ?? this.#addColumn(place, seen);
      column.values[slot] = value;
      column.whole &&= Number.isInteger(value);
      column.seen = Math.max(column.seen, seen);
    });
  }

  /** Change the capacity or the interval; keeps the newest ticks. */
  resize(capacity: number, intervalMs = this.intervalMs): void {
    this.intervalMs = intervalMs;
    this.#grows = false;
    if (capacity !== this.capacity) this.#hold(capacity);
  }

  #hold(capacity: number): void {
    this.restore({ ...this.snapshot(), capacity });
  }

  clear(): void {
    this.#length = 0;
    this.#head = 0;
    this.#columns.clear();
    this.#targets.fill(null);
    this.seriesVersion++;
    this.version++;
  }

  /** Times oldest first, milliseconds. */
  orderedTimes(): Float64Array {
    return this.ordered(this.times);
  }

  /** One series oldest first, NaN where it has no value; all NaN for an unknown series. */
  ordered(source: Float64Array | string): Float64Array {
    const ring = typeof source === "string" ? this.#columns.get(source)?.values : source;
    const out = new Float64Array(this.#length);
    if (ring === undefined) return out.fill(Number.NaN);
    const start = this.slotAt(0);
    const tail = Math.min(this.#length, this.capacity - start);
    out.set(ring.subarray(start, start + tail));
    out.set(ring.subarray(0, this.#length - tail), tail);
    return out;
  }

  /**
   * One series in memory order, without a copy: values start at `oldest` and wrap around. Undefined for an
   * unknown series.
   */
  ring(key: string): Float64Array | undefined {
    return this.#columns.get(key)?.values;
  }

  /** The slot of the oldest tick. */
  get oldest(): number {
    return this.slotAt(0);
  }

  has(key: string): boolean {
    return this.#columns.has(key);
  }

  /** The stats of a series over the window. */
  statsOf(key: string): SeriesStats {
    return computeStats(this.ordered(key));
  }

  /** Whether all values of a series are whole numbers. Once false, it stays so while the series has values. */
  isWhole(key: string): boolean {
    return this.#columns.get(key)?.whole ?? false;
  }

  /** The buckets of a series; undefined if its values are ticks. */
  bandOf(_key: string): Buckets | undefined {
    return undefined;
  }

  /** The value of a series at the newest tick, or the last one of `lateMs`; NaN if it has none. */
  newest(key: string): number {
    const values = this.#columns.get(key)?.values;
    for (let index = this.#length - 1; values !== undefined && index >= 0; index--) {
      const slot = this.slotAt(index);
      const ageMs = this.newestTime - this.times[slot];
      if (ageMs > 0 && ageMs >= this.lateMs) break;
      if (!Number.isNaN(values[slot])) return values[slot];
    }
    return Number.NaN;
  }

  /**
   * The ticks of a series with after < time <= until, in milliseconds, oldest first; NaN where it has no
   * value.
   */
  between(key: string, after: number, until: number): { times: number[]; values: number[] } {
    const ring = this.#columns.get(key)?.values;
    const slots: number[] = [];
    for (let index = this.#length - 1; index >= 0; index--) {
      const slot = this.slotAt(index);
      if (this.times[slot] <= after) break;
      if (this.times[slot] <= until) slots.push(slot);
    }
    slots.reverse();
    return {
      times: slots.map((slot) => this.times[slot]),
      values: slots.map((slot) => ring?.[slot] ?? Number.NaN),
    };
  }

  /** The highest value of a series in the window, NaN if it has none. */
  highest(key: string): number {
    let high = Number.NaN;
    for (const value of this.#columns.get(key)?.values ?? [])
      if (!(value <= high) && !Number.isNaN(value)) high = value;
    return high;
  }

  /** The average of a series over the window, NaN if it has no value. */
  average(key: string): number {
    let sum = 0;
    let count = 0;
    // The order does not matter, and unwritten slots are NaN.
    for (const value of this.#columns.get(key)?.values ?? []) {
      if (Number.isNaN(value)) continue;
      sum += value;
      count++;
    }
    return count === 0 ? Number.NaN : sum / count;
  }

  snapshot(): WindowSnapshot {
    const { series } = this;
    return {
      epoch: this.epoch,
      capacity: this.capacity,
      intervalMs: this.intervalMs,
      times: this.orderedTimes(),
      seqs: this.ordered(this.#seqs),
      series,
      columns: series.map(({ key }) => this.ordered(key)),
      layout: this.layout,
    };
  }

  /** An independent copy. */
  copy(): Window {
    const copy = new Window(this.capacity, this.intervalMs);
    copy.restore(this.snapshot());
    copy.seriesVersion = this.seriesVersion;
    return copy;
  }

  /** Load a snapshot; keeps its newest ticks if they exceed the capacity. */
  restore(snapshot: WindowSnapshot): void {
    const { capacity, times, seqs } = snapshot;
    const known = new Map(Array.from(this.#columns, ([key, { series }]) => [key, series]));
    this.clear();
    this.epoch = snapshot.epoch;
    this.capacity = capacity;
    this.intervalMs = snapshot.intervalMs;
    const from = Math.max(0, times.length - capacity);
    const resized = (column: Float64Array, empty: number): Float64Array => {
      const ring = new Float64Array(capacity).fill(empty);
      ring.set(column.subarray(from));
      return ring;
    };
    this.times = resized(times, 0);
    this.#seqs = resized(seqs, 0);
    this.#length = times.length - from;
    this.#written = this.#length;
    this.#head = this.#length % capacity;
    snapshot.series.forEach((posted, i) => {
      const values = resized(snapshot.columns[i], Number.NaN);
      // A posted snapshot holds copies. Keep the known series object so that its views are not rebuilt.
      const before = known.get(posted.key);
      const series = before?.unit === posted.unit ? before : posted;
      const whole = values.every((value) => value % 1 === 0 || Number.isNaN(value));
      this.#columns.set(series.key, { series, values, seen: this.#written, whole });
    });
    this.follow(snapshot.layout);
  }

  #begin(epoch: string, ticks: number): void {
    this.clear();
    this.epoch = epoch;
    if (ticks > this.capacity) this.#hold(ticks);
  }

  /** Set the layout and find the target columns for the next ticks. */
  protected follow(layout: readonly Series[]): void {
    this.layout = layout;
    this.#targets = layout.map(({ key }) => this.#columns.get(key) ?? null);
  }

  /** Add a tick. Drops one that is not newer than the newest; missed ticks become a hole. */
  protected push(seq: number, time: number, row: Float64Array): void {
    if (this.#length > 0) {
      if (seq <= this.newestSeq) return;
      this.#leaveHole(seq, time);
    }
    this.advance(seq, time);
    this.#write(row);
  }

  /** The slot of a tick, oldest first. */
  protected slotAt(index: number): number {
    return (this.#head - this.#length + index + this.capacity) % this.capacity;
  }

  /** Number the newest tick anew. */
  protected renumber(seq: number): void {
    this.#seqs[this.slotAt(this.#length - 1)] = seq;
  }

  /** The column of a series, in memory order; added if it is new. Call `follow` once all are added. */
  protected columnOf(series: Series): Float64Array {
    const known = this.#columns.get(series.key);
    if (known !== undefined) {
      known.seen = this.#written;
      return known.values;
    }
    const values = new Float64Array(this.capacity).fill(Number.NaN);
    this.#columns.set(series.key, { series, values, seen: this.#written, whole: true });
    this.seriesVersion++;
    return values;
  }

  protected advance(seq: number, time: number): void {
    if (this.#grows && this.#length === this.capacity) this.#hold(2 * this.capacity);
    this.times[this.#head] = time;
    this.#seqs[this.#head] = seq;
    for (const column of this.#columns.values()) column.values[this.#head] = Number.NaN;
    this.#head = (this.#head + 1) % this.capacity;
    this.#length = Math.min(this.#length + 1, this.capacity);
    this.#written++;
  }

  /** An infinite value leaves a gap like a missing one, but its series gets a column. */
  #write(row: Float64Array): void {
    const slot = this.slotAt(this.#length - 1);
    for (let place = 0; place < row.length; place++) {
      const value = row[place];
      if (Number.isNaN(value)) continue;
      const column = this.#targets[place] ?? this.#addColumn(place);
      column.values[slot] = Number.isFinite(value) ? value : Number.NaN;
      column.whole &&= value % 1 === 0 || !Number.isFinite(value);
      column.seen = this.#written;
    }
  }

  #addColumn(place: number, seen = this.#written): Column {
    const series = this.layout[place];
    const values = new Float64Array(this.capacity).fill(Number.NaN);
    const column = { series, values, seen, whole: true };
    this.#columns.set(series.key, column);
    this.#targets[place] = column;
    this.seriesVersion++;
    return column;
  }

  /** Fill the time between the newest tick and the next with evenly spaced rows without values or numbers. */
  #leaveHole(nextSeq: number, nextTime: number): void {
    const time = this.newestTime;
    const seq = this.newestSeq;
    const late = nextTime - time > HOLE_INTERVALS * this.intervalMs;
    const missed = Math.min(Math.max(nextSeq - seq - 1, late ? 1 : 0), this.capacity - 1);
    const step = (nextTime - time) / (missed + 1);
    for (let i = 1; i <= missed; i++) this.advance(Number.NaN, time + i * step);
  }

  /** Remove series with no value left in the window, such as those of a stopped container. */
  #forgetVanished(): void {
    const before = this.#columns.size;
    for (const [key, { seen }] of this.#columns) {
      if (this.#written - seen >= this.capacity) this.#columns.delete(key);
    }
    if (this.#columns.size === before) return;
    this.follow(this.layout);
    this.seriesVersion++;
  }
}
