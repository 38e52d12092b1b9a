/** Ranges of time around something that happened: an alert or a mark. Pure. */
import type { Range } from "./range";

/** Something with a name: `to` is Infinity while it goes on. */
export interface Happening extends Range {
  text: string;
}

const LEAST_MARGIN_MS = 15 * 60_000;
/** The time before and after, as a share of its length. */
const MARGIN = 0.25;

/** The range that shows it, and what was before and after. */
export function around({ from, to }: Range, now: number): Range {
  const end = Math.min(to, now);
  const margin = Math.max(LEAST_MARGIN_MS, MARGIN * (end - from));
  return { from: from - margin, to: end + margin };
}

/** The last to begin, one of each text: a rule that fires again and again is one. */
export function latest<T extends Happening>(all: readonly T[], most: number): T[] {
  const newest = new Map<string, T>();
  for (const one of [...all].sort((a, b) => b.from - a.from)) {
    if (!newest.has(one.text)) newest.set(one.text, one);
    if (newest.size === most) break;
  }
  return [...newest.values()];
}
