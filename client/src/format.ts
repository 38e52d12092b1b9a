/**
 * Numbers, times and labels as a person reads them. Pure; it must not know what is measured beyond its unit.
 */
export interface Formatted {
  number: string;
  unit: string;
}

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
/** Counts stay whole numbers of things for as long as they can be read at a glance. */
const LONG_NUMBER = 100_000;
const DAY_S = 86_400;

const grouped = (digits: number): Intl.NumberFormat =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const FIXED = [0, 1, 2, 3].map(grouped);
const SIGNIFICANT = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

/** Times, smallest first, in seconds: a value below a step's own range is shown in the step before. */
const TIMES: Step[] = [
  { from: 0, by: 1e-9, unit: "ns" },
  { from: 1e-6, by: 1e-6, unit: "µs" },
  { from: 1e-3, by: 1e-3, unit: "ms" },
  { from: 1, by: 1, unit: "s" },
  { from: 120, by: 60, unit: "min" },
  { from: 7_200, by: 3_600, unit: "h" },
  { from: 2 * DAY_S, by: DAY_S, unit: "d" },
];
/** A unit is kept up to here, though the next begins at 1,000 of it: 1,250 ms is a time that people know. */
const KEPT_TIMES = 10_000;

function prefixed(base: number, prefixes: string[], unit: string, first = base): Step[] {
  return prefixes.map((prefix, i) => ({
    from: i === 0 ? first : base ** (i + 1),
    by: base ** (i + 1),
    unit: prefix + unit,
  }));
}

/** Bytes, bits and Hertz, alone and per second, whatever prefix they came with. */
function scaled(unit: string): Step[] | null {
  const found = /^([kKMGTP]i?)?(B|[Bb]ytes?|b|bits?|bps|Hz)(\/s)?$/.exec(unit);
  if (found === null) return null;
  const [, prefix = "", word, rate = ""] = found;
  const bytes = /^b(?:ytes?)?$/i.test(word) && word !== "b";
  // Bytes are in powers of two, but where they came in thousands.
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
  if (unit === "%") return [];
  const spaced = unit === "" || unit.startsWith("/") ? unit : ` ${unit}`;
  return prefixed(1000, DECIMAL, spaced, LONG_NUMBER);
};

const known = new Map<string, Step[]>();

/** The steps of a unit, smallest first; a value below the first keeps the unit it came in. */
function stepsOf(unit: string): Step[] {
  const steps = known.get(unit) ?? makeSteps(unit);
  known.set(unit, steps);
  return steps;
}

function scaleFor(value: number, unit: string): { by: number; unit: string } {
  const size = Math.abs(value);
  const steps = stepsOf(unit);
  // A zero has no size, and a value of the unit itself is divided by one.
  let chosen: { by: number; unit: string } = steps.find(({ by }) => by === 1) ?? { by: 1, unit };
  if (size === 0) return chosen;
  for (const step of steps) if (size >= step.from) chosen = step;
  return chosen;
}

/** Things that are counted: there is no tenth of a process. What has no unit is mostly a count. */
const isCounted = (unit: string): boolean =>
  /^([a-z]{3,})?$/i.test(unit) && stepsOf(unit)[0].from === LONG_NUMBER;

function digits(value: number, whole: boolean): string {
  const size = Math.abs(value);
  if (size > 0 && size < 0.05) return SIGNIFICANT.format(value);
  return FIXED[size >= 999.95 || (whole && Number.isInteger(value)) ? 0 : 1].format(value);
}

