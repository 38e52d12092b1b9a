/**
 * The geometry of the strip: lines of days, the outline of a metric, the lane of alerts, and what dragging and
 * zooming make of a range. Pure, but for the page's time zone. Places are shares of the strip's stretch, 0 to 1.
 */
import { formatDate, formatMinute, zoned } from "../format";
import type { Answer } from "../past/answer";
import type { Severity } from "../types.gen";
import { PRESETS, type Range } from "./range";
import { midnight, timeAt, wallClock } from "./zone";

const WEEKDAY = zoned("en-GB", { weekday: "short", day: "numeric" });

/** `Sun 29` */
const formatWeekday = (time: number): string => WEEKDAY(time).replace(",", "");

/** `Nov` */
const formatMonth = zoned("en-GB", { month: "short" });

/** `2026` */
const formatYear = zoned("en-GB", { year: "numeric" });

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** 1970-01-05, a Monday. */
const MONDAY = 4 * DAY;
const MONTH = 31 * DAY;

export interface DayLine {
  time: number;
  text: string;
}

/** Where a time is in a stretch of time. */
export const placeOf = (time: number, { from, to }: Range): number => (time - from) / (to - from);

export const timeOf = (place: number, { from, to }: Range): number => from + place * (to - from);

const HOURS = [1, 3, 6, 12].map((hours) => hours * HOUR);
/** A longer stretch has lines of days only, however much room there is. */
const HOURS_UNTIL = 3 * DAY;
const DAYS = [1, 2, 7, 14].map((days) => days * DAY);
const MONTHS = [1, 3, 6, 12, 24, 60];

/**
 * Lines at the beginning of hours, days, weeks, months or years of the zone's clocks.
 *
 * @param most how many there is room for.
 */
export function dayLines(stretch: Range, most: number): DayLine[] {
  const fits = (step: number) => (stretch.to - stretch.from) / step <= most;
  const hours = stretch.to - stretch.from < HOURS_UNTIL ? HOURS.find(fits) : undefined;
  if (hours !== undefined) return everyHours(stretch, hours);
  const days = DAYS.find(fits);
  if (days !== undefined) return everyDays(stretch, days);
  return everyMonths(stretch, MONTHS.find((months) => fits(months * MONTH)) ?? 120);
}

const isIn = (time: number, { from, to }: Range): boolean => time > from && time < to;

/** The times at which the zone's clocks show a multiple of `step` after `start`. */
function rounds(stretch: Range, step: number, start = 0): number[] {
  const first = Math.ceil((wallClock(stretch.from) - start) / step);
  const count = Math.ceil((stretch.to - stretch.from) / step) + 2;
  const times = Array.from({ length: count }, (_, i) => timeAt(start + (first + i) * step));
  return times.filter((time) => isIn(time, stretch));
}

function everyHours(stretch: Range, step: number): DayLine[] {
  const text = (time: number) => (midnight(time) === time ? formatWeekday(time) : formatMinute(time));
  return rounds(stretch, step).map((time) => ({ time, text: text(time) }));
}

function everyDays(stretch: Range, step: number): DayLine[] {
  const weeks = step >= 7 * DAY;
  const text = weeks ? (time: number) => formatDate(time).replace(/^\S+ /, "") : formatWeekday;
  return rounds(stretch, step, weeks ? MONDAY : 0).map((time) => ({ time, text: text(time) }));
}

function everyMonths(stretch: Range, step: number): DayLine[] {
  const first = new Date(wallClock(stretch.from));
  const month = 12 * (first.getUTCFullYear() - 1970) + first.getUTCMonth();
  const count = Math.ceil((stretch.to - stretch.from) / (28 * DAY * step)) + 2;
  return Array.from({ length: count }, (_, i) => (Math.ceil(month / step) + i) * step)
    .map((number) => ({ time: timeAt(Date.UTC(1970, number)), january: number % 12 === 0 }))
    .map(({ time, january }) => ({ time, text: january ? formatYear(time) : formatMonth(time) }))
    .filter(({ time }) => isIn(time, stretch));
}

/** The size of an outline's picture. */
export const WIDTH = 1000;
export const HEIGHT = 100;

export interface Outline {
  /** The paths of the averages and of the highest values, each down to the foot. */
  averages: string;
  peaks: string;
  /** Where nothing was recorded. */
  gaps: Range[];
}

/** A longer step between buckets than this many is a gap. */
const GAP_BUCKETS = 2.5;
/** A low percentage stays low. */
const LEAST_PERCENT = 50;

interface Bucket {
  time: number;
  avg: number;
  max: number;
}

