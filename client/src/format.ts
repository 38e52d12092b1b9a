/**
 * Formats numbers, times and labels for people. Pure, except that times are written in the page's time zone. It
 * knows nothing of a measurement but its unit.
 */
import { isSameDay, isUtc, offsetAt } from "./time/zone";

export interface Formatted {
  number: string;
  unit: string;
}

/** The lowest and highest of the values shown beside a number. */
export type Extent = readonly [low: number, high: number];

interface Step {
  /** From this absolute value on … */
  from: number;
  /** … it is divided by this … */
  by: number;
  /** … and carries this unit. */
  unit: string;
}

const NO_VALUE = "–";
const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi"];
const DECIMAL = ["k", "M", "G", "T", "P"];
/** Counts below this are written in full, since they read at a glance. */
const LONG_NUMBER = 100_000;
const DAY_S = 86_400;
/** 999.95 would round to 1,000 of one unit, so it becomes 1.0 of the next. */
const ROUNDED_UP = 0.99995;
/** With more decimals than this, a smaller unit reads better. */
const EASY_DECIMALS = 3;
const MOST_DECIMALS = 17;
/** Numbers beyond these limits are written with a power of ten. */
const TOO_LARGE = 1e6;
const TOO_LONG = 1e16;
const TOO_SMALL = 1e-6;

const formats: Intl.NumberFormat[] = [];

/** Format with exactly `digits` decimals, and no minus before a zero. */
function fixed(value: number, digits: number): string {
  formats[digits] ??= new Intl.NumberFormat("en", {
    ...{ minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" },
  });
  return formats[digits].format(value);
}
const SIGNIFICANT = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

/** Units of time in seconds, smallest first. A value below a step's range uses the previous step. */
const TIMES: Step[] = [
  { from: 0, by: 1e-9, unit: "ns" },
  { from: 1e-6, by: 1e-6, unit: "µs" },
  { from: 1e-3, by: 1e-3, unit: "ms" },
  { from: 1, by: 1, unit: "s" },
  { from: 120, by: 60, unit: "min" },
  { from: 7_200, by: 3_600, unit: "h" },
  { from: 2 * DAY_S, by: DAY_S, unit: "d" },
];
/** The metric's own unit stays up to here instead of 1,000, since 1,250 ms reads well. */
const KEPT_TIMES = 10_000;

function prefixed(base: number, prefixes: string[], unit: string, first = base * ROUNDED_UP): Step[] {
  return prefixes.map((prefix, i) => ({
    from: i === 0 ? first : base ** (i + 1) * ROUNDED_UP,
    by: base ** (i + 1),
    unit: prefix + unit,
  }));
}

/** The steps of bytes, bits and hertz, with any prefix, also per second. */
function scaled(unit: string): Step[] | null {
  const found = /^([kKMGTP]i?)?(B|[Bb]ytes?|b|bits?|bps|Hz)(\/s)?$/.exec(unit);
  if (found === null) return null;
  const [, prefix = "", word, rate = ""] = found;
  const bytes = /^b(?:ytes?)?$/i.test(word) && word !== "b";
  // Bytes scale by 1024, unless their unit has a decimal prefix.
  const binary = bytes && (prefix === "" || prefix.endsWith("i"));
  const base = binary ? 1024 : 1000;
  const shown = (bytes ? "B" : word) + rate;
  const power = prefix === "" ? 0 : DECIMAL.indexOf(prefix[0].toLowerCase() === "k" ? "k" : prefix[0]) + 1;
  const own = base ** power;
  const steps = [{ from: 0, by: 1, unit: shown }, ...prefixed(base, binary ? BINARY : DECIMAL, shown)];
  return steps.map((step) => ({ ...step, from: step.from / own, by: step.by / own }));
}

function times(unit: string): Step[] | null {
  const own = TIMES.find((step) => step.unit === (unit === "us" || unit === "μs" ? "µs" : unit));
  if (own === undefined) return null;
  return TIMES.map(({ from, by, unit: shown }) => {
    const next = by > own.by && by <= 1 && from < KEPT_TIMES * own.by;
    return { from: next ? KEPT_TIMES : from / own.by, by: by / own.by, unit: shown };
  });
}

const makeSteps = (unit: string): Step[] => {
  const special = scaled(unit) ?? times(unit);
  if (special !== null) return special;
  const plain = { from: 0, by: 1, unit };
  if (unit === "%") return [plain];
  const spaced = unit === "" || unit.startsWith("/") ? unit : ` ${unit}`;
  return [plain, ...prefixed(1000, DECIMAL, spaced, LONG_NUMBER)];
};

const known = new Map<string, Step[]>();

/** The steps of a unit, smallest first. */
function stepsOf(unit: string): Step[] {
  const steps = known.get(unit) ?? makeSteps(unit);
  known.set(unit, steps);
  return steps;
}

function scaleFor(value: number, unit: string): Step {
  const size = Math.abs(value);
  const steps = stepsOf(unit);
  // Zero keeps the metric's own unit, whose divisor is one.
  if (size === 0) return steps.find(({ by }) => by === 1) ?? steps[0];
  return steps.findLast((step) => size >= step.from) ?? steps[0];
}

/** Whether a unit counts things: there is no tenth of a process. No unit usually means a count. */
const isCounted = (unit: string): boolean =>
  /^([a-z]{3,})?$/i.test(unit) && scaled(unit) === null && times(unit) === null;

/** Whether the ends differ only by rounding errors. */
const isNoise = ([low, high]: Extent): boolean =>
  high - low <= 4 * Number.EPSILON * Math.max(Math.abs(low), Math.abs(high)) && !Number.isInteger(high - low);

/**
 * The number of decimals that shows the difference between the ends of an extent; 0 if they are equal.
 *
 * @param unit the value of 1 in the written number.
 */
function decimalsBetween(
  extent: Extent | undefined,
  unit: number,
  write: (value: number, decimals: number) => string,
): number {
  if (extent === undefined || !(extent[1] > extent[0]) || isNoise(extent)) return 0;
  const [low, high] = extent;
  let decimals = Math.max(0, Math.min(MOST_DECIMALS, Math.ceil(-Math.log10((high - low) / unit) - 1e-9)));
  while (decimals < MOST_DECIMALS && write(low, decimals) === write(high, decimals)) decimals++;
  return decimals;
}

/** Format a scaled value: one decimal (none for counts), two digits if it is small, or more if needed. */
function digits(value: number, whole: boolean, needed: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 0.05 && needed <= 1 - Math.floor(Math.log10(size))) return SIGNIFICANT.format(value);
  const usual = size >= 999.95 || (whole && Number.isInteger(value)) ? 0 : 1;
  return fixed(value, Math.max(usual, needed));
}

