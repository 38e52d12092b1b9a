/**
 * The stats of one series over the window, computed like the server's `api/stats`. Pure. NaN means no value
 * at that tick and is skipped.
 */
export interface SeriesStats {
  avg: number;
  min: number;
  max: number;
  count: number;
  /** The newest value. */
  last: number;
}

/** @param values one series, oldest first. Without any value, the count is 0 and the rest NaN. */
export function computeStats(values: Float64Array): SeriesStats {
  let sum = 0;
  let count = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let last = Number.NaN;
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
    last = value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0) return { avg: Number.NaN, min: Number.NaN, max: Number.NaN, count, last };
  return { avg: sum / count, min, max, count, last };
}
