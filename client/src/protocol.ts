/**
 * The wire as the page understands it: text in, a typed message or nothing out. Pure; it must not know where
 * the text came from. What it does not know is nothing, never an error: new fields and message types may come.
 */
import type { Alert, Initial, Metric, Metrics, ServerMessage } from "./types.gen";

/** One tick with its samples, whichever message brought it. `time` is in milliseconds since 1970. */
export interface TickRow {
  seq: number;
  time: number;
  data: readonly Metric[];
}

function parseObject(text: unknown): Record<string, unknown> | null {
  if (typeof text !== "string") return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

const isString = (value: unknown): value is string => typeof value === "string";

/** Whether a message of this type has the fields that the page relies on. */
const COMPLETE: Record<ServerMessage["type"], (message: Record<string, unknown>) => boolean> = {
  initial: (m) =>
    Array.isArray(m.data) && Array.isArray(m.ticks) && isString(m.epoch) && Number.isFinite(m.seq),
  metrics: (m) => Array.isArray(m.data) && Number.isFinite(m.seq) && isString(m.timestamp),
  subscribed: (m) => Array.isArray(m.metrics),
  pong: () => true,
  board: (m) => typeof m.board === "object" && m.board !== null,
  problems: (m) => Array.isArray(m.problems),
};

/** The message in a WebSocket frame, or null when it is none that the page knows. */
export function parseServerMessage(text: unknown): ServerMessage | null {
  const message = parseObject(text);
  if (message === null || !isString(message.type) || !Object.hasOwn(COMPLETE, message.type)) return null;
  const type = message.type as ServerMessage["type"];
  return COMPLETE[type](message) ? (message as unknown as ServerMessage) : null;
}

/** The alert in an event's data, or null for a heartbeat and everything else that is no alert. */
export function parseAlert(text: unknown): Alert | null {
  const event = parseObject(text);
  if (event === null || "type" in event) return null;
  const complete = isString(event.id) && isString(event.message) && isString(event.timestamp);
  return complete && isString(event.severity) ? (event as unknown as Alert) : null;
}

/** The ticks of an `initial`, oldest first; a message whose counts do not add up gives what it can. */
export function ticksOf(initial: Initial): TickRow[] {
  let start = 0;
  return initial.ticks.map((tick) => {
    const data = initial.data.slice(start, start + tick.count);
    start += tick.count;
    return { seq: tick.seq, time: Date.parse(tick.timestamp), data };
  });
}

export function tickOf(message: Metrics): TickRow {
  return { seq: message.seq, time: Date.parse(message.timestamp), data: message.data };
}

/** `disk_used{mount="/"}`: how a series is called wherever one string has to name it. */
export function seriesKey(name: string, labels?: Readonly<Record<string, string>>): string {
  if (labels === undefined) return name;
  const parts = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}

/** The epoch in an event id `E:N`; an id without one, such as `0`, has the epoch "". */
export function epochOf(position: string): string {
  return position.slice(0, Math.max(0, position.lastIndexOf(":")));
}
