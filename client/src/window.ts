/**
 * The window: the last N ticks of every series, as one Float64Array ring per series and one for the times.
 *
 *            slot   0     1     2     3
 *   times         | t4  | t5  | t2  | t3  |     head = 2: the oldest, and the next to be written
 *   cpu_usage     | 41  | NaN | 38  | 40  |     NaN: no value at that tick
 *
 * It takes messages in the order they came and gives columns, oldest first. It must not know where messages
 * come from nor who draws them; the worker and the page each have one.
 */
import { seriesKey, type TickRow, tickOf, ticksOf } from "./protocol";
import type { Initial, Metric, Metrics } from "./types.gen";

export interface Series {
  key: string;
  name: string;
  unit: string;
  labels: Readonly<Record<string, string>>;
}

/** A window as it is posted from the worker to a tab: columns oldest first. */
export interface WindowSnapshot {
  epoch: string;
  capacity: number;
  intervalMs: number;
  times: Float64Array;
  seqs: Float64Array;
  series: Series[];
  columns: Float64Array[];
}

interface Column extends Series {
  values: Float64Array;
  /** How many ticks had been written in all when this one last had a value. */
  seen: number;
}

/** A step between two ticks longer than this many intervals is a hole, whatever their numbers say. */
const HOLE_INTERVALS = 2.5;

export class Window {
  epoch = "";
  /** Goes up when a series appears or goes away, so that a view can keep its list till then. */
  seriesVersion = 0;
  private length = 0;
  private head = 0;
  private written = 0;
  private times: Float64Array;
  private seqs: Float64Array;
  private readonly columns = new Map<string, Column>();

  constructor(
    public capacity: number,
    public intervalMs: number,
  ) {
    this.times = new Float64Array(capacity);
    this.seqs = new Float64Array(capacity);
  }

  get ticks(): number {
    return this.length;
  }

  /** The newest tick's number, 0 before the first. */
  get newestSeq(): number {
    return this.length === 0 ? 0 : this.seqs[this.slot(this.length - 1)];
  }

  /** The newest tick's time in milliseconds, NaN before the first. */
  get newestTime(): number {
    return this.length === 0 ? Number.NaN : this.times[this.slot(this.length - 1)];
  }

  get series(): Series[] {
    return [...this.columns.values()];
  }

  /** Take an `initial`: what was missed when it is resumed, else the whole window in place of this one. */
  initial(message: Initial): void {
    if (!message.resumed || message.epoch !== this.epoch) {
      this.clear();
      this.epoch = message.epoch;
      if (message.ticks.length > this.capacity) this.resize(message.ticks.length);
    }
    for (const row of ticksOf(message)) this.push(row);
  }

  metrics(message: Metrics): void {
    this.push(tickOf(message));
  }

  /** Add a tick. One that is not newer than the newest is a double and left out; missed ones become a hole. */
  push(row: TickRow): void {
    if (this.length > 0) {
      if (row.seq <= this.newestSeq) return;
      this.leaveHole(row);
    }
    this.advance(row.seq, row.time);
    for (const metric of row.data) this.set(metric);
    this.forgetVanished();
  }

  /** Change the size or the interval and keep the newest ticks. */
  resize(capacity: number, intervalMs = this.intervalMs): void {
    this.intervalMs = intervalMs;
    if (capacity === this.capacity) return;
    const kept = this.snapshot();
    this.restore({ ...kept, capacity });
  }

  clear(): void {
    this.length = 0;
    this.head = 0;
    this.columns.clear();
    this.seriesVersion++;
  }

  /** Times oldest first, milliseconds. */
  orderedTimes(): Float64Array {
    return this.ordered(this.times);
  }

  /** One series oldest first, NaN where it has no value; all NaN for a series that is not there. */
  ordered(source: Float64Array | string): Float64Array {
    const ring = typeof source === "string" ? this.columns.get(source)?.values : source;
    const out = new Float64Array(this.length);
    if (ring === undefined) return out.fill(Number.NaN);
    const start = this.slot(0);
    const tail = Math.min(this.length, this.capacity - start);
    out.set(ring.subarray(start, start + tail));
    out.set(ring.subarray(0, this.length - tail), tail);
    return out;
  }

  snapshot(): WindowSnapshot {
    const series = this.series.map(({ key, name, unit, labels }) => ({ key, name, unit, labels }));
    return {
      epoch: this.epoch,
      capacity: this.capacity,
      intervalMs: this.intervalMs,
      times: this.orderedTimes(),
      seqs: this.ordered(this.seqs),
      series,
      columns: series.map(({ key }) => this.ordered(key)),
    };
  }

  /** The same ticks, which from now on do not change with this window. */
  copy(): Window {
    const copy = new Window(this.capacity, this.intervalMs);
    copy.restore(this.snapshot());
    copy.seriesVersion = this.seriesVersion;
    return copy;
  }

  /** Become the window of a snapshot; its newest ticks when it has more than the capacity. */
  restore(snapshot: WindowSnapshot): void {
    const { capacity, times, seqs } = snapshot;
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
    this.seqs = resized(seqs, 0);
    this.length = times.length - from;
    this.written = this.length;
    this.head = this.length % capacity;
    snapshot.series.forEach((series, i) => {
      const values = resized(snapshot.columns[i], Number.NaN);
      this.columns.set(series.key, { ...series, values, seen: this.written });
    });
  }

  private slot(index: number): number {
    return (this.head - this.length + index + this.capacity) % this.capacity;
  }

  private advance(seq: number, time: number): void {
    this.times[this.head] = time;
    this.seqs[this.head] = seq;
    for (const column of this.columns.values()) column.values[this.head] = Number.NaN;
    this.head = (this.head + 1) % this.capacity;
    this.length = Math.min(this.length + 1, this.capacity);
    this.written++;
  }

  private set(metric: Metric): void {
    const key = seriesKey(metric.name, metric.labels);
    const column = this.columns.get(key) ?? this.addColumn(key, metric);
    column.values[this.slot(this.length - 1)] = metric.value ?? Number.NaN;
    column.seen = this.written;
  }

  private addColumn(key: string, metric: Metric): Column {
    const { name, unit, labels = {} } = metric;
    const values = new Float64Array(this.capacity).fill(Number.NaN);
    const column = { key, name, unit, labels, values, seen: this.written };
    this.columns.set(key, column);
    this.seriesVersion++;
    return column;
  }

  /** Rows without values between the newest tick and the next, spread over the time between them. */
  private leaveHole(next: TickRow): void {
    const time = this.newestTime;
    const seq = this.newestSeq;
    const late = next.time - time > HOLE_INTERVALS * this.intervalMs;
    const missed = Math.min(Math.max(next.seq - seq - 1, late ? 1 : 0), this.capacity - 1);
    const step = (next.time - time) / (missed + 1);
    for (let i = 1; i <= missed; i++) this.advance(Math.min(seq + i, next.seq - 1), time + i * step);
  }

  /** A series without one value left in the window is no series any more: a container that was stopped. */
  private forgetVanished(): void {
    for (const [key, column] of this.columns) {
      if (this.written - column.seen < this.capacity) continue;
      this.columns.delete(key);
      this.seriesVersion++;
    }
  }
}
