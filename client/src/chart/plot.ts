/**
 * One chart on a canvas: draws a scene and finds the tick or line at a position. The cursor has its own
 * canvas, so moving it redraws no line. It must not know stores, signals or the document around it.
 *
 *    axis │ shades, grid, lines, thresholds │ labels
 *         └─────────────────────────────────┘
 *                     times
 */
import type { Range } from "./axis";
import { pushApart } from "./labels";
import { drawDot, drawIsolated, type Place, rule, traceArea, traceBetween, traceLine } from "./painting";
import { Points } from "./reduce";
import {
  axisLabels,
  axisWidth,
  type Box,
  boxOf,
  colorOf,
  columnsOf,
  isSame,
  LABEL,
  labelPlaces,
  labelsWidth,
  lastText,
  rangeOf,
  type Scene,
  type SceneLine,
  timeLabels,
  valueScale,
} from "./scene";
import { addToStack, beginStack, stackExtent } from "./stack";
import { Surface } from "./surface";
import { BOLD, FONT, textWidth } from "./text";

const LINE = 1.5;
const ISOLATED_LINE = 2;
const STACKED_LINE = 1.25;
const HALO = 4.5;
/** With more highlighted lines than this, none gets a halo. */
const MOST_HALOS = 3;
const GHOST_ALPHA = 0.6;
const AREA_ALPHA = 0.08;
const BAND_ALPHA = 0.2;
/** With more bands than this, they are mud: the other lines then show their extremes themselves. */
const MOST_BANDS = 2;
const STACK_ALPHA = 0.28;
const SHADE_ALPHA = 0.08;
const THRESHOLD_ALPHA = 0.8;
const DOT = 2.5;
const CURSOR_DOT = 3;
const EPISODE_HEIGHT = 3;
/** Stack layers thinner than this get no line. */
const THIN = 2;
const TEXT_HEIGHT = 14;
/** Distance from the baseline of an 11-pixel text to its middle. */
const MIDDLE = 4;

/** Buffers for the points of lines, valid during one drawing and shared by all plots. */
const pool: Points[] = [];
const layer = new Points();
const [upper, lower] = [new Points(), new Points()];
let sums = new Float64Array(0);
let tops = new Float64Array(0);

const pointsAt = (line: number): Points => {
  pool[line] ??= new Points();
  return pool[line];
};

interface Layout {
  box: Box;
  range: Range;
  from: number;
  to: number;
  x: Place;
  y: Place;
  /** Heights of the labels at the lines' ends; empty if they are not drawn. */
  labels: readonly number[];
}

export class Plot {
  private readonly surface: Surface;
  private overlay: Surface | null = null;
  private scene: Scene | null = null;
  private layout: Layout | null = null;
  private range: Range | null = null;
  private cursor: number | null = null;
  private drawnSize = "";

  constructor(private readonly element: HTMLElement) {
    this.surface = new Surface(element);
  }

  /** The range of the value axis in the last drawing. */
  get axis(): Range {
    return this.layout?.range ?? { min: 0, max: 1 };
  }

  /** Whether the last drawing had room for the labels at the lines' ends. */
  get hasLabels(): boolean {
    return (this.layout?.labels.length ?? 0) > 0;
  }

  get canvas(): HTMLCanvasElement {
    return this.surface.canvas;
  }

  draw(scene: Scene): void {
    if (!this.surface.fit()) return;
    const { width, height, ratio } = this.surface;
    const size = `${width} ${height} ${ratio}`;
    if (size === this.drawnSize && this.scene !== null && isSame(scene, this.scene)) return;
    if (scene.scale !== this.scene?.scale || scene.unit !== this.scene.unit) this.range = null;
    this.drawnSize = size;
    this.scene = scene;
    const context = this.surface.begin();
    context.font = FONT;
    context.lineJoin = "round";
    const layout = this.arrange(scene, context);
    this.layout = layout;
    this.drawShades(context, scene, layout);
    this.drawAxes(context, scene, layout);
    context.save();
    context.beginPath();
    context.rect(layout.box.left, layout.box.top - DOT, layout.box.width + DOT, layout.box.height + 2 * DOT);
    context.clip();
    if (scene.stacked) this.drawStack(context, scene, layout);
    else this.drawLines(context, scene, layout);
    context.restore();
    this.drawThresholds(context, scene, layout);
    this.drawEpisodes(context, scene, layout);
    this.drawLabels(context, scene, layout);
    if (this.cursor !== null) this.drawCursor();
  }

  /** Move the cursor to a time; null removes it. */
  moveCursor(time: number | null): void {
    if (time === this.cursor && time === null) return;
    this.cursor = time;
    this.drawCursor();
  }

