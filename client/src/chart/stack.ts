/**
 * Stacked lines, in the slots of a ring. Pure. A line without a value adds nothing; where no line has a value
 * there is a gap, not a zero.
 */
import type { Band } from "./reduce";

type Column = Float64Array | undefined;

/** Reset the sums: zero at each tick, NaN where no line has a value. */
export function beginStack(columns: readonly Column[], sums: Float64Array): void {
  for (let slot = 0; slot < sums.length; slot++) {
    sums[slot] = columns.some((values) => values !== undefined && !Number.isNaN(values[slot]))
      ? 0
      : Number.NaN;
  }
}

/** Add a line on top. */
export function addToStack(values: Column, sums: Float64Array): void {
  if (values === undefined) return;
  for (let slot = 0; slot < sums.length; slot++) sums[slot] += values[slot] || 0;
}

/** The lowest and highest point of a stack, NaN if there is no value. */
export function stackExtent(columns: readonly Column[], sums: Float64Array): [low: number, high: number] {
  let [low, high] = [Number.NaN, Number.NaN];
  beginStack(columns, sums);
  for (const values of columns) {
    addToStack(values, sums);
    for (const sum of sums) {
      if (sum < low || Number.isNaN(low)) low = sum;
      if (sum > high || Number.isNaN(high)) high = sum;
    }
  }
  return [low, high];
}

/**
 * The peaks of a stack of buckets: at least so high was the sum at some instant of each. One line had its
 * highest value then, and the others had no less than their lowest.
 *
 * @param peaks receives a peak for each slot, NaN where there is no value.
 * @returns whether there are buckets.
 */
export function stackPeaks(
  columns: readonly Column[],
  bands: readonly (Band | undefined)[],
  peaks: Float64Array,
): boolean {
  if (bands.every((band) => band === undefined)) return false;
  for (let slot = 0; slot < peaks.length; slot++) {
    let [average, lowest, rise] = [Number.NaN, 0, 0];
    columns.forEach((values, i) => {
      const value = values?.[slot] ?? Number.NaN;
      if (Number.isNaN(value)) return;
      const low = bands[i]?.lows[slot] ?? Number.NaN;
      average = (average || 0) + value;
      lowest += Number.isNaN(low) ? value : low;
      // NaN where the value is a tick.
      rise = Math.max(rise, (bands[i]?.highs[slot] ?? Number.NaN) - low || 0);
    });
    peaks[slot] = Number.isNaN(average) ? Number.NaN : Math.max(average, lowest + rise);
  }
  return true;
}
