/**
 * The stats of one series over the window, as the server computes them for `api/stats`. Pure: a column in, one
 * value each out. NaN is "no value at that tick" and takes part in nothing.
 */
export interface SeriesStats {
  avg: number;
  min: number;
  max: number;
  count: number;
  /** The newest value there is. */
  last: number;
}

/** @param values one series, oldest first. With no value at all the count is 0 and the rest NaN. */
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
