/**
 * The SVG geometry of a row's line: the values before in the left half, those after in the right half, and
 * around both the extremes of each bucket. Pure: values in, SVG paths out.
 */
import type { ChangeLine, Values } from "../stores/changelines";

export interface ChangePaths {
  /** The averages. */
  line: string;
  /** From the lowest to the highest value. */
  band: string;
}

const PAD = 3;
/** The least height of the scale as a share of the values: noise stays flat. */
const LEAST_SHARE = 0.14;
/** Two buckets further apart have a gap between them. */
const GAP_BUCKETS = 2.5;

interface Scale {
  x(time: number): number;
  y(value: number): number;
}

const point = (x: number, y: number): string => `${x.toFixed(1)} ${y.toFixed(1)}`;

/** The stretches of buckets without a gap, as pairs of indices; the second is exclusive. */
function* stretches({ times, avg, resolutionMs }: Values): Generator<[number, number]> {
  let start = -1;
  for (let i = 0; i <= times.length; i++) {
    const goesOn = i < times.length && Number.isFinite(avg[i]);
    const after = start !== -1 && times[i] - times[i - 1] > GAP_BUCKETS * resolutionMs;
    if (start !== -1 && (!goesOn || after)) {
      yield [start, i];
      start = -1;
    }
    if (goesOn && start === -1) start = i;
  }
}

function pathsOf(values: Values, { x, y }: Scale): ChangePaths {
  const { times, avg, min, max } = values;
  let [line, band] = ["", ""];
  for (const [from, to] of stretches(values)) {
    const along = (column: Float64Array) =>
      Array.from(column.subarray(from, to), (value, i) => point(x(times[from + i]), y(value)));
    line += `M${along(avg).join("L")}`;
    // A single bucket is a dot.
    if (to === from + 1) line += "h0.1";
    band += `M${[...along(max), ...along(min).reverse()].join("L")}Z`;
  }
  return { line, band };
}

/** Null if neither range has a value. */
export function changePaths(
  { before, after }: ChangeLine,
  width: number,
  height: number,
): ChangePaths | null {
  const lows = [...before.min, ...after.min].filter(Number.isFinite);
  const highs = [...before.max, ...after.max].filter(Number.isFinite);
  if (lows.length === 0) return null;
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const span = Math.max(high - low, LEAST_SHARE * Math.max(Math.abs(low), Math.abs(high))) || 1;
  const bottom = (low + high - span) / 2;
  const y = (value: number) => height - PAD - ((value - bottom) / span) * (height - 2 * PAD);
  const half = (at: number, { range: { from, to } }: Values): Scale => ({
    y,
    x: (time) => at + (Math.max(0, time - from) / (to - from)) * (width / 2),
  });
  const [left, right] = [pathsOf(before, half(0, before)), pathsOf(after, half(width / 2, after))];
  return { line: left.line + right.line, band: left.band + right.band };
}
