/**
 * The cells of a heat map: which share of a histogram's values lies in each bucket, over time. Pure: the
 * buckets' rates in, rows, columns and shares out.
 *
 * At each tick, a bucket begins at the next lower bound that has a value, and ends at its own bound. So the
 * bounds may change over time and differ between series. Where a bucket covers several rows, its values are
 * spread evenly over them.
 *
 *   edges       -∞      10      20      50      ∞
 *   rows         |   0   |   1   |   2   |   3  |
 */
import { formatBeside, formatText } from "../format";
import type { Series } from "../link/protocol";
import type { Ring } from "./reduce";

/** The label with a bucket's upper bound. */
const BOUND = "le";

/** The buckets of one series of a histogram, by ascending bound. */
export interface BucketSet {
  bounds: readonly number[];
  /** The values of each bucket, in slots of the ring. */
  values: readonly Float64Array[];
  /** How many ticks each value is the average of; undefined if the values are ticks. */
  counts: readonly (Float64Array | undefined)[];
}

/** One or more ticks. */
export interface Column {
  from: number;
  to: number;
  /** The time of its newest tick. */
  time: number;
  /** Values per second, over all rows; NaN if the histogram has no buckets here. */
  total: number;
}

export interface Cells {
  /** The ends of the rows, ascending; empty if there are no values. */
  edges: readonly number[];
  columns: readonly Column[];
  /** The rows' values per second, column by column. */
  rates: Float64Array;
  /** The highest share of a cell. */
  most: number;
}

/**
 * Sort the bucket series of a histogram into sets.
 *
 * @param labels a series counts only if it has all of them.
 * @param ring returns the values of a series.
 * @param countsOf returns how many ticks each of them is the average of.
 */
export function bucketSets(
  all: readonly Series[],
  labels: Readonly<Record<string, string>>,
  ring: (key: string) => Float64Array | undefined,
  countsOf: (key: string) => Float64Array | undefined,
): BucketSet[] {
  const wanted = Object.entries(labels);
  const sets = new Map<string, { bound: number; values: Float64Array; counts: Float64Array | undefined }[]>();
  for (const series of all) {
    const { [BOUND]: text, ...others } = series.labels;
    const bound = text === "+Inf" ? Number.POSITIVE_INFINITY : Number.parseFloat(text ?? "");
    const values = ring(series.key);
    if (Number.isNaN(bound) || values === undefined) continue;
    if (wanted.some(([name, value]) => others[name] !== value)) continue;
    const key = JSON.stringify(Object.entries(others).sort());
    const bucket = { bound, values, counts: countsOf(series.key) };
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [bucket]);
    else set.push(bucket);
  }
  return Array.from(sets.values(), (set) => {
    set.sort((one, other) => one.bound - other.bound);
    return {
      bounds: set.map(({ bound }) => bound),
      values: set.map(({ values }) => values),
      counts: set.map(({ counts }) => counts),
    };
  });
}

/** How many ticks a bucket's value stands for; 0 if there is none. */
function weightOf({ values, counts }: BucketSet, place: number, slot: number): number {
  return Number.isNaN(values[place][slot]) ? 0 : (counts[place]?.[slot] ?? 1);
}

const isPowerOfTen = (value: number): boolean =>
  value === 0 || Number.isInteger(Number(Math.log10(Math.abs(value)).toFixed(9)));

/** Every so many numbers of a list, such that round ones are among them. */
export function everyOf(edges: readonly number[], step: number): number[] {
  const round = Math.max(0, edges.findIndex(isPowerOfTen));
  return [...edges.keys()].filter((place) => (place - round) % step === 0);
}

/** The ends of the rows: all bounds around the values. If there are more rows than about `most`, neighbours are merged. */
export function edgesOf(ring: Ring, sets: readonly BucketSet[], most: number): number[] {
  const bounds = new Set<number>();
  let bottom = Number.POSITIVE_INFINITY;
  let top = Number.NEGATIVE_INFINITY;
  for (const set of sets) {
    for (let i = 0; i < ring.ticks; i++) {
      const slot = (ring.oldest + i) % ring.times.length;
      let below = Number.NEGATIVE_INFINITY;
      for (let place = 0; place < set.bounds.length; place++) {
        const value = set.values[place][slot];
        if (Number.isNaN(value)) continue;
        const bound = set.bounds[place];
        bounds.add(bound);
        if (value > 0) {
          bottom = Math.min(bottom, below);
          top = Math.max(top, bound);
        }
        below = bound;
      }
    }
  }
  if (bottom > top) return [];
  const inner = [...bounds].filter((bound) => bottom < bound && bound < top).sort((a, b) => a - b);
  const edges = [bottom, ...inner, top];
  const step = Math.ceil((edges.length - 1) / Math.max(1, most));
  if (step === 1) return edges;
  const kept = new Set(everyOf(edges, step));
  return edges.filter((_, place) => place === 0 || place === edges.length - 1 || kept.has(place));
}

/** The place of the row that ends at or above a value. */
function rowAt(edges: readonly number[], value: number): number {
  let row = 0;
  while (row < edges.length - 2 && edges[row + 1] < value) row++;
  return row;
}