/** `3 d 4 h`, with minutes and seconds if `parts` asks for them. */
function daysAndHours(seconds: number, parts: number): string {
  const size = Math.floor(Math.abs(seconds));
  const all = [
    `${fixed(Math.floor(size / DAY_S), 0)} d`,
    `${Math.floor(size / 3_600) % 24} h`,
    `${Math.floor(size / 60) % 60} min`,
    `${size % 60} s`,
  ];
  return (seconds < 0 ? "-" : "") + all.slice(0, parts).join(" ");
}

/** `1.2e300` */
const powerOfTen = (value: number, decimals: number): string =>
  value.toExponential(decimals).replace("e+", "e");

/**
 * Format a value in a unit that keeps it short, with one decimal (none for whole numbers of a count); "–" for NaN.
 *
 * @param extent the values beside it: decimals or unit are chosen so that its ends read differently.
 * @param whole whether all values of its series are whole numbers, so that none needs a decimal.
 */
export const formatValue = (value: number, unit: string, extent?: Extent, whole = false): Formatted =>
  format(value, unit, whole || isCounted(unit), extent);

/** Format an average: with decimals even for counts, so that they do not come and go between ticks. */
export const formatAverage = (value: number, unit: string, extent?: Extent): Formatted =>
  format(value, unit, false, extent);

