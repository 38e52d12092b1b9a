/**
 * What a chart shows, and where on its canvas that lies: scales, places of labels, room for them. Pure but for the
 * canvas that measures texts; nothing is drawn here.
 */
import { type Extent, formatBeside, formatTicks, isBinary } from "../format";
import type { Severity } from "../types.gen";
import {
  type AxisLimits,
  automaticRange,
  axisPlaces,
  closeRange,
  logPlaces,
  logRange,
  nextRange,
  type Range,
  timePlaces,
} from "./axis";
import type { Colors } from "./palette";
import type { Ring } from "./reduce";
import type { Shade } from "./shade";
import { BOLD, textWidth } from "./text";

export type Scale = "automatic" | "zero" | "close" | "log";

export interface SceneLine {
  key: string;
  /** What its label says. */
  name: string;
  /** Its place among the eight colours; null for a line in the background. */
  color: number | null;
  /** In slots of the ring; undefined when the series is not there. */
  values: Float64Array | undefined;
  stale: boolean;
}

export interface Threshold {
  value: number;
  severity: Severity;
  label: string;
}

export interface Scene {
  ring: Ring;
  /** Changes whenever the ring's values do. */
  version: number;
  spanMs: number;
  lines: readonly SceneLine[];
  unit: string;
  limits: AxisLimits;
  scale: Scale;
  stacked: boolean;
  /** Whether the lines have labels at their ends. */
  labelled: boolean;
  thresholds: readonly Threshold[];
  shades: readonly Shade[];
  /** The keys of the lines that stand out; null for all. */
  isolated: ReadonlySet<string> | null;
  colors: Colors;
}

/** The inside of the axes, in pixels of the style sheet. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const TOP = 8;
const BOTTOM = 22;
const RIGHT = 6;
/** Between an axis' labels and the plot. */
const AXIS_GAP = 8;
const AXIS_AT_LEAST = 28;
const LINE_HEIGHT = 36;
const MOST_STEPS = 4;
const TIME_SPACE = 84;
const MINUTES_SPACE = 64;
/** A rule's threshold is drawn when the values come this near to it; else it would press them flat. */
const THRESHOLD_NEAR = 0.5;
const SWATCH = 10;
const LABEL_GAP = 5;
const VALUE_GAP = 12;
/** Labels take at most this share of the width. */
const LABELS_AT_MOST = 0.42;

const SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTES = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_MS = 86_400_000;
const DAYS = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

/** The range of the value axis for what is seen. */
export function rangeOf(scene: Scene, current: Range | null, low: number, high: number): Range {
  const near = scene.thresholds.map(({ value }) => value).filter((value) => high >= value * THRESHOLD_NEAR);
  const top = Math.max(high, ...near);
  const binary = isBinary(scene.unit);
  if (scene.scale === "log") return logRange(low, top);
  if (scene.scale === "close") return closeRange(current, low, high, { unit: scene.unit });
  const next = scene.scale === "zero" || scene.stacked ? nextRange : automaticRange;
  return next(current, low, top, scene.limits, binary);
}

/** A function from values to heights on the canvas. */
export function valueScale({ min, max }: Range, box: Box, logarithmic: boolean): (value: number) => number {
  const bottom = box.top + box.height;
  if (!logarithmic) {
    const factor = box.height / (max - min);
    return (value) => bottom - (value - min) * factor;
  }
  const [low, factor] = [Math.log(min), box.height / Math.log(max / min)];
  return (value) => (value > 0 ? bottom - (Math.log(value) - low) * factor : bottom);
}

export interface Labels {
  values: readonly number[];
  texts: readonly string[];
}

let lastAxis: { key: string; labels: Labels } | null = null;

/** The labels of the value axis: three to five of them. Charts of one scale follow each other, so the last is kept. */
export function axisLabels(range: Range, height: number, unit: string, logarithmic: boolean): Labels {
  const room = Math.max(2, Math.min(MOST_STEPS, Math.floor(height / LINE_HEIGHT)));
  const key = `${range.min} ${range.max} ${room} ${unit} ${logarithmic}`;
  if (lastAxis?.key === key) return lastAxis.labels;
  const values = logarithmic ? logPlaces(range, room) : axisPlaces(range.min, range.max, room, unit);
  const texts = logarithmic
    ? values.map((value) => formatTicks([value], unit)[0])
    : formatTicks(values, unit);
  // The unit is in the title.
  const labels = { values, texts: texts.map((text) => (unit === "%" ? text.replace(/%$/, "") : text)) };
  lastAxis = { key, labels };
  return labels;
}

/** The labels of the time axis: seconds only where the steps need them, the day where they are days. */
export function timeLabels(from: number, to: number, width: number): Labels {
  let values = timePlaces(from, to, Math.max(1, width / MINUTES_SPACE));
  const step = values.length > 1 ? values[1] - values[0] : to - from;
  if (step % 60_000 !== 0) {
    values = timePlaces(from, to, Math.max(1, width / TIME_SPACE));
    return { values, texts: values.map((time) => SECONDS.format(time)) };
  }
  const format = step >= DAY_MS ? DAYS : MINUTES;
  return { values, texts: values.map((time) => format.format(time)) };
}

/** What a label says of a value: its unit only where that is not the chart's. */
export function valueText(value: number, unit: string, extent?: Extent): string {
  return formatBeside(value, unit, unit, extent);
}

/** The room that labels need right of the plot; null when there is not enough for them to be read. */
export function labelsWidth(
  context: CanvasRenderingContext2D,
  lines: readonly { name: string }[],
  values: readonly string[],
  width: number,
): number | null {
  const name = Math.max(...lines.map((line) => textWidth(context, line.name)));
  const value = Math.max(...values.map((text) => textWidth(context, text, BOLD)));
  const needed = AXIS_GAP + SWATCH + LABEL_GAP + name + VALUE_GAP + value + 2;
  return needed <= width * LABELS_AT_MOST ? Math.ceil(needed / 8) * 8 : null;
}

/** The room of the axis' labels, in steps, so that charts below each other mostly begin at one place. */
export function axisWidth(context: CanvasRenderingContext2D, texts: readonly string[]): number {
  const longest = Math.max(0, ...texts.map((text) => textWidth(context, text)));
  return Math.max(AXIS_AT_LEAST, Math.ceil((longest + AXIS_GAP) / 4) * 4);
}

export function boxOf(width: number, height: number, left: number, right: number): Box {
  return {
    left,
    top: TOP,
    width: Math.max(1, width - left - Math.max(RIGHT, right)),
    height: Math.max(1, height - TOP - BOTTOM),
  };
}

export const LABEL = { SWATCH, GAP: LABEL_GAP, FROM_PLOT: AXIS_GAP };
