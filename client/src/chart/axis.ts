/**
 * The range of a chart's value axis. Pure. An axis that follows every value jitters every second and is
 * unreadable; this one has round ends, grows at once and shrinks only when half of it is empty. It starts at
 * zero, unless that would flatten a line that hardly moves: then it fits close around the values.
 */
import { axisStep } from "../format";
import { timeAt, wallClock } from "../time/zone";

export interface Range {
  min: number;
  max: number;
}

export interface AxisLimits {
  /** Fixed ends, if the board declares them. */
  min?: number | null;
  max?: number | null;
  unit: string;
}

/** Values that differ by less than this share of the highest get an axis close around them … */
const CLOSE_BELOW = 0.2;
/** … and keep it until they differ by more than this. */
const CLOSE_UNTIL = 0.4;
/** A close axis shows at least this share of the highest value, so that noise stays small. */
const CLOSE_LEAST = 0.05;
/** A close axis is recomputed when the values fill less than this share of it. */
const CLOSE_FILLED = 0.3;
/** A close axis rounds its ends to a step that fits about this often into its values. */
const CLOSE_STEPS = 2;

/** Limit of axis labels. It also ends the list when a step is too small to change the sum. */
const MOST_PLACES = 50;
const SHRINK_BELOW = 0.5;
const ROUND = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** The smallest round number at or above a value; `binary` rounds in KiB, MiB and so on. */
export function roundUp(value: number, binary = false): number {
  if (!(value > 0)) return 0;
  const unit = binary ? 1024 ** Math.floor(Math.log2(value) / 10) : 1;
  const scaled = value / unit;
  if (binary) return unit * 2 ** Math.ceil(Math.log2(scaled) - 1e-9);
  const power = 10 ** Math.floor(Math.log10(scaled) + 1e-9);
  const step = ROUND.find((candidate) => candidate * power >= scaled * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** One end, as a distance from zero: `needed` covers the values, `current` is the end now. */
function end(needed: number, current: number, binary: boolean): number {
  const wanted = Math.min(Number.MAX_VALUE, roundUp(needed, binary));
  const keep = needed <= current && needed >= current * SHRINK_BELOW;
  return keep ? current : wanted;
}

/**
 * The range to draw next.
 *
 * @param current the range drawn last, null the first time.
 * @param low the lowest value in the window, NaN if there is none.
 */
export function nextRange(
  current: Range | null,
  low: number,
  high: number,
  limits: AxisLimits,
  binary = false,
): Range {
  const percent = limits.unit === "%";
  const now = current ?? { min: 0, max: 0 };
  const floor = limits.min ?? -end(Math.max(0, -low || 0), -now.min, binary);
  const above = Math.max(0, high || 0);
  const fixed = limits.max ?? (percent && above <= 100 ? 100 : null);
  const top = fixed ?? end(above, now.max, binary);
  const min = floor === 0 ? 0 : floor;
  return { min, max: top > min ? top : min + 1 };
}

/** Like `nextRange`, but fits close around values that lie far from zero and close together. */
export function automaticRange(
  current: Range | null,
  low: number,
  high: number,
  limits: AxisLimits,
  binary = false,
): Range {
  const declared = typeof limits.min === "number" || limits.unit === "%";
  const wasClose = current !== null && current.min > 0;
  const spread = (high - low) / high;
  const close = low > 0 && (wasClose ? spread < CLOSE_UNTIL : spread > 0 && spread < CLOSE_BELOW);
  if (declared || !close) return nextRange(wasClose ? null : current, low, high, limits, binary);
  return closeRange(current, low, high, limits);
}

/** The range of an axis close around the values, with round ends. */
export function closeRange(current: Range | null, low: number, high: number, limits: AxisLimits): Range {
  if (Number.isNaN(low)) return { min: 0, max: 1 };
  const least = CLOSE_LEAST * Math.max(Math.abs(low), Math.abs(high)) || 1;
  const missing = Math.max(0, least - (high - low)) / 2;
  const [from, to] = [low - missing, high + missing];
  if (current !== null && current.min <= low && high <= current.max) {
    if (to - from >= CLOSE_FILLED * (current.max - current.min)) return current;
  }
  const step = axisStep((to - from) / CLOSE_STEPS, limits.unit);
  const max = limits.max ?? Math.ceil(to / step - 1e-9) * step;
  const min = limits.min ?? Math.floor(from / step + 1e-9) * step;
  return { min: from >= 0 ? Math.max(0, min) : min, max };
}

/** The range of a logarithmic axis, from one power of ten to another; it cannot show zero or below. */
export function logRange(low: number, high: number): Range {
  if (!(high > 0)) return { min: 0.1, max: 1 };
  const max = 10 ** Math.ceil(Math.log10(high) - 1e-9);
  const min = low > 0 ? 10 ** Math.floor(Math.log10(low) + 1e-9) : max / 1e4;
  return { min: min < max ? min : max / 10, max };
}

/** The label values of a logarithmic axis: powers of ten, as many as fit. */
export function logPlaces({ min, max }: Range, room: number): number[] {
  const [first, last] = [Math.round(Math.log10(min)), Math.round(Math.log10(max))];
  const step = Math.max(1, Math.ceil((last - first) / Math.max(1, room)));
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => 10 ** (first + i * step));
}

/** The label values of an axis: round numbers, as many as fit. */
export function axisPlaces(low: number, high: number, room: number, unit: string): number[] {
  const step = axisStep((high - low) / Math.max(1, room), unit);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.min(MOST_PLACES, Math.floor(high / step + 1e-9) - first + 1);
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(16)) + 0);
}

/** The label times of an axis, in milliseconds: round by the clocks of the page's time zone. */
export function timePlaces(low: number, high: number, room: number): number[] {
  const places = axisPlaces(wallClock(low) / 1000, wallClock(high) / 1000, room, "s");
  return places
    .map((second) => timeAt(Math.round(second * 1000)))
    .filter((time) => time >= low && time <= high);
}