/** The highest series in each bucket that has a value. */
function bucketsOf({ times, series }: Answer): Bucket[] {
  const buckets: Bucket[] = Array.from(times, (time) => ({ time, avg: Number.NaN, max: Number.NaN }));
  for (const { first, avg, max } of series) {
    for (let i = 0; i < avg.length; i++) {
      const bucket = buckets[first + i];
      if (!(avg[i] <= bucket.avg)) bucket.avg = avg[i];
      if (!(max[i] <= bucket.max)) bucket.max = max[i];
    }
  }
  return buckets.filter(({ avg }) => Number.isFinite(avg));
}

/** Draw a metric's history as the outline of its highest series. */
export function outlineOf(answer: Answer, stretch: Range): Outline {
  const buckets = bucketsOf(answer);
  const { resolutionMs, series } = answer;
  const least = series[0]?.series.unit === "%" ? LEAST_PERCENT : 0;
  const top = Math.max(least, ...buckets.map(({ max }) => max)) || 1;
  const x = (time: number) => (WIDTH * Math.min(1, Math.max(0, placeOf(time, stretch)))).toFixed(1);
  const y = (value: number) => (HEIGHT * (1 - Math.max(0, value) / top)).toFixed(1);
  const outline: Outline = { averages: "", peaks: "", gaps: [] };
  const begin = ({ time }: Bucket) => `M${x(time)} ${HEIGHT}`;
  const end = ({ time }: Bucket) => `H${x(time + resolutionMs)}V${HEIGHT}Z`;
  buckets.forEach((bucket, i) => {
    const before = buckets[i - 1];
    const gap = before === undefined || bucket.time - before.time > GAP_BUCKETS * resolutionMs;
    if (gap && before !== undefined) outline.gaps.push({ from: before.time + resolutionMs, to: bucket.time });
    for (const [path, value] of [
      ["averages", bucket.avg],
      ["peaks", bucket.max],
    ] as const) {
      if (gap) outline[path] += (before === undefined ? "" : end(before)) + begin(bucket);
      outline[path] += `L${x(bucket.time)} ${y(value)}`;
      if (i === buckets.length - 1) outline[path] += end(bucket);
    }
  });
  return outline;
}

export interface Span extends Range {
  severity: Severity;
}

/** Merge the spans of each severity that lie closer than `least`: a picture has few pixels. Critical ones are last. */
export function mergeSpans(spans: readonly Span[], least: number): Span[] {
  const merged: Span[] = [];
  for (const severity of ["info", "warning", "critical"] as const) {
    const of = spans.filter((span) => span.severity === severity).sort((one, other) => one.from - other.from);
    let last: Span | undefined;
    for (const { from, to } of of) {
      if (last !== undefined && from - last.to < least) last.to = Math.max(last.to, to);
      else {
        last = { severity, from, to };
        merged.push(last);
      }
    }
  }
  return merged;
}

/** Move a range, within a stretch. */
export function movedBy({ from, to }: Range, by: number, stretch: Range): Range {
  const allowed = Math.max(stretch.from - from, Math.min(stretch.to - to, by));
  return { from: from + allowed, to: to + allowed };
}

/** A range of the same length around a time, within a stretch. */
export const centred = (range: Range, time: number, stretch: Range): Range =>
  movedBy(range, time - (range.from + range.to) / 2, stretch);

/** Make a range longer (above 1) or shorter about a time, within a stretch. */
export function zoomed(range: Range, about: number, factor: number, stretch: Range): Range {
  const around = about >= range.from && about <= range.to ? range : centred(range, about, stretch);
  const at = Math.min(around.to, Math.max(around.from, about));
  const from = Math.max(stretch.from, at - (at - around.from) * factor);
  const to = Math.min(stretch.to, at + (around.to - at) * factor);
  return { from, to };
}

/** Move one end of a range to a time; dragged beyond the other end, it becomes that one. */
export function resized(range: Range, side: "from" | "to", time: number, stretch: Range): Range {
  const end = Math.min(stretch.to, Math.max(stretch.from, time));
  const other = side === "from" ? range.to : range.from;
  return { from: Math.min(end, other), to: Math.max(end, other) };
}

/** A dragged span becomes the usual one that it is near to. */
const NEAR = 0.03;
const MINUTE = 60_000;

/** The span to follow now with, after a drag: a usual one, or else whole minutes, or seconds if it is short. */
export function roundSpan(spanMs: number): number {
  const usual = PRESETS.find((preset) => Math.abs(spanMs - preset) <= NEAR * preset);
  const step = spanMs < 10 * MINUTE ? 1000 : MINUTE;
  return usual ?? Math.max(step, Math.round(spanMs / step) * step);
}