function format(value: number, unit: string, whole: boolean, extent: Extent | undefined): Formatted {
  if (Number.isNaN(value)) return { number: NO_VALUE, unit };
  if (!Number.isFinite(value)) return { number: value > 0 ? "∞" : "-∞", unit };
  const steps = stepsOf(unit);
  const scale = scaleFor(value, unit);
  const size = Math.abs(value / scale.by);
  const tooLarge = steps.length > 1 && scale === steps.at(-1) ? TOO_LARGE : TOO_LONG;
  if (size >= tooLarge || (size > 0 && size < TOO_SMALL)) {
    const power = 10 ** Math.floor(Math.log10(Math.abs(value)));
    return { number: powerOfTen(value, Math.max(1, decimalsBetween(extent, power, powerOfTen))), unit };
  }
  if (scale.unit === "d" && scale.by !== 1) {
    const second = scale.by / DAY_S;
    const span = extent === undefined || isNoise(extent) ? 0 : (extent[1] - extent[0]) / second;
    if (!(span > 0 && span < 1)) {
      const parts = span >= 3_600 || !(span > 0) ? 2 : span >= 60 ? 3 : 4;
      return { number: daysAndHours(value / second, parts), unit: "" };
    }
  }
  const at = (step: Step) => {
    const write = (of: number, decimals: number) => digits(of / step.by, whole && step.by === 1, decimals);
    const needed = decimalsBetween(extent, step.by, write);
    return { number: write(value, needed), unit: step.unit, needed };
  };
  let best = at(scale);
  if (best.needed <= EASY_DECIMALS) return best;
  const cost = ({ number, unit, needed }: typeof best) =>
    number.length + unit.length + Math.max(0, needed - EASY_DECIMALS);
  for (const step of steps.slice(0, steps.indexOf(scale)).reverse()) {
    const smaller = at(step);
    if (cost(smaller) <= cost(best)) best = smaller;
    if (smaller.needed === 0) break;
  }
  return best;
}

/** Format a value as one text: `41.5 %`, `1.2 GiB`. */
export function formatText(value: number, unit: string, extent?: Extent, whole?: boolean): string {
  const { number, unit: shown } = formatValue(value, unit, extent, whole);
  return shown === "" || number === NO_VALUE ? number : `${number} ${shown}`;
}

/**
 * Format a value beside one in the unit `shown`. It omits its unit only if both use the metric's: readers
 * apply a prefix written once to both.
 */
export function formatBeside(
  value: number,
  unit: string,
  shown: string,
  extent?: Extent,
  whole?: boolean,
): string {
  const { number, unit: own } = formatValue(value, unit, extent, whole);
  return own === shown && own === unit ? number : formatText(value, unit, extent, whole);
}

/** The decimals needed to write a step exactly: 2.5 rounded to 3 would move the labels off their lines. */
function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < MOST_DECIMALS; decimals++) {
    const scaled = step * 10 ** decimals;
    if (Math.round(scaled) > 0 && Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled) return decimals;
    // A third never ends; a few digits are enough.
    if (scaled >= 100) return decimals;
  }
  return MOST_DECIMALS;
}

/** Format the labels of an axis: all in the unit of the largest, with the decimals their step needs. */
export function formatTicks(values: readonly number[], unit: string): string[] {
  const largest = Math.max(...values.map(Math.abs));
  const steps = stepsOf(unit);
  const own = scaleFor(largest, unit);
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) : own.by;
  if (largest / own.by >= TOO_LARGE * 1e3 || (largest > 0 && largest / own.by < TOO_SMALL)) {
    return values.map((value) => (value === 0 ? "0" : powerOfTen(Number(value.toPrecision(3)), 1)));
  }
  // Prefer long numbers to long fractions.
  const decimalsAt = (scale: Step) => decimalsOf(step / scale.by);
  const smaller = steps.findLast((other) => other.by < own.by && decimalsAt(other) <= 1);
  const scale = decimalsAt(own) > EASY_DECIMALS && smaller !== undefined ? smaller : own;
  const decimals = step > 0 ? decimalsOf(step / scale.by) : 0;
  const suffix = scale.unit === unit ? (unit === "%" ? "%" : "") : shortened(scale.unit, unit);
  return values.map((value) => (value === 0 ? "0" : fixed(value / scale.by, decimals) + suffix));
}

/** The suffix of an axis label (the chart's title has the unit): `k` for `k req/s`, `Mi` for `MiB/s`. */
function shortened(shown: string, unit: string): string {
  const hasPrefix = (scaled(unit)?.[0].by ?? 1) !== 1;
  if (times(unit) !== null || hasPrefix) return ` ${shown}`;
  return /^[kKMGTP]i?/.exec(shown)?.[0] ?? "";
}

/** Whether the axis of this unit steps by powers of two. */
export function isBinary(unit: string): boolean {
  const steps = scaled(unit);
  return steps !== null && Math.round(steps[1].by / steps[0].by) === 1024;
}

const BINARY_STEPS = Array.from({ length: 80 }, (_, power) => 2 ** (power - 20));
/** In seconds: decimal below 10 s and above a day, round clock times between. */
const CLOCK_STEPS = [
  ...Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** (power - 9))).flat(),
  ...[10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200],
  ...Array.from({ length: 4 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power * DAY_S)).flat(),
];

