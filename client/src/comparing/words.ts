/**
 * What the panel says about a comparison, in words. Pure: numbers and times in, texts out.
 */
import { extentOf } from "../extent";
import { formatBeside, formatCount, formatText, formatValue, plural } from "../format";
import type { Comparison } from "../time/comparison";
import type { ChangesAnswer, HistoryTier, SeriesChange } from "../types.gen";

export type Way = "all" | "up" | "down";

/** Within this share of 1 a factor is written as a percentage. */
const NEAR = 0.1;
const FEWEST_TICKS = 5;

const NO_VALUE = "no value";

/** Which way a series went. One that appeared went up. */
export function wayOf({ before, after }: SeriesChange): "up" | "down" {
  return after !== null && (before === null || after >= before) ? "up" : "down";
}

function timesText(times: number): string {
  const { number, unit } = formatValue(times, "");
  return times < 9.95 ? times.toFixed(1) : times < 9_999 ? formatCount(Math.round(times)) : number + unit;
}

/** How much a series changed, short and for a screen reader: `×9.4`, `÷6.8`, `+4 %`, `new`. */
export function factorOf({ before, after, factor }: SeriesChange): { text: string; said: string } {
  if (before === null) return { text: "new", said: "no values before" };
  if (after === null) return { text: "gone", said: "no values any more" };
  if (factor === null) {
    if (before === 0) return { text: "from 0", said: "it was 0" };
    if (after === 0) return { text: "to 0", said: "it is 0" };
    return { text: "±", said: "the sign changed" };
  }
  const share = Math.abs(factor - 1) * 100;
  // Such as a few errors: the values differ, though not on average.
  if (share < 0.05) return { text: "≈", said: "on average as before, but other values" };
  if (share < NEAR * 100) {
    const number = `${share < 0.95 ? share.toFixed(1) : Math.round(share)} %`;
    return factor > 1
      ? { text: `+${number}`, said: `${number} more` }
      : { text: `−${number}`, said: `${number} less` };
  }
  const times = timesText(factor > 1 ? factor : 1 / factor);
  return factor > 1
    ? { text: `×${times}`, said: `${times} times as much` }
    : { text: `÷${times}`, said: `divided by ${times}` };
}

/** The averages before and after: `4.1` and `38.6 %`. */
export function averagesOf({ before, after }: SeriesChange, unit: string): { before: string; after: string } {
  const extent = extentOf([before ?? undefined, after ?? undefined]);
  const last = after === null ? NO_VALUE : formatText(after, unit, extent);
  if (before === null) return { before: NO_VALUE, after: last };
  if (after === null) return { before: formatText(before, unit, extent), after: last };
  return { before: formatBeside(before, unit, formatValue(after, unit, extent).unit, extent), after: last };
}

/** `7 of 106 series changed · 99 did not`, and what was compared if not the ticks. */
export function countOf({ compared, changed, changes, tier }: ChangesAnswer): string {
  if (compared === 0) return "Nothing was compared";
  const parts = [`${formatCount(changed)} of ${formatCount(compared)} series changed`];
  if (changed > changes.length) parts.push(`the first ${formatCount(changes.length)} are listed`);
  parts.push(`${formatCount(compared - changed)} did not`);
  if (tier !== "raw") parts.push(`by the ${tier === "minutes" ? "minute" : "hour"}`);
  return parts.join(" · ");
}

/** What is known of the board's time. All in milliseconds; NaN where it is unknown. */
export interface Kept {
  /** The oldest value that is kept, and the newest. */
  oldest: number;
  newest: number;
  intervalMs: number;
}

/** The length of what is compared instead of ticks, in milliseconds. */
const ROLLED = { minutes: 60_000, hours: 3_600_000 };

/** Why no series could be compared. @param when writes a time. */
export function whyNothing(
  { before, after }: Comparison,
  tier: HistoryTier,
  { oldest, newest, intervalMs }: Kept,
  when: (time: number) => string,
): string {
  const kept = () => `the oldest values are from ${when(oldest)}.`;
  if (after.to <= oldest) return `This time is no longer kept: ${kept()}`;
  if (before.to <= oldest) return `The time to compare with is no longer kept: ${kept()}`;
  if (after.from > newest) return "This time is yet to come.";
  const shortest = Math.min(after.to - after.from, before.to - before.from);
  if (shortest < FEWEST_TICKS * intervalMs) {
    return `Too short: each of the two ranges needs ${FEWEST_TICKS} ticks. Choose longer ones.`;
  }
  if (tier !== "raw" && shortest < FEWEST_TICKS * ROLLED[tier]) {
    return `Too short: one of the two ranges is long, or too old for ticks, so averages of ${tier} are compared. Each range needs ${FEWEST_TICKS} ${tier}.`;
  }
  if (Math.min(after.to, newest) - after.from < FEWEST_TICKS * intervalMs) {
    return "Too early: this time has hardly begun. Try again in a moment.";
  }
  return `No series has ${FEWEST_TICKS} values in both ranges. Perhaps nothing was recorded then.`;
}

/** What is missing in the comparison; empty if nothing is. @param when writes a time. */
export function whatIsMissing(
  { before, after }: Comparison,
  { oldest, newest }: Kept,
  when: (time: number) => string,
): string {
  if (Math.min(before.from, after.from) < oldest) return `Nothing is kept from before ${when(oldest)}.`;
  // A tick is on its way.
  return Math.max(before.to, after.to) > newest + 60_000 ? "The end of a range is yet to come." : "";
}

/** What an empty list says. */
export function noneLeft(compared: number, changed: number, filter: string, way: Way): string {
  if (changed === 0) {
    return `Nothing changed: ${compared === 1 ? "the one" : `all ${formatCount(compared)}`} series ${
      compared === 1 ? "is" : "are"
    } as before.`;
  }
  if (filter !== "") return `No changed series matches “${filter}”.`;
  return `Nothing went ${way}.`;
}

/** `3 series shown` */
export const shownOf = (count: number): string => `${formatCount(count)} ${plural(count, "row")} shown`;
