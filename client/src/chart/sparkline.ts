/**
 * A spark: one line without axes, a dot at the newest value, and thresholds. It takes values and colours; it
 * must not know stores, signals or the document around it.
 */
import type { Severity } from "../types.gen";
import type { Colors } from "./palette";
import { type Band, Points, type Ring } from "./reduce";
import type { Surface } from "./surface";

/** A threshold, in the colour of its severity. */
export interface Limit {
  value: number;
  severity: Severity;
}

export interface SparkScale {
  /** Fixed ends, if the metric declares them. */
  min?: number;
  max?: number;
  /** The least height of the scale, so that noise stays flat; undefined to start at zero. */
  least?: number;
}

export interface SparkPicture {
  ring: Ring;
  values: Float64Array;
  /** The extremes of each value's bucket; undefined if the values are ticks. */
  band?: Band;
  spanMs: number;
  /** The end of the time axis, milliseconds since 1970. */
  until: number;
  scale: SparkScale;
  /** The first is always in the range, the others if they are near. */
  limits: readonly Limit[];
  /** What fires: it colours the dot. */
  firing?: Severity;
  /** Whether the line is grey, without a dot. */
  quiet?: boolean;
  colors: Colors;
}

const PAD = 3;
const DOT = 2.25;
const WIDTH = 1.25;
const points = new Points();

/**
 * The ends of a spark's scale. Pure.
 *
 * @param limits the values of thresholds. The first one is in the range, however far it is; a higher one is if that
 *     leaves the line at least half of its height.
 */
export function sparkRange(
  low: number,
  high: number,
  { min, max, least }: SparkScale,
  limits: readonly number[] = [],
): [low: number, high: number] {
  if (least !== undefined) {
    const missing = Math.max(0, least - (high - low)) / 2;
    const [from, to] = [low - missing, high + missing];
    return to > from ? [from, to] : [from - 1, to + 1];
  }
  const from = min ?? Math.min(0, low);
  const near = Math.max(high, limits[0] ?? high);
  const to = max ?? Math.max(near, ...limits.filter((limit) => limit <= 2 * near));
  return to > from ? [from, to] : [from, from + 1];
}

export function drawSpark(surface: Surface, picture: SparkPicture): void {
  const { ring, values, band, spanMs, until, scale, limits, firing, quiet, colors } = picture;
  const context = surface.begin();
  const { width, height } = surface;
  if (band === undefined) points.take(ring, values, spanMs, width);
  else points.takeBand(ring, band, spanMs, width);
  const { times, values: drawn, length } = points;
  let low = Number.NaN;
  let high = Number.NaN;
  let last = -1;
  for (let i = 0; i < length; i++) {
    if (Number.isNaN(drawn[i])) continue;
    if (!(drawn[i] >= low)) low = drawn[i];
    if (!(drawn[i] <= high)) high = drawn[i];
    last = i;
  }
  if (last === -1) return;
  const [from, to] = sparkRange(
    low,
    high,
    scale,
    limits.map(({ value }) => value),
  );
  const x = (time: number) => width - PAD - ((until - time) / spanMs) * (width - PAD - 1);
  const y = (value: number) => height - PAD - ((value - from) / (to - from)) * (height - 2 * PAD);

  for (const { value, severity } of limits) {
    if (!(value >= from && value <= to)) continue;
    context.strokeStyle = colors.severity[severity];
    context.globalAlpha = 0.75;
    context.lineWidth = 1;
    context.setLineDash([4, 3]);
    context.beginPath();
    context.moveTo(0, surface.sharp(y(value)));
    context.lineTo(width - PAD, surface.sharp(y(value)));
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }
  context.strokeStyle = quiet ? colors.textFaint : colors.lines[0];
  context.lineWidth = WIDTH;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  for (let i = 0; i < length; i++) {
    if (Number.isNaN(drawn[i])) drawing = false;
    else if (drawing) context.lineTo(x(times[i]), y(drawn[i]));
    else {
      context.moveTo(x(times[i]), y(drawn[i]));
      drawing = true;
    }
  }
  context.stroke();
  if (quiet) return;
  context.fillStyle = firing === undefined ? colors.lines[0] : colors.severity[firing];
  context.beginPath();
  context.arc(x(times[last]), y(drawn[last]), DOT, 0, 2 * Math.PI);
  context.fill();
}
