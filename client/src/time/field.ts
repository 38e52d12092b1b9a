/** Times as people write them into a field: `2026-11-29 02:12:00` in the page's time zone. */
import { midnight, timeAt, wallClock } from "./zone";

/** Write a time to the second. */
export const formatField = (time: number): string =>
  new Date(wallClock(time)).toISOString().slice(0, 19).replace("T", " ");

const DATE = /^(\d{4})-(\d\d?)-(\d\d?)(?:[ T]+(.+))?$/;
const CLOCK = /^(\d\d?):(\d\d)(?::(\d\d))?$/;
const ZONED = /(?:Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since midnight; NaN if it is no time of day. */
function clock(text: string): number {
  const [, hours, minutes, seconds = "0"] = CLOCK.exec(text)?.map((part) => part ?? "0") ?? [];
  const fits = Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) < 60;
  return fits ? ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 : Number.NaN;
}

function day(year: number, month: number, date: number): number {
  const wall = Date.UTC(year, month - 1, date);
  const read = new Date(wall);
  // 2026-02-30 would become 2 March.
  return read.getUTCMonth() === month - 1 && read.getUTCDate() === date ? wall : Number.NaN;
}

/**
 * Read a date and a time, with or without seconds; a date alone is its midnight, a time alone is today's. A time
 * with `Z` or an offset is read in that zone. NaN for anything else.
 */
export function parseField(text: string, now: number): number {
  const written = text.trim();
  if (ZONED.test(written)) return Date.parse(written.replace(/\s+/, "T"));
  if (CLOCK.test(written)) return timeAt(wallClock(midnight(now)) + clock(written));
  const [, year, month, date, rest = "00:00"] = DATE.exec(written) ?? [];
  return timeAt(day(Number(year), Number(month), Number(date)) + clock(rest));
}
