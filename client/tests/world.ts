/** A clock that a test steps, sockets that it speaks through, and short ways to make messages. */
import type { EventName, Events, MessageLike } from "../src/link/alertstream";
import type { Socket } from "../src/link/connection";
import type { Amendment, Ticks } from "../src/link/decoder";
import { type Series, seriesKey } from "../src/link/protocol";
import type { Clock } from "../src/time/clock";
import type { Alert, BoardInfo, MetricInfo, SeriesList } from "../src/types.gen";

export class TestClock implements Clock {
  time = 1_000_000;
  private timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { at: this.time + milliseconds, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  random(): number {
    return 1;
  }

  /** Let time pass, and what is due happen in its order. */
  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((other) => other !== due);
      this.time = due.at;
      due.callback();
    }
    this.time = end;
  }
}

export class TestSocket implements Socket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  sent: string[] = [];
  closed = false;

  constructor(readonly url: string) {}

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.(undefined as never);
  }

  /** Say a message: bytes as they are, anything else as JSON. */
  say(message: unknown): void {
    this.onmessage?.({ data: message instanceof ArrayBuffer ? message : JSON.stringify(message) });
  }

  /** Say what the ticks are of, and then them as a window. */
  sayWindow(ticks: Ticks): void {
    this.say(seriesList(ticks.series ?? [], ticks.epoch));
    this.say(windowBytes(ticks));
  }

  end(): void {
    this.onclose?.(undefined as never);
  }
}

export class TestEvents implements Events {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: MessageLike) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  closed = false;
  private readonly named = new Map<EventName, (event: MessageLike) => void>();

  constructor(readonly url: string) {}

  addEventListener(type: EventName, listener: (event: MessageLike) => void): void {
    this.named.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.(undefined as never);
  }

  say(data: unknown, lastEventId: string, name: EventName | "message" = "message"): void {
    const listener = name === "message" ? this.onmessage : this.named.get(name);
    listener?.({ data: JSON.stringify(data), lastEventId });
  }

  /** Say where the stream is, in the epoch `e`. */
  place(number: number, whole: boolean): void {
    this.say({ type: "position", epoch: "e", number, whole }, `e-${number}`, "position");
  }

  fail(): void {
    this.onerror?.(undefined as never);
  }
}

export const at = (seq: number): string => new Date(seq * 1000).toISOString();

export const series = (name: string, labels: Record<string, string> = {}): Series => ({
  key: seriesKey(name, labels),
  name,
  unit: "%",
  labels,
});

/** Ticks of the epoch `e`, one second after another: the values of each, in the order of the series. */
export const ticks = (
  of: readonly Series[],
  first: number,
  rows: readonly number[][],
  more: Partial<Ticks> = {},
): Ticks => ({
  type: "ticks",
  epoch: "e",
  afresh: false,
  series: of,
  first,
  times: Float64Array.from(rows, (_, i) => (first + i) * 1000),
  values: Float64Array.from(rows.flat()),
  ...more,
});

export const tick = (seq: number, values: Record<string, number>): Ticks =>
  ticks(
    Object.keys(values).map((name) => series(name)),
    seq,
    [Object.values(values)],
  );

/** A window of ticks that follow one another, each made by `tick`: of every series that one of them has. */
export const windowOf = (epoch: string, parts: readonly Ticks[], resumed = false): Ticks => {
  const all = new Map(parts.flatMap((part) => (part.series ?? []).map((one) => [one.key, one])));
  const valueAt = (part: Ticks, key: string): number =>
    part.values[part.series?.findIndex((one) => one.key === key) ?? -1] ?? Number.NaN;
  const rows = parts.map((part) => Array.from(all.keys(), (key) => valueAt(part, key)));
  return ticks([...all.values()], parts[0]?.first ?? 1, rows, { epoch, afresh: !resumed });
};

export const seriesList = (all: readonly Series[], epoch = "e", layout = 1): SeriesList => ({
  type: "series",
  layout,
  epoch,
  series: all.map(({ name, unit, labels }) =>
    Object.keys(labels).length > 0 ? { name, unit, labels } : { name, unit },
  ),
});

