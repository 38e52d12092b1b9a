/**
 * The lines of a scene on its canvas: single ones, with the extremes of their buckets as bands, and stacks.
 * It must not know axes, labels or the cursor.
 */
import { DAY_MS } from "../time/zone";
import type { Range } from "./axis";
import { drawDot, drawIsolated, type Place, traceArea, traceBetween, traceLine } from "./painting";
import { type Band, farAmong, Points, type Ring } from "./reduce";
import { type Box, colorOf, columnsOf, type Scene, type SceneLine } from "./scene";
import { addToStack, beginStack, stackExtent, stackPeaks } from "./stack";

/** Where a scene is drawn. */
export interface Layout {
  box: Box;
  range: Range;
  from: number;
  to: number;
  x: Place;
  y: Place;
  /** Heights of the labels at the lines' ends; empty if they are not drawn. */
  labels: readonly number[];
}

export const DOT = 2.5;
export const LINE = 1.5;
const ISOLATED_LINE = 2;
const STACKED_LINE = 1.25;
const HALO = 4.5;
/** With more highlighted lines than this, none gets a halo. */
const MOST_HALOS = 3;
const GHOST_ALPHA = 0.6;
const AREA_ALPHA = 0.08;
/** With more bands than this, they are mud. */
const MOST_BANDS = 2;
/** A bucket's extreme is drawn as a line of its own if it is this many times as far as around it. */
const FAR_TIMES = 3;
const FAR_AT_LEAST_PX = 3;
const FAR_AROUND = 10;
/** Without a band it is also drawn if it is this share of the height away. */
const FAR_SHARE = 0.15;
const BEFORE_DASH = [3, 3];
const FAR_ALPHA = 0.5;
const FAR_ALPHA_UNBANDED = 0.3;
const STACK_ALPHA = 0.28;
/** Stack layers thinner than this get no line. */
const THIN = 2;

/** Buffers for the points of lines, valid during one drawing and shared by all plots. */
const pool: Points[] = [];
const layer = new Points();
const [upper, lower] = [new Points(), new Points()];
let sums = new Float64Array(0);
let tops = new Float64Array(0);
let peaks = new Float64Array(0);

const pointsAt = (line: number): Points => {
  pool[line] ??= new Points();
  return pool[line];
};

/**
 * Read the points of a scene's lines for the drawing that follows; return the lowest and the highest value,
 * NaN if there is none.
 *
 * @param pixels the width of the canvas.
 */
export function takeLines(scene: Scene, pixels: number): [low: number, high: number] {
  const [low, high] = scene.stacked ? takeStack(scene) : takeSingle(scene, pixels);
  const all = [low, high, ...beforeOf(scene).flatMap(({ values }) => [...values])].filter(Number.isFinite);
  return all.length === 0 ? [low, high] : [Math.min(...all), Math.max(...all)];
}

export function drawLines(
  context: CanvasRenderingContext2D,
  scene: Scene,
  layout: Layout,
  pixels: number,
): void {
  drawBefore(context, scene, layout, pixels);
  if (scene.stacked) drawStack(context, scene, layout, pixels);
  else drawSingle(context, scene, layout, pixels);
}

/** The lines of the day before: of those that stand out, or the sum of a stack. */
function beforeOf(scene: Scene): { values: Float64Array; color: string }[] {
  if (scene.before === null) return [];
  const lines = scene.lines.flatMap((line) =>
    line.before === undefined ? [] : { line, values: line.before },
  );
  if (!scene.stacked)
    return lines
      .filter(({ line }) => standsOut(scene, line))
      .map(({ line, values }) => ({ values, color: colorOf(scene, line) }));
  const values = new Float64Array(scene.before.times.length).fill(Number.NaN);
  for (const { values: more } of lines)
    for (let slot = 0; slot < values.length; slot++) {
      if (!Number.isNaN(more[slot])) values[slot] = (values[slot] || 0) + more[slot];
    }
  return [{ values, color: scene.colors.textSoft }];
}

function drawBefore(context: CanvasRenderingContext2D, scene: Scene, { x, y }: Layout, pixels: number): void {
  if (scene.before === null) return;
  context.lineWidth = 1;
  context.setLineDash(BEFORE_DASH);
  for (const { values, color } of beforeOf(scene)) {
    upper.take(scene.before, values, scene.spanMs, pixels);
    context.strokeStyle = color;
    context.beginPath();
    traceLine(context, upper, (time) => x(time + DAY_MS), y);
    context.stroke();
  }
  context.setLineDash([]);
}

