/**
 * The range of a chart's value axis. Pure. An axis that follows every value jitters once a second and can't be
 * read; this one starts at zero, has headroom, is round, grows at once and shrinks only when half of it is empty.
 */
import { axisStep } from "../format";

export interface Range {
  min: number;
  max: number;
}

export interface AxisLimits {
  /** Fixed ends, where the board declares them. */
  min?: number | null;
  max?: number | null;
  unit: string;
}

/** More would be a wall, and a step so small that it changes nothing would never end. */
const MOST_PLACES = 50;
const HEADROOM = 1.1;
const SHRINK_BELOW = 0.5;
const ROUND = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** The next round number that is not less; with a base of 1024, round in KiB, MiB and so on. */
export function roundUp(value: number, binary = false): number {
  if (!(value > 0)) return 0;
  const unit = binary ? 1024 ** Math.floor(Math.log2(value) / 10) : 1;
  const scaled = value / unit;
  if (binary) return unit * 2 ** Math.ceil(Math.log2(scaled) - 1e-9);
  const power = 10 ** Math.floor(Math.log10(scaled) + 1e-9);
  const step = ROUND.find((candidate) => candidate * power >= scaled * (1 - 1e-9)) ?? 10;
  return step * power;
}

/** One end, as a distance from zero: `needed` is how far the values go, `current` where the end is now. */
function end(needed: number, current: number, binary: boolean): number {
  const wanted = Math.min(Number.MAX_VALUE, roundUp(Math.min(needed * HEADROOM, Number.MAX_VALUE), binary));
  const keep = needed <= current && needed * HEADROOM >= current * SHRINK_BELOW;
  return keep ? current : wanted;
}

/**
 * The range to draw next.
 *
 * @param current the range drawn last, null the first time.
 * @param low the least value in the window, NaN when there is none.
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

/** Where the labels of an axis stand: at round values, no more of them than there is room for. */
export function axisPlaces(low: number, high: number, room: number, unit: string): number[] {
  const step = axisStep((high - low) / Math.max(1, room), unit);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.min(MOST_PLACES, Math.floor(high / step + 1e-9) - first + 1);
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(16)) + 0);
}

/** The same of times in milliseconds: round by the viewer's clock. */
export function timePlaces(low: number, high: number, room: number): number[] {
  const zone = new Date(high).getTimezoneOffset() * 60;
  const places = axisPlaces(low / 1000 - zone, high / 1000 - zone, room, "s");
  return places.map((second) => Math.round((second + zone) * 1000));
}
