/**
 * What is behind the lines of a drawing with a time axis, on a canvas of its own: compared ranges, the brush,
 * and marks. It must not know stores, signals or what is drawn in front.
 */
import type { Range } from "../time/range";
import { rule } from "./painting";
import type { Colors } from "./palette";
import type { Surface } from "./surface";
import { FONT, textWidth } from "./text";
import { placeOf, type TimeAxis } from "./timeaxis";

export interface OverlayRange extends Range {
  /** The range before is grey, the chosen one has the accent. */
  kind: "before" | "chosen";
}

/** Times in milliseconds since 1970. A mark that is a moment ends when it begins. */
export interface OverlayMark {
  began: number;
  ended: number;
}

export interface Overlay {
  ranges: readonly OverlayRange[];
  marks: readonly OverlayMark[];
}

const TEXT_GAP = 6;
/** From the top of a range to the baseline of its text. */
const TEXT_FOOT = 12;
const DASH = [2, 2];
const FLAG_WIDTH = 7;
const FLAG_HEIGHT = 6;
const LASTING_HEIGHT = 2;

export function drawOverlay(
  surface: Surface,
  axis: TimeAxis,
  { ranges, marks }: Overlay,
  colors: Colors,
): void {
  const context = surface.begin();
  context.lineWidth = 1;
  for (const range of ranges) drawRange(surface, axis, range, colors);
  for (const mark of marks) drawMark(surface, axis, mark, colors);
}

/** The part of a range that is on the axis; null if none is. */
function extent(axis: TimeAxis, from: number, to: number): { begin: number; end: number } | null {
  const begin = Math.max(axis.left, placeOf(axis, from));
  const end = Math.min(axis.left + axis.width, placeOf(axis, to));
  return end < begin ? null : { begin, end };
}

function drawRange(surface: Surface, axis: TimeAxis, range: OverlayRange, colors: Colors): void {
  const { context } = surface;
  const { from, to, kind } = range;
  const here = extent(axis, from, to);
  if (here === null) return;
  const { top, height } = axis;
  const before = kind === "before";
  context.fillStyle = before ? colors.sunken : colors.accent;
  context.globalAlpha = before ? 1 : colors.selection;
  context.fillRect(here.begin, top, here.end - here.begin, height);
  context.globalAlpha = 1;
  context.strokeStyle = before ? colors.edgeStrong : colors.accent;
  for (const time of before ? [from] : [from, to]) {
    if (extent(axis, time, time) === null) continue;
    const place = surface.sharp(placeOf(axis, time));
    rule(context, place, top, place, top + height);
  }
  if (before) drawText(context, here.begin, here.end, top, colors);
}

function drawText(
  context: CanvasRenderingContext2D,
  ...[begin, end, top, colors]: [number, number, number, Colors]
): void {
  context.font = FONT;
  if (textWidth(context, "before") + 2 * TEXT_GAP > end - begin) return;
  context.textAlign = "left";
  context.fillStyle = colors.textFaint;
  context.fillText("before", begin + TEXT_GAP, top + TEXT_FOOT);
}

/** A dotted line with a flag; a bar at the top for as long as it lasts. */
function drawMark(surface: Surface, axis: TimeAxis, { began, ended }: OverlayMark, colors: Colors): void {
  const { context } = surface;
  const { top, height } = axis;
  context.fillStyle = colors.textSoft;
  const lasting = ended > began ? extent(axis, began, ended) : null;
  if (lasting !== null) context.fillRect(lasting.begin, top, lasting.end - lasting.begin, LASTING_HEIGHT);
  if (extent(axis, began, began) === null) return;
  const place = surface.sharp(placeOf(axis, began));
  context.strokeStyle = colors.textFaint;
  context.setLineDash(DASH);
  rule(context, place, top, place, top + height);
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(place - 0.5, top);
  context.lineTo(place + FLAG_WIDTH, top);
  context.lineTo(place + FLAG_WIDTH - 2, top + FLAG_HEIGHT / 2);
  context.lineTo(place + FLAG_WIDTH, top + FLAG_HEIGHT);
  context.lineTo(place - 0.5, top + FLAG_HEIGHT);
  context.fill();
}