  /** The index of the tick nearest to a position, oldest first; null outside the axes. */
  tickAt(x: number): number | null {
    const { scene, layout } = this;
    if (scene === null || layout === null || scene.ring.ticks === 0) return null;
    const { left, width } = layout.box;
    if (x < left - DOT || x > left + width + DOT) return null;
    return this.nearestTick(layout.from + ((x - left) / width) * scene.spanMs);
  }

  /** The index of the tick nearest to a time. */
  nearestTick(time: number): number {
    const { times, oldest, ticks } = (this.scene as Scene).ring;
    const at = (index: number): number => times[(oldest + index) % times.length];
    let [low, high] = [0, ticks - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low > 0 && time - at(low - 1) < at(low) - time ? low - 1 : low;
  }

  /** The key of the line whose label is at a position; undefined if there is none. */
  labelAt(x: number, y: number): string | undefined {
    const { scene, layout } = this;
    if (scene === null || layout === null || x < layout.box.left + layout.box.width + LABEL.FROM_PLOT)
      return undefined;
    const i = layout.labels.findIndex((place) => Math.abs(place - y) <= TEXT_HEIGHT / 2);
    return scene.lines[i]?.key;
  }

  /** The key of the line nearest to a height at a tick; undefined if none has a value there. */
  nearestLine(tick: number, y: number): string | undefined {
    const { scene, layout } = this;
    if (scene === null || layout === null) return undefined;
    const slot = (scene.ring.oldest + tick) % scene.ring.times.length;
    let [found, least, sum] = [undefined as string | undefined, Number.POSITIVE_INFINITY, 0];
    for (const { key, values } of scene.lines) {
      const value = values?.[slot] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      const height = layout.y(scene.stacked ? sum + value / 2 : value);
      sum += value;
      if (Math.abs(height - y) < least) [found, least] = [key, Math.abs(height - y)];
    }
    return found;
  }

  destroy(): void {
    this.surface.remove();
    this.overlay?.remove();
  }

  private arrange(scene: Scene, context: CanvasRenderingContext2D): Layout {
    const { width, height, ratio } = this.surface;
    const { ring, lines, spanMs, until } = scene;
    const pixels = Math.max(1, Math.round(width * ratio));
    const [low, high] = scene.stacked
      ? stackExtent(columnsOf(scene), sumsFor(scene))
      : takeLines(scene, pixels);
    this.range = rangeOf(scene, this.range, low, high);
    const { range } = this;
    const logarithmic = scene.scale === "log";
    const axis = axisLabels(range, boxOf(width, height, 0, 0).height, scene.unit, logarithmic);
    const values = scene.labelled ? lines.map((line) => lastText(scene, line)) : [];
    const right = scene.labelled ? labelsWidth(context, lines, values, width) : null;
    const box = boxOf(width, height, axisWidth(context, axis.texts), right ?? 0);
    const y = valueScale(range, box, logarithmic);
    // With several ticks per pixel, the picture moves by whole pixels.
    const pixelMs = spanMs / pixels;
    const to = ring.ticks > 2 * pixels ? (Math.floor(until / pixelMs) + 1) * pixelMs : until;
    const from = to - spanMs;
    const factor = box.width / spanMs;
    const x = (time: number): number => box.left + (time - from) * factor;
    const wanted = right === null ? [] : labelPlaces(scene, y, box);
    const labels = pushApart(
      wanted,
      Math.min(TEXT_HEIGHT + 1, box.height / Math.max(1, lines.length - 1)),
      box.top + 3,
      box.top + box.height,
    );
    return { box, range, from, to, x, y, labels };
  }

  private drawShades(context: CanvasRenderingContext2D, { shades, colors }: Scene, layout: Layout): void {
    const { box } = layout;
    context.globalAlpha = SHADE_ALPHA;
    for (const shade of shades) {
      const [left, width] = shadeExtent(shade, layout);
      if (width === 0) continue;
      context.fillStyle = colors.severity[shade.severity];
      context.fillRect(left, box.top, width, box.height);
    }
    context.globalAlpha = 1;
  }

  private drawEpisodes(context: CanvasRenderingContext2D, { shades, colors }: Scene, layout: Layout): void {
    const { box } = layout;
    for (const shade of shades) {
      const [left, width] = shadeExtent(shade, layout);
      if (width === 0) continue;
      context.fillStyle = colors.severity[shade.severity];
      context.fillRect(left, box.top + box.height - EPISODE_HEIGHT + 1, width, EPISODE_HEIGHT);
    }
  }

  private drawAxes(
    context: CanvasRenderingContext2D,
    scene: Scene,
    { box, range, from, to, x, y }: Layout,
  ): void {
    const { surface } = this;
    const { colors, unit } = scene;
    const axis = axisLabels(range, box.height, unit, scene.scale === "log");
    context.lineWidth = 1;
    context.fillStyle = colors.textFaint;
    context.textAlign = "right";
    axis.values.forEach((value, i) => {
      const place = surface.sharp(y(value));
      context.strokeStyle = value === 0 || value === range.min ? colors.axis : colors.grid;
      rule(context, box.left, place, box.left + box.width, place);
      context.fillText(axis.texts[i], box.left - LABEL.FROM_PLOT, place + MIDDLE - 0.5);
    });
    const times = timeLabels(from, to, box.width);
    const foot = box.top + box.height;
    context.textAlign = "center";
    context.strokeStyle = colors.axis;
    times.values.forEach((time, i) => {
      const half = textWidth(context, times.texts[i]) / 2;
      const place = x(time);
      if (place - half < 0 || place + half > surface.width) return;
      context.fillText(times.texts[i], place, foot + 16);
      rule(context, surface.sharp(place), foot, surface.sharp(place), foot + 3);
    });
  }

  private drawLines(context: CanvasRenderingContext2D, scene: Scene, { box, range, x, y }: Layout): void {
    const { lines, colors, isolated, ring } = scene;
    const [back, front]: [number[], number[]] = [[], []];
    lines.forEach((line, i) => {
      (standsOut(scene, line) ? front : back).push(i);
    });
    for (const i of bandedOf(scene)) this.drawBand(context, scene, lines[i], x, y);
    context.strokeStyle = context.fillStyle = colors.ghost;
    context.globalAlpha = GHOST_ALPHA;
    context.lineWidth = 1;
    for (const i of back) {
      context.beginPath();
      traceLine(context, pointsAt(i), x, y);
      context.stroke();
      drawIsolated(context, pointsAt(i), x, y, 1);
    }
    context.globalAlpha = 1;
    // Drawn last to first: the first line ends up on top.
    for (const i of front.reverse()) {
      const points = pointsAt(i);
      const color = colorOf(scene, lines[i]);
      if (lines.length === 1 && lines[i].band === undefined && range.min <= 0 && scene.scale !== "log") {
        context.fillStyle = color;
        context.globalAlpha = AREA_ALPHA;
        context.beginPath();
        traceArea(context, points, x, y, y(Math.max(range.min, 0)));
        context.fill();
        context.globalAlpha = 1;
      }
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
    }
    const newest = (ring.oldest + ring.ticks - 1) % ring.times.length;
    for (const i of front) {
      const value = lines[i].values?.[newest] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      context.fillStyle = colorOf(scene, lines[i]);
      drawDot(context, Math.min(x(ring.times[newest]), box.left + box.width), y(value), DOT);
    }
  }

  private drawBand(
    context: CanvasRenderingContext2D,
    scene: Scene,
    line: SceneLine,
    ...[x, y]: [Place, Place]
  ): void {
    const { band } = line;
    if (band === undefined) return;
    const pixels = Math.max(1, Math.round(this.surface.width * this.surface.ratio));
    upper.take(scene.ring, band.highs, scene.spanMs, pixels);
    lower.take(scene.ring, band.lows, scene.spanMs, pixels);
    context.fillStyle = colorOf(scene, line);
    context.globalAlpha = BAND_ALPHA;
    context.beginPath();
    traceBetween(context, upper, lower, x, y);
    context.fill();
    context.globalAlpha = 1;
  }

  private drawStack(context: CanvasRenderingContext2D, scene: Scene, { y, x }: Layout): void {
    const { lines, ring, isolated, spanMs, colors } = scene;
    const pixels = Math.max(1, Math.round(this.surface.width * this.surface.ratio));
    const thin = THIN / (y(0) - y(1));
    beginStack(columnsOf(scene), sumsFor(scene));
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
  }

  private drawThresholds(context: CanvasRenderingContext2D, scene: Scene, { box, range, y }: Layout): void {
    const { colors, thresholds } = scene;
    for (const { value, severity, label } of thresholds) {
      if (value <= range.min || value > range.max) continue;
      const place = this.surface.sharp(y(value));
      context.strokeStyle = colors.severity[severity];
      context.globalAlpha = THRESHOLD_ALPHA;
      context.lineWidth = 1;
      context.setLineDash([4, 3]);
      rule(context, box.left, place, box.left + box.width, place);
      context.setLineDash([]);
      context.globalAlpha = 1;
      // Above its line, or below it at the top of the plot.
      const foot = place - box.top < TEXT_HEIGHT ? place + TEXT_HEIGHT - 2 : place - MIDDLE;
      context.textAlign = "left";
      context.strokeStyle = colors.surface;
      context.lineWidth = 3;
      context.strokeText(label, box.left + 4, foot);
      context.fillStyle = colors.severityText[severity];
      context.fillText(label, box.left + 4, foot);
    }
  }

  private drawLabels(context: CanvasRenderingContext2D, scene: Scene, { box, labels }: Layout): void {
    if (labels.length === 0) return;
    const { colors, isolated, lines } = scene;
    const left = box.left + box.width + LABEL.FROM_PLOT;
    const stands = (line: SceneLine) => !line.stale && (isolated === null || isolated.has(line.key));
    context.textAlign = "left";
    lines.forEach((line, i) => {
      context.fillStyle = stands(line) ? colorOf(scene, line) : colors.ghost;
      context.fillRect(left, labels[i] - 1.25, LABEL.SWATCH, 2.5);
      context.fillStyle = stands(line) ? colors.textSoft : colors.textFaint;
      context.fillText(line.name, left + LABEL.SWATCH + LABEL.GAP, labels[i] + MIDDLE - 0.5);
    });
    context.textAlign = "right";
    context.font = BOLD;
    lines.forEach((line, i) => {
      if (line.stale) return;
      context.fillStyle = stands(line) ? colors.text : colors.textFaint;
      context.fillText(lastText(scene, line), this.surface.width - 2, labels[i] + MIDDLE - 0.5);
    });
    context.font = FONT;
  }

  private drawCursor(): void {
    const { scene, layout, cursor } = this;
    const { ring } = scene ?? {};
    if (
      scene === null ||
      layout === null ||
      ring === undefined ||
      ring.ticks === 0 ||
      cursor === null ||
      cursor < layout.from
    ) {
      this.overlay?.remove();
      this.overlay = null;
      return;
    }
    if (this.overlay === null) {
      this.overlay = new Surface(this.element);
      this.overlay.canvas.className = "cursor";
    }
    const { overlay } = this;
    const { box, x, y } = layout;
    if (!overlay.fit()) return;
    const context = overlay.begin();
    const slot = (ring.oldest + this.nearestTick(cursor)) % ring.times.length;
    const place = x(ring.times[slot]);
    context.strokeStyle = scene.colors.textFaint;
    context.lineWidth = 1;
    rule(context, overlay.sharp(place), box.top, overlay.sharp(place), box.top + box.height);
    context.strokeStyle = scene.colors.surface;
    context.lineWidth = LINE;
    let sum = 0;
    for (const line of scene.lines) {
      const value = line.values?.[slot] ?? Number.NaN;
      sum += value || 0;
      const stands = scene.isolated === null ? line.color !== null : scene.isolated.has(line.key);
      if (Number.isNaN(value) || !stands) continue;
      const height = y(scene.stacked ? sum : value);
      if (height < box.top - DOT || height > box.top + box.height + DOT) continue;
      context.fillStyle = colorOf(scene, line);
      drawDot(context, place, height, CURSOR_DOT);
      context.stroke();
    }
  }
}

/** Whether a line is drawn in its colour, before the others. */
function standsOut({ isolated }: Scene, line: SceneLine): boolean {
  return isolated === null ? line.color !== null && !line.stale : isolated.has(line.key);
}

/** The lines whose extremes are a band: the first ones in colour. */
function bandedOf(scene: Scene): number[] {
  const front = scene.lines.flatMap((line, i) => (standsOut(scene, line) ? [i] : []));
  return front.slice(0, MOST_BANDS).filter((i) => scene.lines[i].band !== undefined);
}

/** Read the points of all lines; return the lowest and the highest value. */
function takeLines(scene: Scene, pixels: number): [low: number, high: number] {
  const { lines, ring, spanMs } = scene;
  const banded = bandedOf(scene);
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
    if (banded.includes(i) && line.values !== undefined) points.take(ring, line.values, spanMs, pixels);
  });
  return [low, high];
}

/** The buffer for the sums of a stack, one per slot of the ring. */
function sumsFor({ ring }: Scene): Float64Array {
  if (sums.length !== ring.times.length) {
    sums = new Float64Array(ring.times.length);
    tops = new Float64Array(ring.times.length);
  }
  return sums;
}

function shadeExtent(
  { from, to }: { from: number; to: number },
  layout: Layout,
): [left: number, width: number] {
  const { box, x } = layout;
  if (to < layout.from || from > layout.to) return [0, 0];
  const left = x(Math.max(from, layout.from));
  return [left, Math.max(2, Math.min(x(to), box.left + box.width) - left)];
}