/** Whether a line is drawn in its colour, before the others. */
function standsOut({ isolated }: Scene, line: SceneLine): boolean {
  return isolated === null ? line.color !== null && !line.stale : isolated.has(line.key);
}

/** The lines whose extremes are a band: the first ones in colour, unless the day before is there. */
function bandedOf(scene: Scene): number[] {
  if (scene.before !== null) return [];
  const front = scene.lines.flatMap((line, i) => (standsOut(scene, line) ? [i] : []));
  return front.slice(0, MOST_BANDS).filter((i) => scene.lines[i].band !== undefined);
}

function takeSingle(scene: Scene, pixels: number): [low: number, high: number] {
  const { lines, ring, spanMs } = scene;
  let low = Number.NaN;
  let high = Number.NaN;
  lines.forEach((line, i) => {
    const points = pointsAt(i);
    if (line.values === undefined) points.length = 0;
    else if (line.band === undefined) points.take(ring, line.values, spanMs, pixels);
    else points.takeBand(ring, line.band, spanMs, pixels);
    const { values, length } = points;
    for (let at = 0; at < length; at++) {
      const value = values[at];
      if (value < low || (Number.isNaN(low) && !Number.isNaN(value))) low = value;
      if (value > high || (Number.isNaN(high) && !Number.isNaN(value))) high = value;
    }
    if (line.band !== undefined && line.values !== undefined) points.take(ring, line.values, spanMs, pixels);
  });
  return [low, high];
}

function drawSingle(context: CanvasRenderingContext2D, scene: Scene, layout: Layout, pixels: number): void {
  const { box, x, y } = layout;
  const { lines, colors, isolated, ring } = scene;
  const [back, front]: [number[], number[]] = [[], []];
  lines.forEach((line, i) => {
    (standsOut(scene, line) ? front : back).push(i);
  });
  // The first line's band ends up on top.
  const bands = bandedOf(scene).reverse();
  for (const i of bands) drawBand(context, scene, lines[i], layout, pixels);
  context.strokeStyle = context.fillStyle = colors.ghost;
  context.globalAlpha = GHOST_ALPHA;
  context.lineWidth = 1;
  for (const i of back) {
    context.beginPath();
    traceLine(context, pointsAt(i), x, y);
    context.stroke();
    drawIsolated(context, pointsAt(i), x, y, 1);
    drawFar(context, ring, lines[i], layout, FAR_SHARE * box.height);
  }
  context.globalAlpha = 1;
  // Drawn last to first: the first line ends up on top.
  for (const i of front.reverse()) {
    const points = pointsAt(i);
    const color = colorOf(scene, lines[i]);
    if (lines.length === 1 && lines[i].band === undefined) drawArea(context, scene, layout, color);
    context.beginPath();
    traceLine(context, points, x, y);
    if (isolated !== null && front.length <= MOST_HALOS) {
      context.strokeStyle = colors.surface;
      context.lineWidth = HALO;
      context.stroke();
    }
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = isolated === null ? LINE : ISOLATED_LINE;
    context.stroke();
    drawIsolated(context, points, x, y, LINE);
    const banded = bands.includes(i);
    context.globalAlpha = banded ? FAR_ALPHA : FAR_ALPHA_UNBANDED;
    drawFar(context, ring, lines[i], layout, banded ? Number.POSITIVE_INFINITY : FAR_SHARE * box.height);
    context.globalAlpha = 1;
  }
  const newest = (ring.oldest + ring.ticks - 1) % ring.times.length;
  for (const i of front) {
    const value = lines[i].values?.[newest] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    context.fillStyle = colorOf(scene, lines[i]);
    drawDot(context, Math.min(x(ring.times[newest]), box.left + box.width), y(value), DOT);
  }
}

/** The area below a chart's only line, if its axis begins at zero. */
function drawArea(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { range, x, y }: Layout,
  color: string,
): void {
  if (range.min > 0 || scene.scale === "log") return;
  context.fillStyle = color;
  context.globalAlpha = AREA_ALPHA;
  context.beginPath();
  traceArea(context, pointsAt(0), x, y, y(0));
  context.fill();
  context.globalAlpha = 1;
}

