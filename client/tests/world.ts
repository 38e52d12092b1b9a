/** A clock that a test steps, sockets that it speaks through, and short ways to make messages. */
import type { Events, MessageLike } from "../src/alertstream";
import type { Clock } from "../src/clock";
import type { Socket } from "../src/connection";
import type { Alert, Board, Initial, Metric, Metrics } from "../src/types.gen";

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

  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
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
  private onresolved: ((event: MessageLike) => void) | null = null;

  constructor(readonly url: string) {}

  addEventListener(_type: "resolved", listener: (event: MessageLike) => void): void {
    this.onresolved = listener;
  }

  close(): void {
    this.closed = true;
  }

  open(): void {
    this.onopen?.(undefined as never);
  }

  say(data: unknown, lastEventId: string, name: "message" | "resolved" = "message"): void {
    const listener = name === "message" ? this.onmessage : this.onresolved;
    listener?.({ data: JSON.stringify(data), lastEventId });
  }

  fail(): void {
    this.onerror?.(undefined as never);
  }
}

export const at = (seq: number): string => new Date(seq * 1000).toISOString();

export const metric = (
  name: string,
  value: number,
  seq: number,
  labels?: Record<string, string>,
): Metric => ({
  name,
  value,
  unit: "%",
  timestamp: at(seq),
  ...(labels ? { labels } : {}),
});

export const tick = (seq: number, values: Record<string, number>): Metrics => ({
  type: "metrics",
  seq,
  timestamp: at(seq),
  data: Object.entries(values).map(([name, value]) => metric(name, value, seq)),
});

export const initial = (epoch: string, ticks: Metrics[], resumed = false): Initial => ({
  type: "initial",
  epoch,
  seq: ticks.at(-1)?.seq ?? 0,
  data: ticks.flatMap(({ data }) => data),
  ticks: ticks.map(({ seq, timestamp, data }) => ({ seq, timestamp, count: data.length })),
  ...(resumed ? { resumed } : {}),
});

export const alert = (id: string, more: Partial<Alert> = {}): Alert => ({
  id,
  message: `alert ${id}`,
  severity: "warning",
  timestamp: at(1),
  ...more,
});

export const board = (epoch: string): Board => ({
  title: "Live Dashboard",
  epoch,
  interval_ms: 1000,
  window_size: 60,
  version: "0",
  metrics: [],
  panels: [],
});
