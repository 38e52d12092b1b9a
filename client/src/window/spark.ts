/**
 * A spark, the values around the moment that an alert fired, and its lines in a box of so many pixels. Pure: times
 * and values in, the texts of SVG paths out.
 */

/** Times in milliseconds since 1970, by the server's clock. */
export interface Spark {
  from: number;
  fired: number;
  to: number;
  times: readonly number[];
  /** NaN where the series had no value. */
  values: readonly number[];
}

export interface SparkLines {
  /** Before the alert fired, and from then on. */
  before: string;
  after: string;
  /** Where it fired, null when no value is known near it. */
  moment: { x: number; y: number } | null;
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
  { from, fired, to, times, values }: Spark,
  threshold: number | undefined,
  width: number,
  height: number,
): SparkLines | null {
  const shown = values.filter(Number.isFinite);
  if (shown.length === 0) return null;
  const all = threshold === undefined ? shown : [...shown, threshold];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const span = high > low ? high - low : 1;
  const y = (value: number) => height - PAD - ((value - low) / span) * (height - 2 * PAD);
  const xs = times.map((time) => PAD + ((time - from) / (to - from)) * (width - 2 * PAD));
  const ys = values.map(y);
  const after = times.findIndex((time) => time >= fired);
  const split = after === -1 ? times.length : after;
  const moment = split < times.length ? split : split - 1;
  return {
    // The lines meet where it fired.
    before: pathOf(xs.slice(0, split + 1), ys.slice(0, split + 1)),
    after: pathOf(xs.slice(split), ys.slice(split)),
    moment: Number.isFinite(ys[moment]) ? { x: xs[moment], y: ys[moment] } : null,
    threshold: threshold === undefined ? null : y(threshold),
  };
}