function drawBand(
  context: CanvasRenderingContext2D,
  scene: Scene,
  { band, ...line }: SceneLine,
  { x, y }: Layout,
  pixels: number,
): void {
  if (band === undefined) return;
  upper.take(scene.ring, band.highs, scene.spanMs, pixels);
  lower.take(scene.ring, band.lows, scene.spanMs, pixels);
  context.fillStyle = colorOf(scene, line);
  context.globalAlpha = scene.colors.band;
  context.beginPath();
  traceBetween(context, upper, lower, x, y);
  context.fill();
  context.globalAlpha = 1;
}

/**
 * Draw the extremes of buckets that are far from the average, so that a short peak is seen: as thin lines from
 * the average.
 *
 * @param least the distance in pixels that is far in any case.
 */
function drawFar(
  context: CanvasRenderingContext2D,
  ring: Ring,
  line: { values: Float64Array | undefined; band?: Pick<Band, "lows" | "highs"> },
  { x, y }: Layout,
  least: number,
): void {
  const { values, band } = line;
  if (values === undefined || band === undefined) return;
  const away = new Float64Array(ring.ticks);
  context.lineWidth = 1;
  context.beginPath();
  for (const extremes of [band.highs, band.lows]) {
    for (let i = 0; i < ring.ticks; i++) {
      const slot = (ring.oldest + i) % ring.times.length;
      away[i] = Math.abs(y(extremes[slot]) - y(values[slot])) || 0;
    }
    for (const i of farAmong(away, {
      times: FAR_TIMES,
      around: FAR_AROUND,
      atLeast: FAR_AT_LEAST_PX,
      least,
    })) {
      const slot = (ring.oldest + i) % ring.times.length;
      context.moveTo(x(ring.times[slot]), y(values[slot]));
      context.lineTo(x(ring.times[slot]), y(extremes[slot]));
    }
  }
  context.stroke();
}

/** The lowest and the highest point of a stack, with the peaks of its buckets. */
function takeStack(scene: Scene): [low: number, high: number] {
  const columns = columnsOf(scene);
  const [low, high] = stackExtent(columns, sumsFor(scene));
  if (!stackPeaks(columns, bandsOf(scene), peaks)) return [low, high];
  return [low, peaks.reduce((most, peak) => (peak > most ? peak : most), high)];
}

const bandsOf = ({ lines }: Scene) => lines.map(({ band }) => band);

function drawStack(context: CanvasRenderingContext2D, scene: Scene, layout: Layout, pixels: number): void {
  const { x, y } = layout;
  const { lines, ring, isolated, spanMs, colors } = scene;
  const thin = THIN / (y(0) - y(1));
  const columns = columnsOf(scene);
  beginStack(columns, sumsFor(scene));
  let below = pointsAt(0);
  below.take(ring, sums, spanMs, pixels);
  lines.forEach((line, i) => {
    const { values } = line;
    addToStack(values, sums);
    for (let slot = 0; slot < sums.length; slot++) {
      tops[slot] = Math.abs(values?.[slot] || 0) < thin ? Number.NaN : sums[slot];
    }
    const above = pointsAt((i + 1) % 2);
    above.take(ring, sums, spanMs, pixels);
    const stands = !line.stale && (isolated === null ? line.color !== null : isolated.has(line.key));
    const color = stands ? colorOf(scene, line) : colors.ghost;
    context.fillStyle = context.strokeStyle = color;
    context.globalAlpha = STACK_ALPHA;
    context.beginPath();
    traceBetween(context, above, below, x, y);
    context.fill();
    context.globalAlpha = 1;
    layer.take(ring, tops, spanMs, pixels);
    context.lineWidth = STACKED_LINE;
    context.beginPath();
    traceLine(context, layer, x, y);
    context.stroke();
    below = above;
  });
  if (!stackPeaks(columns, bandsOf(scene), peaks)) return;
  // The peaks belong to no single layer, so they have no line's colour.
  upper.take(ring, peaks, spanMs, pixels);
  context.fillStyle = context.strokeStyle = colors.textFaint;
  context.globalAlpha = colors.band;
  context.beginPath();
  traceBetween(context, upper, below, x, y);
  context.fill();
  context.globalAlpha = FAR_ALPHA;
  drawFar(
    context,
    ring,
    { values: sums, band: { lows: sums, highs: peaks } },
    layout,
    Number.POSITIVE_INFINITY,
  );
  context.globalAlpha = 1;
}

/** The buffer for the sums of a stack, one per slot of the ring. */
function sumsFor({ ring }: Scene): Float64Array {
  if (sums.length !== ring.times.length) {
    [sums, tops, peaks] = [sums, tops, peaks].map(() => new Float64Array(ring.times.length));
  }
  return sums;
}
