/**
 * One chart on a canvas: draws a scene and finds the tick or line at a position. The cursor has its own
 * canvas, so moving it redraws no line. It must not know stores, signals or the document around it.
 *
 *    axis │ shades, grid, lines, thresholds │ labels
 *         └─────────────────────────────────┘
 *                     times
 */
import { isUtc } from "../time/zone";
import type { Range } from "./axis";
import { pushApart } from "./labels";
import { DOT, drawLines, type Layout, LINE, takeLines } from "./lines";
import { drawDot, rule } from "./painting";
import { nearestTick } from "./reduce";
import {
  axisLabels,
  axisWidth,
  boxOf,
  colorOf,
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
import { Surface } from "./surface";
import { BOLD, FONT, textWidth } from "./text";
import { isOn, type TimeAxis, timeAt } from "./timeaxis";

const SHADE_ALPHA = 0.08;
const THRESHOLD_ALPHA = 0.8;
const CURSOR_DOT = 3;
const EPISODE_HEIGHT = 3;
const TEXT_HEIGHT = 14;
/** Distance from the baseline of an 11-pixel text to its middle. */
const MIDDLE = 4;

export class Plot {
  readonly #surface: Surface;
  #overlay: Surface | null = null;
  #scene: Scene | null = null;
  #layout: Layout | null = null;
  #range: Range | null = null;
  #cursor: number | null = null;
  #drawnSize = "";

  readonly #element: HTMLElement;

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#surface = new Surface(element);
  }

  /** The range of the value axis in the last drawing. */
  get axis(): Range {
    return this.#layout?.range ?? { min: 0, max: 1 };
  }

  /** Whether the last drawing had room for the labels at the lines' ends. */
  get hasLabels(): boolean {
    return (this.#layout?.labels.length ?? 0) > 0;
  }

  get canvas(): HTMLCanvasElement {
    return this.#surface.canvas;
  }

  /** The width in pixels of the screen. */
  get #pixels(): number {
    return Math.max(1, Math.round(this.#surface.width * this.#surface.ratio));
  }

  /** The time axis of the last drawing; null before the first. */
  get timeAxis(): TimeAxis | null {
    if (this.#layout === null) return null;
    const { box, from, to } = this.#layout;
    return { ...box, from, to };
  }

  draw(scene: Scene): void {
    if (!this.#surface.fit()) return;
    const { width, height, ratio } = this.#surface;
    const size = `${width} ${height} ${ratio} ${isUtc()}`;
    if (size === this.#drawnSize && this.#scene !== null && isSame(scene, this.#scene)) return;
    if (scene.scale !== this.#scene?.scale || scene.unit !== this.#scene.unit) this.#range = null;
    this.#drawnSize = size;
    this.#scene = scene;
    const context = this.#surface.begin();
    context.font = FONT;
    context.lineJoin = "round";
    const layout = this.#arrange(scene, context);
    this.#layout = layout;
    this.#drawShades(context, scene, layout);
    this.#drawAxes(context, scene, layout);
    context.save();
    context.beginPath();
    context.rect(layout.box.left, layout.box.top - DOT, layout.box.width + DOT, layout.box.height + 2 * DOT);
    context.clip();
    drawLines(context, scene, layout, this.#pixels);
    context.restore();
    this.#drawThresholds(context, scene, layout);
    this.#drawEpisodes(context, scene, layout);
    this.#drawLabels(context, scene, layout);
    if (this.#cursor !== null) this.#drawCursor();
  }

  /** Move the cursor to a time; null removes it. */
  moveCursor(time: number | null): void {
    if (time === this.#cursor && time === null) return;
    this.#cursor = time;
    this.#drawCursor();
  }

  /** The index of the tick nearest to a position, oldest first; null outside the axes. */
  tickAt(x: number): number | null {
    const { timeAxis } = this;
    const scene = this.#scene;
    if (scene === null || timeAxis === null || scene.ring.ticks === 0) return null;
    return isOn(timeAxis, x, DOT) ? this.nearestTick(timeAt(timeAxis, x)) : null;
  }

  /** The index of the tick nearest to a time. */
  nearestTick(time: number): number {
    return nearestTick((this.#scene as Scene).ring, time);
  }

  /** The key of the line whose label is at a position; undefined if there is none. */
  labelAt(x: number, y: number): string | undefined {
    const scene = this.#scene;
    const layout = this.#layout;
    if (scene === null || layout === null || x < layout.box.left + layout.box.width + LABEL.FROM_PLOT)
      return undefined;
    const i = layout.labels.findIndex((place) => Math.abs(place - y) <= TEXT_HEIGHT / 2);
    return scene.lines[i]?.key;
  }

  /** The key of the line nearest to a height at a tick; undefined if none has a value there. */
  nearestLine(tick: number, y: number): string | undefined {
    const scene = this.#scene;
    const layout = this.#layout;
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
    this.#surface.remove();
    this.#overlay?.remove();
  }

  #arrange(scene: Scene, context: CanvasRenderingContext2D): Layout {
    const { width, height } = this.#surface;
    const { ring, lines, spanMs, until } = scene;
    const pixels = this.#pixels;
    const [low, high] = takeLines(scene, pixels);
    this.#range = rangeOf(scene, this.#range, low, high);
    const range = this.#range;
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

  #drawShades(context: CanvasRenderingContext2D, { shades, colors }: Scene, layout: Layout): void {
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

  #drawEpisodes(context: CanvasRenderingContext2D, { shades, colors }: Scene, layout: Layout): void {
    const { box } = layout;
    for (const shade of shades) {
      const [left, width] = shadeExtent(shade, layout);
      if (width === 0) continue;
      context.fillStyle = colors.severity[shade.severity];
      context.fillRect(left, box.top + box.height - EPISODE_HEIGHT + 1, width, EPISODE_HEIGHT);
    }
  }

  #drawAxes(context: CanvasRenderingContext2D, scene: Scene, { box, range, from, to, x, y }: Layout): void {
    const surface = this.#surface;
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

  #drawThresholds(context: CanvasRenderingContext2D, scene: Scene, { box, range, y }: Layout): void {
    const { colors, thresholds } = scene;
    for (const { value, severity, label } of thresholds) {
      if (value <= range.min || value > range.max) continue;
      const place = this.#surface.sharp(y(value));
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

  #drawLabels(context: CanvasRenderingContext2D, scene: Scene, { box, labels }: Layout): void {
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
      context.fillText(lastText(scene, line), this.#surface.width - 2, labels[i] + MIDDLE - 0.5);
    });
    context.font = FONT;
  }

  #drawCursor(): void {
    const scene = this.#scene;
    const layout = this.#layout;
    const cursor = this.#cursor;
    const { ring } = scene ?? {};
    if (
      scene === null ||
      layout === null ||
      ring === undefined ||
      ring.ticks === 0 ||
      cursor === null ||
      cursor < layout.from
    ) {
      this.#overlay?.remove();
      this.#overlay = null;
      return;
    }
    if (this.#overlay === null) {
      this.#overlay = new Surface(this.#element);
      this.#overlay.canvas.className = "cursor";
    }
    const overlay = this.#overlay;
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

function shadeExtent(
  { from, to }: { from: number; to: number },
  layout: Layout,
): [left: number, width: number] {
  const { box, x } = layout;
  if (to < layout.from || from > layout.to) return [0, 0];
  const left = x(Math.max(from, layout.from));
  return [left, Math.max(2, Math.min(x(to), box.left + box.width) - left)];
}
