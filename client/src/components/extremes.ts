/** The lowest and the highest value of a bucket, as a text. */
import { formatBeside } from "../format";
import type { Window } from "../window/window";

/**
 * Write the extremes of a series in a bucket: `516 – 694`. Empty for a tick, and if they are equal.
 *
 * @param index of the bucket, oldest first.
 */
export function extremesAt(
  window: Window,
  { key, unit }: { key: string; unit: string },
  index: number,
): string {
  const band = window.bandOf(key);
  const slot = (window.oldest + index) % window.capacity;
  const [low, high] = [band?.lows[slot] ?? Number.NaN, band?.highs[slot] ?? Number.NaN];
  if (!(low < high)) return "";
  return [low, high].map((value) => formatBeside(value, unit, unit, [low, high])).join(" – ");
}
