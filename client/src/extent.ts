/** The range of some values. Pure. */
import type { Extent } from "./format";

/** The lowest and highest finite value; others are skipped. */
export function extentOf(values: Iterable<number | undefined>): Extent {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (value === undefined || !Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
