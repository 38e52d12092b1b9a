/**
 * The range of a chart's value axis. Pure. An axis that follows every value jitters once a second and can't be
 * read; this one starts at zero, has headroom, is round, grows at once and shrinks only when half of it is empty.
 */
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
  const wanted = roundUp(needed * HEADROOM, binary);
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
