/**
 * Parses the text messages: text in, a typed message or null out. Pure; it must not know where the text came
 * from. Unknown messages become null, never an error, since new fields and types may be added. decoder.ts
 * reads the binary messages.
 */
import type {
  Alert,
  AlertPosition,
  BoardChanged,
  Mark,
  MetricsChanged,
  ProblemList,
  SeriesChanged,
  SeriesInfo,
  SeriesList,
} from "../types.gen";

export interface Series {
  key: string;
  name: string;
  unit: string;
  labels: Readonly<Record<string, string>>;
}

/** The text messages that the page uses. */
export type TextMessage = SeriesList | SeriesChanged | BoardChanged | MetricsChanged | ProblemList;

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
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
const isListOf = (value: unknown, is: (one: unknown) => boolean): boolean =>
  Array.isArray(value) && value.every(is);
const isSeries = (value: unknown): boolean => isObject(value) && isString(value.name) && isString(value.unit);

/** Whether a message of this type has the fields that the page relies on. */
const COMPLETE: Record<TextMessage["type"], (message: Record<string, unknown>) => boolean> = {
  series: (m) =>
    Number.isFinite(m.layout) && isString(m.epoch) && Array.isArray(m.series) && m.series.every(isSeries),
  series_changed: (m) =>
    Number.isFinite(m.layout) && Number.isFinite(m.before) && isListOf(m.added ?? [], isSeries),
  board: (m) => isObject(m.board),
  metrics_changed: (m) =>
    isString(m.epoch) &&
    Number.isFinite(m.before) &&
    Number.isFinite(m.revision) &&
    isListOf(m.added ?? [], isObject) &&
    isObject(m.panels ?? {}),
  problems: (m) => Array.isArray(m.problems),
};

/** Parse a WebSocket text message; null if the page does not know it. */
export function parseServerMessage(text: unknown): TextMessage | null {
  const message = parseObject(text);
  if (message === null || !isString(message.type) || !Object.hasOwn(COMPLETE, message.type)) return null;
  const type = message.type as TextMessage["type"];
  return COMPLETE[type](message) ? (message as unknown as TextMessage) : null;
}

/** Parse the alert in an event's data; null for a heartbeat and anything else. */
export function parseAlert(text: unknown): Alert | null {
  const event = parseObject(text);
  if (event === null || "type" in event) return null;
  const complete = isString(event.id) && isString(event.message) && isString(event.timestamp);
  return complete && isString(event.severity) ? (event as unknown as Alert) : null;
}

/** Parse the mark in an event's data; null if it is invalid. */
export function parseMark(text: unknown): Mark | null {
  const event = parseObject(text);
  const complete = isString(event?.id) && isString(event.text) && isString(event.timestamp);
  return complete ? (event as unknown as Mark) : null;
}

/** Parse the data of a `position` event; null if it is invalid. */
export function parsePosition(text: unknown): AlertPosition | null {
  const event = parseObject(text);
  return event?.type === "position" && typeof event.whole === "boolean"
    ? (event as unknown as AlertPosition)
    : null;
}

/** `disk_used{mount="/"}`: one string that names a series. */
export function seriesKey(name: string, labels?: Readonly<Record<string, string>>): string {
  if (labels === undefined) return name;
  const parts = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${JSON.stringify(labels[label])}`);
  return parts.length === 0 ? name : `${name}{${parts.join(",")}}`;
}

/** Convert a message's series, in its order. */
export function seriesOf(infos: readonly SeriesInfo[]): Series[] {
  return infos.map(({ name, unit, labels = {} }) => ({
    key: seriesKey(name, labels),
    name,
    unit,
    labels,
  }));
}
