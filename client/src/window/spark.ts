/**
 * The SVG geometry of a spark: an alert's values from before it fired until it ended. Pure: times and values
 * in, SVG paths out.
 */

/** Times in milliseconds since 1970, by the server's clock. */
export interface Spark {
  from: number;
  fired: number;
  /** Infinity while the alert fires. */
  ended: number;
  to: number;
  times: readonly number[];
  /** NaN where the series had no value. */
  values: readonly number[];
}

export interface SparkLines {
  line: string;
  /** Start and end of the episode, from the left. */
  episode: { left: number; right: number };
  /** Position of the newest value. */
  newest: { x: number; y: number };
  /** Height of the threshold, null if there is none. */
  threshold: number | null;
}

const PAD = 3;

/** A path through the points, with a gap at each NaN. */
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

/** @param threshold always in view, however far the values are from it; undefined for none. */
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
