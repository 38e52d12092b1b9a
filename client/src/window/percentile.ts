/** Percentiles of a few values, as the server computes them. Pure. */

/** The value below which a share of the others lies. NaN takes no part. */
export function percentile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(Array.from(values).filter((value) => !Number.isNaN(value))).sort();
  if (sorted.length === 0) return Number.NaN;
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}
