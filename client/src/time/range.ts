/**
 * Ranges of time and their form in the page's address: `?range=1h` follows now, `?from=…&to=…` stands still.
 * Times in the address are UTC, so that a link means the same everywhere. Pure.
 */

/** Milliseconds since 1970: from, inclusive, to `to`, exclusive. */
export interface Range {
  from: number;
  to: number;
}

/**
 * What the page shows: the last `spanMs` up to now, or a range that stands still. `spanMs` null is the
 * board's own window.
 */
export type Shown = { follows: true; spanMs: number | null } | ({ follows: false } & Range);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The spans that the keys 1 to 8 choose. */
export const PRESETS: readonly number[] = [
  ...[MINUTE, 5 * MINUTE, 15 * MINUTE],
  ...[HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY],
];

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: MINUTE, h: HOUR, d: DAY };
const LONGEST_MS = 10 * 366 * DAY;

/** Parse `90s`, `15m`, `24h`, `7d`; NaN for anything else. */
export function parseSpan(text: string): number {
  const [, number, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const span = Number(number) * (UNITS[unit] ?? Number.NaN);
  return span > 0 && span <= LONGEST_MS ? span : Number.NaN;
}

/** Write a span in the largest unit that divides it: the inverse of `parseSpan`, rounded to seconds. */
export function writeSpan(spanMs: number): string {
  const whole = Math.max(1000, Math.round(spanMs / 1000) * 1000);
  const unit = ["d", "h", "m"].find((one) => whole % UNITS[one] === 0) ?? "s";
  // As people write it: 24h, 48h and 7d.
  return unit === "d" && whole < 7 * DAY ? `${whole / HOUR}h` : `${whole / UNITS[unit]}${unit}`;
}

/** RFC 3339 in UTC, without milliseconds where there are none. */
export const writeTime = (time: number): string => new Date(time).toISOString().replace(".000Z", "Z");

/** What an address shows; the board's own window if it says nothing valid. */
export function readAddress(search: string): Shown {
  const params = new URLSearchParams(search);
  const [from, to] = [Date.parse(params.get("from") ?? ""), Date.parse(params.get("to") ?? "")];
  if (from < to && to - from <= LONGEST_MS) return { follows: false, from, to };
  const spanMs = parseSpan(params.get("range") ?? "");
  return { follows: true, spanMs: Number.isNaN(spanMs) ? null : spanMs };
}

/** The address' query with what the page shows; its other parameters stay. */
export function writeAddress(search: string, shown: Shown): string {
  const params = new URLSearchParams(search);
  for (const name of ["from", "to", "range"]) params.delete(name);
  // A flag such as `kiosk` stays a flag.
  const parts = params.size === 0 ? [] : [params.toString().replaceAll(/=(?=&|$)/g, "")];
  if (!shown.follows) parts.push(`from=${writeTime(shown.from)}&to=${writeTime(shown.to)}`);
  else if (shown.spanMs !== null) parts.push(`range=${writeSpan(shown.spanMs)}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}
