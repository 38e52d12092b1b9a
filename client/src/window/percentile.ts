/** Percentiles of a few values, computed like the server's. Pure. */

/** The percentiles at these shares (0 to 1), with linear interpolation. NaN is skipped. */
export function percentiles(values: ArrayLike<number>, shares: readonly number[]): number[] {
  const sorted = Float64Array.from(Array.from(values).filter((value) => !Number.isNaN(value))).sort();
  return shares.map((share) => {
    if (sorted.length === 0) return Number.NaN;
    const place = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return low + (high - low) * (place - Math.floor(place));
  });
}
