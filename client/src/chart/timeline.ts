/**
 * One row of a state timeline on a canvas, and the times below the rows. It takes stretches and colours; it
 * must not know stores, signals or the document around it.
 */
import type { Range } from "../time/range";
import type { Colors } from "./palette";
import { timeLabels } from "./scene";
import { SHAPES } from "./shapes";
import type { Meaning, Stretch } from "./states";
import type { Surface } from "./surface";
import { FONT, textWidth } from "./text";

export interface TimelineBar extends Stretch {
  meaning: Meaning;
}

/** Above and below a bar. A bad state is higher than others, which tells them apart without colour. */
const PAD = 6;
const PAD_BAD = 3;
const FILL = 0.2;
const FILL_BAD = 0.32;
const EDGE = 3;
/** No state is narrower. */
const LEAST = 2;
const GAP = 1;
const INSIDE = 6;
const SHAPE = 10;
const STRIPE = 6;
/** From the middle of an 11-pixel text to its baseline. */
const MIDDLE = 4;
/** Bars left and right of the canvas are drawn this far. */
const BEYOND = 8;

const shapes = new Map<string, Path2D>();

function shapeOf(path: string): Path2D {
  const known = shapes.get(path) ?? new Path2D(path);
  shapes.set(path, known);
  return known;
}

export function drawTimeline(
  surface: Surface,
  bars: readonly TimelineBar[],
  span: Range,
  colors: Colors,
): void {
  const context = surface.begin();
  context.font = FONT;
  context.textAlign = "left";
  const x = scaleOf(surface, span);
  // Bad states last, so that none is hidden by the next.
  const isBad = ({ meaning }: TimelineBar): boolean => meaning.severity !== undefined;
  for (const bad of [false, true])
    for (const bar of bars) if (isBad(bar) === bad) drawBar(surface, bar, x, colors);
}

const scaleOf =
  ({ width }: Surface, { from, to }: Range) =>
  (time: number): number =>
    ((time - from) / (to - from)) * width;

function drawBar(surface: Surface, bar: TimelineBar, x: (time: number) => number, colors: Colors): void {
  const { context, height, width } = surface;
  const { severity, place, several, text } = bar.meaning;
  const sharp = (place: number): number => Math.round(place * surface.ratio) / surface.ratio;
  const left = sharp(Math.max(-BEYOND, x(bar.from)));
  const right = sharp(Math.min(width + BEYOND, x(bar.to)));
  if (right < 0 || left > width) return;
  const wide = right - left > 2 * LEAST ? right - left - GAP : Math.max(LEAST, right - left);
  const pad = severity === undefined ? PAD : PAD_BAD;
  const tone =
    severity !== undefined
      ? colors.severity[severity]
      : place === null
        ? colors.textFaint
        : colors.lines[place % colors.lines.length];
  context.fillStyle = tone;
  if (wide <= 2 * LEAST) {
    context.fillRect(left, pad, wide, height - 2 * pad);
    return;
  }
  context.globalAlpha = severity === undefined ? FILL : FILL_BAD;
  context.fillRect(left, pad, wide, height - 2 * pad);
  context.globalAlpha = 1;
  if (several) drawStripes(context, tone, left, pad, wide, height - 2 * pad);
  context.fillRect(
    left,
    height - pad - (severity === undefined ? 1 : EDGE),
    wide,
    severity === undefined ? 1 : EDGE,
  );

  const begin = Math.max(0, left) + INSIDE;
  const room = Math.min(width, left + wide) - INSIDE - begin;
  const shape = severity === undefined ? 0 : SHAPE;
  if (shape > room) return;
  if (severity !== undefined) {
    context.save();
    context.translate(begin, (height - SHAPE) / 2);
    context.scale(SHAPE / 12, SHAPE / 12);
    context.fill(shapeOf(SHAPES[severity]));
    context.restore();
  }
  const textLeft = begin + (shape && shape + 4);
  if (textLeft - begin + textWidth(context, text) > room) return;
  context.fillStyle = colors.text;
  context.fillText(text, textLeft, height / 2 + MIDDLE - 0.5);
}

/** Stripes for several states in one bar. */
function drawStripes(
  context: CanvasRenderingContext2D,
  tone: string,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.beginPath();
  for (let at = left - height; at < left + width; at += STRIPE) {
    context.moveTo(at, top + height);
    context.lineTo(at + height, top);
  }
  context.strokeStyle = tone;
  context.globalAlpha = 0.5;
  context.lineWidth = 2;
  context.stroke();
  context.restore();
}

/** Draw the times below the rows. */
export function drawTimes(surface: Surface, span: Range, colors: Colors): void {
  const context = surface.begin();
  const { width } = surface;
  const x = scaleOf(surface, span);
  const { values, texts } = timeLabels(span.from, span.to, width);
  context.font = FONT;
  context.textAlign = "center";
  context.fillStyle = colors.textFaint;
  context.strokeStyle = colors.axis;
  values.forEach((time, i) => {
    const half = textWidth(context, texts[i]) / 2;
    const place = x(time);
    if (place - half < 0 || place + half > width) return;
    context.fillText(texts[i], place, 16);
    context.beginPath();
    context.moveTo(surface.sharp(place), 0);
    context.lineTo(surface.sharp(place), 3);
    context.stroke();
  });
}
