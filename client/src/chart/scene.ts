/**
 * The content of a chart and its layout on the canvas: scales, label positions, margins. Pure except for the
 * canvas that measures text; nothing is drawn here.
 */
import {
  type Extent,
  formatBeside,
  formatDay,
  formatMinute,
  formatTicks,
  formatTime,
  isBinary,
} from "../format";
import { midnight } from "../time/zone";
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
import type { Band, Ring } from "./reduce";
import type { Shade } from "./shade";
import { BOLD, textWidth } from "./text";

export type Scale = "automatic" | "zero" | "close" | "log";

export interface SceneLine {
  key: string;
  /** The text of its label. */
  name: string;
  /** Index into the eight colours; null for a background line. */
  color: number | null;
  /** In slots of the ring; undefined if the series does not exist. */
  values: Float64Array | undefined;
  /** The extremes of each value's bucket; undefined if the values are ticks. */
  band?: Band;
  /** One day before, in slots of that ring. */
  before?: Float64Array;
  /** Whether all of its values are whole numbers. */
  whole: () => boolean;
  stale: boolean;
}

export interface Threshold {
  value: number;
  severity: Severity;
  label: string;
}

export interface Scene {
  ring: Ring;
  /** Changes with the ring's values. */
  version: number;
  spanMs: number;
  /** The end of the time axis, milliseconds since 1970. */
  until: number;
  lines: readonly SceneLine[];
  /** The ring of the values one day before, null if they are not drawn. */
  before: Ring | null;
  unit: string;
  limits: AxisLimits;
  scale: Scale;
  stacked: boolean;
  /** Whether the lines have labels at their ends. */
  labelled: boolean;
  thresholds: readonly Threshold[];
  shades: readonly Shade[];
  /** The keys of the highlighted lines; null for all. */
  isolated: ReadonlySet<string> | null;
  colors: Colors;
}

/** The area inside the axes, in CSS pixels. */
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
/** The axis includes a threshold only if the values reach this share of it: otherwise it flattens them. */
const THRESHOLD_NEAR = 0.5;
const SWATCH = 10;
const LABEL_GAP = 5;
const VALUE_GAP = 12;
/** Labels take at most this share of the width. */
const LABELS_AT_MOST = 0.42;

const DAY_MS = 86_400_000;

/** The range of the value axis for the values in view. */
export function rangeOf(scene: Scene, current: Range | null, low: number, high: number): Range {
  const near = scene.thresholds.map(({ value }) => value).filter((value) => high >= value * THRESHOLD_NEAR);
  const top = Math.max(high, ...near);
  const binary = isBinary(scene.unit);
  if (scene.scale === "log") return logRange(low, top);
  if (scene.scale === "close") return closeRange(current, low, high, { unit: scene.unit });
  const next = scene.scale === "zero" || scene.stacked ? nextRange : automaticRange;
  return next(current, low, top, scene.limits, binary);
}

/** The function that maps values to heights on the canvas. */
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

/** Three to five labels for the value axis. The last result is cached, since charts often share a scale. */
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

/** The labels of the time axis: with seconds if the steps need them, dates if the steps are days. */
export function timeLabels(from: number, to: number, width: number): Labels {
  let values = timePlaces(from, to, Math.max(1, width / MINUTES_SPACE));
  const step = values.length > 1 ? values[1] - values[0] : to - from;
  if (step % 60_000 !== 0) {
    values = timePlaces(from, to, Math.max(1, width / TIME_SPACE));
    return { values, texts: values.map(formatTime) };
  }
  // A day with a time change is an hour shorter.
  if (step >= DAY_MS - 3_600_000) return { values, texts: values.map(formatDay) };
  // A midnight says whose it is.
  return {
    values,
    texts: values.map((time) => (midnight(time) === time ? formatDay(time) : formatMinute(time))),
  };
}

/** The text of a value in a label, without its unit if that is the chart's. */
export function valueText(value: number, unit: string, extent?: Extent, whole?: boolean): string {
  return formatBeside(value, unit, unit, extent, whole);
}

/** The width of the labels right of the plot; null if the chart is too narrow for them. */
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

/** The width of the value axis, rounded up so that charts below each other mostly align. */
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

/** Whether two scenes look the same. It compares identities, since a changed part is a new object. */
export function isSame(one: Scene, other: Scene): boolean {
  return (
    one.ring === other.ring &&
    one.version === other.version &&
    one.until === other.until &&
    one.spanMs === other.spanMs &&
    one.lines === other.lines &&
    one.before === other.before &&
    one.shades === other.shades &&
    one.thresholds === other.thresholds &&
    one.isolated === other.isolated &&
    one.colors === other.colors &&
    one.scale === other.scale &&
    one.labelled === other.labelled
  );
}

export function colorOf({ colors }: Scene, line: SceneLine): string {
  return line.stale ? colors.ghost : line.color === null ? colors.textSoft : colors.lines[line.color];
}

/** The newest value of a line in the window; NaN if it has none. */
function lastOf({ ring }: Scene, { values }: SceneLine): number {
  if (values === undefined) return Number.NaN;
  for (let i = ring.ticks - 1; i >= 0; i--) {
    const value = values[(ring.oldest + i) % ring.times.length];
    if (!Number.isNaN(value)) return value;
  }
  return Number.NaN;
}

/** The text of a line's newest value. */
export const lastText = (scene: Scene, line: SceneLine): string =>
  valueText(lastOf(scene, line), scene.unit, undefined, line.whole());

/** The values of all lines, in slots of the ring. */
export const columnsOf = ({ lines }: Scene): (Float64Array | undefined)[] =>
  lines.map(({ values }) => values);

/** The preferred label heights: at the lines' ends, or in the middle of the layers. */
export function labelPlaces(scene: Scene, y: (value: number) => number, box: Box): number[] {
  let sum = 0;
  return scene.lines.map((line) => {
    const value = lastOf(scene, line);
    if (Number.isNaN(value)) return box.top + box.height;
    const height = y(scene.stacked ? sum + value / 2 : value);
    sum += value;
    return height;
  });
}
