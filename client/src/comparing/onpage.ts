/** What the page has to show so that both ranges of a comparison are on it. Pure. */
import type { Comparison } from "../time/comparison";
import { PRESETS, type Range, type Shown } from "../time/range";

/** How much of both ranges together is shown before and after them. */
const MARGIN = 0.1;
/** The page goes on following now if both ranges take at least this share of it. */
const LEAST_SHARE = 0.2;

/**
 * Null if both are on the page.
 *
 * @param here the range on the page, up to now if it follows.
 */
export function toShow({ after, before }: Comparison, here: Range, follows: boolean): Shown | null {
  const all = { from: Math.min(after.from, before.from), to: Math.max(after.to, before.to) };
  const length = all.to - all.from;
  // The newest tick is on the page, and the end of a range is exclusive.
  if (here.from <= all.from && all.to <= here.to + 1) return null;
  const spanMs = PRESETS.find((preset) => preset >= (here.to - all.from) * (1 + MARGIN));
  if (follows && spanMs !== undefined && length >= LEAST_SHARE * spanMs) return { follows: true, spanMs };
  return { follows: false, from: all.from - MARGIN * length, to: all.to + MARGIN * length };
}