/** The smallest axis step at or above `least`: the unit's own, else 1, 2, 2.5 or 5 by powers of ten. */
export function axisStep(least: number, unit: string): number {
  const own = isBinary(unit) ? BINARY_STEPS : unit === "s" ? CLOCK_STEPS : [];
  const power = 10 ** Math.floor(Math.log10(least));
  const round = [1, 2, 2.5, 5, 10].map((digit) => digit * power);
  return [...own, ...round].find((step) => step >= least * (1 - 1e-9)) ?? least;
}

/** A format of times in the page's zone, "–" for NaN. It is made on first use, which takes a while. */
export function zoned(locale: string, options: Intl.DateTimeFormatOptions): (time: number) => string {
  const made: (Intl.DateTimeFormat | undefined)[] = [];
  return (time) => {
    if (!Number.isFinite(time)) return NO_VALUE;
    const utc = Number(isUtc());
    made[utc] ??= new Intl.DateTimeFormat(locale, { ...options, ...(utc && { timeZone: "UTC" }) });
    return made[utc].format(time);
  };
}

/** `12:00:01` */
export const formatTime = zoned("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** `12:00` */
export const formatMinute = zoned("en-GB", { hour: "2-digit", minute: "2-digit" });

/** `Nov 29` */
export const formatDay = zoned("en", { month: "short", day: "numeric" });

const DATE = zoned("en-GB", { weekday: "short", day: "numeric", month: "short" });
const DATE_YEAR = zoned("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric" });

/** `Sun 29 Nov`. Some browsers write a comma after the day of the week, others do not. */
export const formatDate = (time: number): string => DATE(time).replace(",", "");

/** `Sun 29 Nov 2026, 03:12:00` */
export const formatDateTime = (time: number): string =>
  `${DATE_YEAR(time).replace(",", "")}, ${formatTime(time)}`;

/** The zone at a time: `UTC+1`, `UTC−3:30`. @param utc false for the viewer's own, whatever the page uses. */
export function formatZone(time: number, utc = isUtc()): string {
  const minutes = offsetAt(time, utc) / 60_000;
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${String(size % 60).padStart(2, "0")}`;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

/** The time, with the date in front unless it is today. */
export function formatWhen(time: number, now: number): string {
  if (!Number.isFinite(time) || isSameDay(time, now)) return formatTime(time);
  return `${formatDay(time)}, ${formatTime(time)}`;
}

/** A future time to the minute, with the date in front unless it is today: `13:05`. */
export function formatUntil(time: number, now: number): string {
  return formatWhen(time, now).replace(/:\d\d$/, "");
}

/** Ranges shorter than this are written with seconds. */
const SECONDS_BELOW_MS = 600_000;

/** `02:12 – 03:12`, with dates where they are needed to know the day, and seconds if it is short. */
export function formatRange({ from, to }: { from: number; to: number }, dated = true): string {
  const clock = to - from < SECONDS_BELOW_MS ? formatTime : formatMinute;
  // The end is exclusive: midnight still belongs to the day before.
  const sameDay = isSameDay(from, Math.max(from, to - 1));
  const [first, last] = [
    dated || !sameDay ? `${formatDate(from)} ` : "",
    sameDay ? "" : `${formatDate(to)} `,
  ];
  return `${first}${clock(from)} – ${last}${clock(to)}`;
}

/** A range on a page that shows `whole`: with dates if that has several days. */
export const formatPart = (
  range: { from: number; to: number },
  whole: { from: number; to: number },
): string => formatRange(range, !isSameDay(whole.from, whole.to));

/** The length of a range: like `formatDuration`, but `1 min`. */
export const formatSpan = (milliseconds: number): string =>
  milliseconds === 60_000 ? "1 min" : formatDuration(milliseconds);

/** `12 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} d`;
}

/** Like `formatDuration`, but with seconds below an hour: `7 min 58 s`, `6 h 12 min`. */
export function formatLength(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90 || seconds >= 3_600) return formatDuration(milliseconds);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** The short name of a chart's line: `user` for `mode=user`. A bare number keeps its label for context. */
export function formatLine(labels: Readonly<Record<string, string>>): string {
  const values = Object.values(labels);
  return values.length === 1 && /[^\d.:-]/.test(values[0]) ? values[0] : formatLabels(labels);
}

/** `10,000` */
export const formatCount = (count: number): string => fixed(count, 0);

/** The word for a count: `warning` for 1, `warnings` for 2. */
export const plural = (count: number, word: string): string => (count === 1 ? word : `${word}s`);

/** `core=3, host=a` */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(", ");
}
