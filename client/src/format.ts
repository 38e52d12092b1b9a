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

const grouped = (digits: number): Intl.NumberFormat =>
  new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const FIXED = [0, 1, 2, 3].map(grouped);
const SIGNIFICANT = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

function prefixed(base: number, prefixes: string[], unit: string, first = base): Step[] {
  return prefixes.map((prefix, i) => ({
    from: i === 0 ? first : base ** (i + 1),
    by: base ** (i + 1),
    unit: prefix + unit,
  }));
}

/** The steps of a unit, smallest first; a value below the first keeps the unit it came in. */
function stepsOf(unit: string): Step[] {
  const bytes = /^(?:B|[Bb]ytes?)(\/s)?$/.exec(unit);
  if (bytes) return prefixed(1024, BINARY, `B${bytes[1] ?? ""}`);
  if (/^(?:b|bits?|bps|Hz)(?:\/s)?$/.test(unit)) return prefixed(1000, DECIMAL, unit);
  if (unit === "s") {
    return [
      { from: 0, by: 0.001, unit: "ms" },
      { from: 1, by: 1, unit: "s" },
      { from: 7_200, by: 3_600, unit: "h" },
      { from: 172_800, by: 86_400, unit: "d" },
    ];
  }
  if (unit === "ms") return [{ from: LONG_NUMBER, by: 1000, unit: "s" }];
  if (unit === "%") return [];
  return prefixed(1000, DECIMAL, unit === "" ? "" : ` ${unit}`, LONG_NUMBER).map((step) => ({
    ...step,
    unit: step.unit.trim(),
  }));
}

function scaleFor(value: number, unit: string): { by: number; unit: string } {
  const size = Math.abs(value);
  let chosen = { by: 1, unit: /^bytes?(\/s)?$/i.test(unit) ? unit.replace(/^bytes?/i, "B") : unit };
  if (unit === "s" && size === 0) return chosen;
  for (const step of stepsOf(unit)) if (size >= step.from) chosen = step;
  return chosen;
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 0.05) return SIGNIFICANT.format(value);
  return FIXED[1].format(value);
}

/** A value with one decimal in a unit that keeps it short; "–" where there is none. */
export function formatValue(value: number, unit: string): Formatted {
  if (!Number.isFinite(value)) return { number: NO_VALUE, unit };
  const scale = scaleFor(value, unit);
  return { number: digits(value / scale.by), unit: scale.unit };
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
function shortened(scaled: string, unit: string): string {
  if (unit === "s" || unit === "ms") return ` ${scaled}`;
  return /^[kKMGTP]i?/.exec(scaled)?.[0] ?? "";
}

/** Whether the axis of this unit steps by powers of two. */
export function isBinary(unit: string): boolean {
  return stepsOf(unit)[0]?.by === 1024;
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

/** `core=3, host=a` */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(", ");
}