function daysAndHours(seconds: number): string {
  const hours = Math.floor(Math.abs(seconds) / 3_600);
  return `${seconds < 0 ? "-" : ""}${FIXED[0].format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** A value in a unit that keeps it short, with one decimal but for whole numbers of things; "–" where there is none. */
export const formatValue = (value: number, unit: string): Formatted => format(value, unit, isCounted(unit));

/** An average: there may well be a tenth of a process in it, and no decimal comes and goes from tick to tick. */
export const formatAverage = (value: number, unit: string): Formatted => format(value, unit, false);

function format(value: number, unit: string, whole: boolean): Formatted {
  if (!Number.isFinite(value)) return { number: NO_VALUE, unit };
  const scale = scaleFor(value, unit);
  const shown = value / scale.by;
  if (scale.unit === "d" && scale.by !== 1) return { number: daysAndHours(shown * DAY_S), unit: "" };
  return { number: digits(shown, whole), unit: scale.unit };
}

/** The same as one text: `41.5 %`, `1.2 GiB`. */
export function formatText(value: number, unit: string): string {
  const { number, unit: shown } = formatValue(value, unit);
  return shown === "" || number === NO_VALUE ? number : `${number} ${shown}`;
}

/** Beside a value in the unit `shown`: the unit is said again only where it is another. */
export function formatBeside(value: number, unit: string, shown: string): string {
  return formatValue(value, unit).unit === shown ? formatValue(value, unit).number : formatText(value, unit);
}

/** As many decimals as it takes to say a step exactly: 2.5 rounded to 3 puts the labels off their lines. */
function decimalsOf(step: number): number {
  const exact = [0, 1, 2, 3].find((digits) => {
    const scaled = step * 10 ** digits;
    return Math.round(scaled) > 0 && Math.abs(scaled - Math.round(scaled)) < 1e-6 * scaled;
  });
  return exact ?? Math.min(3, Math.max(0, Math.ceil(-Math.log10(step))) + 1);
}

/** The labels of an axis: all in the unit of the largest, with as many decimals as their distance needs. */
export function formatTicks(values: readonly number[], unit: string): string[] {
  const largest = Math.max(...values.map(Math.abs));
  const scale = scaleFor(largest, unit);
  const step = values.length > 1 ? Math.abs(values[1] - values[0]) / scale.by : 1;
  const format = FIXED[step > 0 ? decimalsOf(step) : 0];
  const suffix = scale.unit === unit ? (unit === "%" ? "%" : "") : shortened(scale.unit, unit);
  return values.map((value) => (value === 0 ? "0" : format.format(value / scale.by) + suffix));
}

/** On an axis the unit itself is in the chart's title: `k` for `k req/s`, `Mi` for `MiB/s`. */
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
/** Of the clock, which is not decimal. */
const CLOCK_STEPS = [
  ...Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** (power - 9))).flat(),
  ...[10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200],
  ...Array.from({ length: 4 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power * DAY_S)).flat(),
];

/** The distances that the labels of an axis may have; null for the usual ones. */
export function axisSteps(unit: string): number[] | null {
  if (isBinary(unit)) return BINARY_STEPS;
  return unit === "s" ? CLOCK_STEPS : null;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

/** `12:00:01` in the viewer's own time zone. */
export function formatTime(time: number): string {
  return Number.isFinite(time) ? CLOCK.format(time) : NO_VALUE;
}

/** The time, and the day before it when that is not today's. */
export function formatWhen(time: number, now: number): string {
  const sameDay = new Date(time).toDateString() === new Date(now).toDateString();
  return sameDay || !Number.isFinite(time) ? formatTime(time) : `${DAY.format(time)}, ${formatTime(time)}`;
}

/** A time to come, to the minute, and the day before it when that is not today: `13:05`. */
export function formatUntil(time: number, now: number): string {
  return formatWhen(time, now).replace(/:\d\d$/, "");
}

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

/** What tells one line of a chart from the others: `user` for `mode=user`; a bare number wouldn't say of what. */
export function formatLine(labels: Readonly<Record<string, string>>): string {
  const values = Object.values(labels);
  return values.length === 1 && /[^\d.:-]/.test(values[0]) ? values[0] : formatLabels(labels);
}

/** `10,000` */
export const formatCount = (count: number): string => FIXED[0].format(count);

/** `core=3, host=a` */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(", ");
}
