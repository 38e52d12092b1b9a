/**
 * The rows of a table or bar list: which series form a row, which rows are shown, and in what order. Pure: series
 * and values in, rows out; it must not know how they are drawn.
 *
 * A row is one combination of label values. If several series of a metric share a row, a counter's rates are
 * summed; any other metric shows its highest value, since percentages and durations have no sum.
 */
import { type Series, seriesKey } from "../link/protocol";

/** The mapping from series to rows, valid while the series are the same. */
export interface Plan {
  /** For each row its label values; rows are in natural sort order. */
  texts: readonly (readonly string[])[];
  /** A unique key per row. */
  keys: readonly string[];
  /** For each metric, the keys of its series and the row of each. */
  columns: readonly { keys: readonly string[]; rows: Int32Array }[];
}

/** The sort column: one of the labels, or one of the metrics. */
export interface Sorting {
  of: "label" | "metric";
  at: number;
  descending: boolean;
}

const NAMES = new Intl.Collator("en", { numeric: true });

const keyOf = (texts: readonly string[]): string => texts.join("\0");

function compareTexts(one: readonly string[], other: readonly string[]): number {
  for (let i = 0; i < one.length; i++) {
    const order = NAMES.compare(one[i], other[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** @param series of each metric; one without the first label gets no row. */
export function planOf(series: readonly (readonly Series[])[], labels: readonly string[]): Plan {
  const textsOf = (one: Series) => labels.map((label) => one.labels[label] ?? "");
  const labelled = series.map((all) => all.filter((one) => one.labels[labels[0]] !== undefined));
  const byKey = new Map(labelled.flat().map((one) => [keyOf(textsOf(one)), textsOf(one)]));
  const sorted = [...byKey].sort(([, one], [, other]) => compareTexts(one, other));
  const keys = sorted.map(([key]) => key);
  const rows = new Map(keys.map((key, row) => [key, row]));
  const columns = labelled.map((all) => ({
    keys: all.map(({ key }) => key),
    rows: Int32Array.from(all, (one) => rows.get(keyOf(textsOf(one))) ?? 0),
  }));
  return { texts: sorted.map(([, texts]) => texts), keys, columns };
}

/**
 * The plan of a bar list: a row for each series, in the given order, and the values of another metric beside
 * them.
 *
 * @param beside the series of that metric; a row has the value of the one with its labels.
 */
export function planOfSeries(
  series: readonly Series[],
  names: readonly string[],
  beside: readonly Series[] | null,
): Plan {
  const keys = series.map(({ key }) => key);
  const columns = [{ keys, rows: Int32Array.from(keys.keys()) }];
  if (beside !== null) {
    const others = new Map(beside.map(({ key, labels }) => [seriesKey("", labels), key]));
    const found = series.map(({ labels }) => others.get(seriesKey("", labels)) ?? "");
    columns.push({ keys: found, rows: columns[0].rows });
  }
  return { texts: names.map((name) => [name]), keys, columns };
}

/** Sort rows by one label, ties by name. */
export const byLabel = (plan: Plan, rows: readonly number[], at: number): number[] =>
  rows.toSorted((one, other) => NAMES.compare(plan.texts[one][at], plan.texts[other][at]) || one - other);

/** The rows with a label that contains a text, ignoring case. */
export function matching(plan: Plan, rows: readonly number[], text: string): readonly number[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return rows;
  return rows.filter((row) => plan.texts[row].some((one) => one.toLowerCase().includes(wanted)));
}

/**
 * The value of every row for each metric, NaN if it has none.
 *
 * @param adds for each metric, whether the series of a row are summed.
 */
export function valuesOf(
  plan: Plan,
  newest: (key: string) => number,
  adds: readonly boolean[],
): Float64Array[] {
  return plan.columns.map(({ keys, rows }, column) => {
    const values = new Float64Array(plan.keys.length).fill(Number.NaN);
    keys.forEach((key, i) => {
      const value = newest(key);
      if (!Number.isFinite(value)) return;
      const before = values[rows[i]];
      if (Number.isNaN(before)) values[rows[i]] = value;
      else values[rows[i]] = adds[column] ? before + value : Math.max(before, value);
    });
    return values;
  });
}

/** The rows with a current value. */
export function present(plan: Plan, values: readonly Float64Array[]): number[] {
  return [...plan.keys.keys()].filter((row) => values.some((column) => !Number.isNaN(column[row])));
}

/**
 * The rows to show, in order.
 *
 * Values that read the same are ties: rows that were shown before keep their order, then new ones follow by
 * name. Rows without a value come last.
 *
 * @param rows to choose from, by name.
 * @param values to sort by; null if the rows are already in order.
 * @param read formats a value; if two values read the same, so must all between them.
 * @param before returns a row's last shown place.
 */
export function ordered(
  rows: readonly number[],
  values: Float64Array | null,
  descending: boolean,
  limit: number,
  read: (value: number) => string,
  before: (row: number) => number | undefined,
): number[] {
  if (values === null) return (descending ? rows.toReversed() : rows).slice(0, limit);
  const sign = descending ? -1 : 1;
  const place = (row: number) => before(row) ?? Number.POSITIVE_INFINITY;
  const some = rows.filter((row) => !Number.isNaN(values[row]));
  const none = rows.filter((row) => Number.isNaN(values[row]));
  const last = lastShown(
    some.map((row) => sign * values[row]),
    limit,
    (value) => read(sign * value),
  );
  const candidates = some.filter((row) => sign * values[row] <= last);
  const texts = new Map(candidates.map((row) => [row, ""]));
  const text = memoized(read);
  for (const row of candidates) texts.set(row, text(values[row]));
  candidates.sort((one, other) => {
    if (texts.get(one) !== texts.get(other)) return sign * (values[one] - values[other]);
    const [a, b] = [place(one), place(other)];
    return a === b ? one - other : a - b;
  });
  return [...candidates, ...none].slice(0, limit);
}

/** The highest value that reads the same as the one at place `limit`; Infinity if there are fewer. */
function lastShown(values: readonly number[], limit: number, read: (value: number) => string): number {
  if (values.length <= limit) return Number.POSITIVE_INFINITY;
  const sorted = Float64Array.from(values).sort();
  const text = read(sorted[limit - 1]);
  let [same, other] = [limit - 1, sorted.length];
  while (other - same > 1) {
    const middle = (same + other) >> 1;
    if (read(sorted[middle]) === text) same = middle;
    else other = middle;
  }
  return sorted[same];
}

/** Cache formatted values: many rows share a value such as zero, and formatting one takes a microsecond. */
function memoized(read: (value: number) => string): (value: number) => string {
  const known = new Map<number, string>();
  return (value) => {
    const text = known.get(value) ?? read(value);
    known.set(value, text);
    return text;
  };
}