/** The columns: one for each tick, or for each `columnMs` if that is longer. */
function columnsOf(ring: Ring, intervalMs: number, columnMs: number): { columns: Column[]; of: Int32Array } {
  const columns: Column[] = [];
  const of = new Int32Array(ring.ticks);
  const single = columnMs <= intervalMs;
  let last = Number.NaN;
  for (let i = 0; i < ring.ticks; i++) {
    const time = ring.times[(ring.oldest + i) % ring.times.length];
    const here = single ? i : Math.floor(time / columnMs);
    if (here !== last) {
      const from = single ? time - intervalMs / 2 : here * columnMs;
      columns.push({ from, to: from + (single ? intervalMs : columnMs), time, total: Number.NaN });
      last = here;
    }
    columns[columns.length - 1].time = time;
    of[i] = columns.length - 1;
  }
  return { columns, of };
}

/**
 * @param intervalMs between two ticks.
 * @param columnMs the least width of a column.
 * @param most the most rows.
 */
export function cellsOf(
  ring: Ring,
  sets: readonly BucketSet[],
  { intervalMs, columnMs, most }: { intervalMs: number; columnMs: number; most: number },
): Cells {
  const edges = edgesOf(ring, sets, most);
  const { columns, of } = columnsOf(ring, intervalMs, columnMs);
  const rows = Math.max(0, edges.length - 1);
  const rates = new Float64Array(columns.length * rows);
  const ticks = ticksOf(ring, sets, of, columns.length);
  for (const set of sets) {
    const ends = set.bounds.map((bound) => rowAt(edges, bound));
    for (let i = 0; i < ring.ticks; i++) {
      const slot = (ring.oldest + i) % ring.times.length;
      const column = columns[of[i]];
      let first = 0;
      for (let place = 0; place < ends.length; place++) {
        const weight = weightOf(set, place, slot);
        if (weight === 0) continue;
        // A bucket that appeared within the time of an average has fewer ticks than the others.
        const rate = (set.values[place][slot] * weight) / ticks[of[i]];
        column.total = (column.total || 0) + rate;
        const last = ends[place];
        if (rate > 0) spread(rates, of[i] * rows, first, last, rate);
        // The next bucket begins in the row above this one's bound.
        first = edges[last + 1] <= set.bounds[place] ? last + 1 : last;
      }
    }
  }
  let highest = 0;
  columns.forEach(({ total }, column) => {
    if (!(total > 0)) return;
    for (let row = 0; row < rows; row++) highest = Math.max(highest, rates[column * rows + row] / total);
  });
  return { edges, columns, rates, most: highest };
}

/** How many ticks with values each column has. */
function ticksOf(ring: Ring, sets: readonly BucketSet[], of: Int32Array, columns: number): Float64Array {
  const ticks = new Float64Array(columns);
  for (let i = 0; i < ring.ticks; i++) {
    const slot = (ring.oldest + i) % ring.times.length;
    let most = 0;
    for (const set of sets)
      for (let place = 0; place < set.bounds.length; place++)
        most = Math.max(most, weightOf(set, place, slot));
    ticks[of[i]] += most;
  }
  return ticks;
}

function spread(rates: Float64Array, start: number, first: number, last: number, rate: number): void {
  const from = Math.min(first, last);
  for (let row = from; row <= last; row++) rates[start + row] += rate / (last - from + 1);
}

/** The values per second in a cell, and its share of its column; a share of 0 if the column has no values. */
export function cellAt(cells: Cells, column: number, row: number): { rate: number; share: number } {
  const { columns, edges, rates } = cells;
  const rate = rates[column * (edges.length - 1) + row] ?? Number.NaN;
  const { total } = columns[column];
  return { rate, share: total > 0 ? rate / total : 0 };
}

/** The row with the highest share in a column; null if it has no values. */
export function fullestRow(cells: Cells, column: number): number | null {
  let found: number | null = null;
  let most = 0;
  for (let row = 0; row < cells.edges.length - 1; row++) {
    const { share } = cellAt(cells, column, row);
    if (share > most) [found, most] = [row, share];
  }
  return found;
}

const short = (text: string): string => text.replace(/\.0+(?=\D|$)/, "");

/** The text of a bound beside the metric's unit: `100`, `1.5 s`. */
export const edgeText = (edge: number, unit: string): string => short(formatBeside(edge, unit, unit));

/** `100–150 ms`, `up to 5 ms`, `over 10 s`. */
export function rowText([from, to]: readonly [number, number], unit: string): string {
  const [low, high] = [from, to].map((edge) => short(formatText(edge, unit)));
  if (!Number.isFinite(from)) return Number.isFinite(to) ? `up to ${high}` : "all values";
  if (!Number.isFinite(to)) return `over ${low}`;
  const [number, ...words] = high.split(" ");
  const suffix = words.length === 0 ? "" : ` ${words.join(" ")}`;
  return suffix !== "" && low.endsWith(suffix)
    ? `${low.slice(0, -suffix.length)}–${number}${suffix}`
    : `${low}–${high}`;
}

/** The text of a row of cells. */
export const cellText = ({ edges }: Cells, row: number, unit: string): string =>
  rowText([edges[row], edges[row + 1]], unit);

/** `24 %`, `< 1 %`. */
export function shareText(share: number): string {
  if (share === 0) return "0 %";
  return share < 0.01 ? "< 1 %" : `${Math.round(share * 100)} %`;
}
