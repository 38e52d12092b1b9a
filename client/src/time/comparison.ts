/**
 * Two ranges of time to compare, and their form in the page's address: `#changes=FROM/TO` compares with the
 * time of the same length just before, `#changes=FROM/TO,FROM/TO` with the second range. Times are UTC. Pure.
 */
import { type Range, writeTime } from "./range";

export interface Comparison {
  after: Range;
  /** What it is compared with. */
  before: Range;
}

/** The start of an address' part that holds a comparison. */
export const CHANGES = "#changes=";

/** A shorter episode is compared with this much before it: a few values say little about what is usual. */
const LEAST_BEFORE_TICKS = 300;
/** A shorter episode has too few values. */
const LEAST_TICKS = 10;
/** The server compares no longer ranges. */
export const LONGEST_MS = 31 * 86_400_000;

/** An alert's episode; `ended` is Infinity while it fires. */
export interface Lasting {
  readonly began: number;
  readonly ended: number;
}

/** The newest tick, after which nothing is recorded, and the time between two. */
export interface Ticking {
  newest: number;
  intervalMs: number;
}

/** Compare a range with the time of the same length just before it. */
export const withBefore = (after: Range): Comparison => ({
  after: { from: after.from, to: after.to },
  before: { from: 2 * after.from - after.to, to: after.from },
});

/** Compare an alert's episode with the time before it. */
export function ofEpisode({ began, ended }: Lasting, { newest, intervalMs }: Ticking): Comparison {
  const to = Math.min(Math.max(ended, began + LEAST_TICKS * intervalMs), Math.max(newest, began) + 1);
  const after = { from: Math.max(began, to - LONGEST_MS), to };
  const length = Math.max(LEAST_BEFORE_TICKS * intervalMs, after.to - after.from);
  return { after, before: { from: began - length, to: began } };
}

/** Whether the second range is the time of the same length just before the first. */
export const isJustBefore = ({ after, before }: Comparison): boolean =>
  before.to === after.from && before.to - before.from === after.to - after.from;

const write = ({ from, to }: Range): string => `${writeTime(from)}/${writeTime(to)}`;

export const writeComparison = (comparison: Comparison): string =>
  CHANGES + write(comparison.after) + (isJustBefore(comparison) ? "" : `,${write(comparison.before)}`);

function read(text: string): Range | null {
  const [from, to] = text.split("/").map(Date.parse);
  return from < to ? { from, to } : null;
}

/** Parse what follows `CHANGES`; null if it is no comparison. */
export function readComparison(text: string): Comparison | null {
  const [after, before] = text.split(",").map(read);
  if (!after || before === null) return null;
  return before === undefined ? withBefore(after) : { after, before };
}