/** The bytes of a window, as docs/protocol.md lays them out. */
export function windowBytes(ticks: Ticks, layout = 1, skipped = 0): ArrayBuffer {
  const { first, times, values } = ticks;
  const bytes = new DataView(new ArrayBuffer(24 + 8 * times.length + 8 * values.length));
  bytes.setUint8(0, 1);
  bytes.setUint8(1, ticks.afresh ? 0 : 1);
  bytes.setUint32(4, layout, true);
  bytes.setBigUint64(8, BigInt(first), true);
  bytes.setUint32(16, times.length, true);
  bytes.setUint32(20, skipped, true);
  times.forEach((time, i) => {
    bytes.setFloat64(24 + 8 * i, time, true);
  });
  values.forEach((value, i) => {
    bytes.setFloat64(24 + 8 * times.length + 8 * i, value, true);
  });
  return bytes.buffer;
}

/** The bytes of a tick. */
export function tickBytes(ticks: Ticks, layout = 1): ArrayBuffer {
  const bytes = new DataView(new ArrayBuffer(24 + 8 * ticks.values.length));
  bytes.setUint8(0, 2);
  bytes.setUint32(4, layout, true);
  bytes.setBigUint64(8, BigInt(ticks.first), true);
  bytes.setFloat64(16, ticks.times[0], true);
  ticks.values.forEach((value, i) => {
    bytes.setFloat64(24 + 8 * i, value, true);
  });
  return bytes.buffer;
}

/** The bytes of an amendment of a tick: it is laid out as one. */
export function amendedBytes(ticks: Ticks, layout = 1): ArrayBuffer {
  const bytes = tickBytes(ticks, layout);
  new DataView(bytes).setUint8(0, 3);
  return bytes;
}

export const amendment = (seq: number, values: Record<string, number>): Amendment => ({
  type: "amended",
  epoch: "e",
  series: Object.keys(values).map((name) => series(name)),
  seq,
  values: Float64Array.from(Object.values(values)),
});

export const alert = (id: string, more: Partial<Alert> = {}): Alert => ({
  id,
  message: `alert ${id}`,
  severity: "warning",
  timestamp: at(1),
  ...more,
});

export const metric = (name: string, more: Partial<MetricInfo> = {}): MetricInfo => ({
  name,
  title: name.toUpperCase(),
  unit: "%",
  kind: "gauge",
  ...more,
});

export const board = (epoch: string, more: Partial<BoardInfo> = {}): BoardInfo => ({
  title: "Live Dashboard",
  epoch,
  interval_ms: 1000,
  window_size: 60,
  version: "0",
  metrics: [],
  panels: [],
  ...more,
});

/** The bytes of an answer of history, as docs/protocol.md has them; a series' columns are min, max, avg, count. */
export function historyBytes(
  range: { from: number; to: number; resolutionMs: number },
  times: readonly number[],
  series: {
    name: string;
    unit?: string;
    labels?: Record<string, string>;
    first?: number;
    columns: (readonly number[])[];
  }[],
): ArrayBuffer {
  const parts = series.map(({ name, unit = "%", labels, columns }) => {
    const text = new TextEncoder().encode(JSON.stringify({ name, unit, labels }));
    return { text, size: 16 + 8 * Math.ceil(text.length / 8) + 8 * columns.length * columns[0].length };
  });
  const data = new ArrayBuffer(40 + 8 * times.length + parts.reduce((sum, { size }) => sum + size, 0));
  const view = new DataView(data);
  new Uint8Array(data).set(new TextEncoder().encode("TBH1"));
  view.setFloat64(8, range.from, true);
  view.setFloat64(16, range.to, true);
  view.setFloat64(24, range.resolutionMs, true);
  view.setUint32(32, series.length, true);
  view.setUint32(36, times.length, true);
  new Float64Array(data, 40, times.length).set(times);
  let at = 40 + 8 * times.length;
  series.forEach(({ first = 0, columns }, i) => {
    const { text, size } = parts[i];
    view.setUint32(at, first, true);
    view.setUint32(at + 4, columns[0].length, true);
    view.setUint32(at + 8, text.length, true);
    view.setUint8(at + 12, columns.length === 1 ? 0 : 1);
    new Uint8Array(data, at + 16, text.length).set(text);
    columns.forEach((column, place) => {
      const begin = at + 16 + 8 * Math.ceil(text.length / 8) + 8 * place * column.length;
      new Float64Array(data, begin, column.length).set(column);
    });
    at += size;
  });
  return data;
}

/** History's answer with the ticks of one series. */
export const historyAnswer = (
  name: string,
  unit: string,
  times: readonly number[],
  values: readonly number[],
): ArrayBuffer =>
  historyBytes({ from: times[0], to: times.at(-1) ?? 0, resolutionMs: 1000 }, times, [
    { name, unit, columns: [values] },
  ]);
