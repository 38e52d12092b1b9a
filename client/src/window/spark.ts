/**
 * A spark, the values from before an alert fired until it is over, and its lines in a box of so many pixels. Pure:
 * times and values in, the texts of SVG paths out.
 */

/** Times in milliseconds since 1970, by the server's clock. */
export interface Spark {
  from: number;
  fired: number;
  /** Infinity while it fires. */
  ended: number;
  to: number;
  times: readonly number[];
  /** NaN where the series had no value. */
  values: readonly number[];
}

export interface SparkLines {
  line: string;
  /** Where the episode begins and ends, from the left. */
  episode: { left: number; right: number };
  /** Where the newest value is. */
  newest: { x: number; y: number };
  /** The height of the threshold, null when there is none to draw. */
  threshold: number | null;
}

const PAD = 3;

/** A path through the points; a gap where a value is NaN. */
function pathOf(xs: readonly number[], ys: readonly number[]): string {
  let path = "";
  let drawing = false;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) {
      drawing = false;
      continue;
    }
    path += `${drawing ? "L" : "M"}${xs[i].toFixed(1)} ${ys[i].toFixed(1)}`;
    drawing = true;
  }
  return path;
}

/** @param threshold is part of what is seen, however far from it the values are; undefined for none. */
export function sparkLines(
  { from, fired, ended, to, times, values }: Spark,
  threshold: number | undefined,
  width: number,
  height: number,
): SparkLines | null {
  const newest = values.findLastIndex(Number.isFinite);
  if (newest === -1) return null;
  const shown = values.filter(Number.isFinite);
  const all = threshold === undefined ? shown : [...shown, threshold];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high > low ? high - low : 1;
  const x = (time: number) => PAD + ((time - from) / (to - from)) * (width - 2 * PAD);
  const y = (value: number) => height - PAD - ((value - low) / span) * (height - 2 * PAD);
  return {
    line: pathOf(times.map(x), values.map(y)),
    episode: { left: Math.max(0, x(fired)), right: x(Math.min(ended, times[times.length - 1])) },
    newest: { x: x(times[newest]), y: y(values[newest]) },
    threshold: threshold === undefined ? null : y(threshold),
  };
}
