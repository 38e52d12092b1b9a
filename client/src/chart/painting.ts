/** Drawing primitives of a chart: lines with gaps, areas, dots. */
import type { Points } from "./reduce";

export type Place = (value: number) => number;

const FULL_CIRCLE = 2 * Math.PI;

/** Trace a line with a gap at each missing value. */
export function traceLine(context: CanvasRenderingContext2D, points: Points, x: Place, y: Place): void {
  const { times, values, length } = points;
  let drawing = false;
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) drawing = false;
    else if (drawing) context.lineTo(x(times[i]), y(value));
    else {
      context.moveTo(x(times[i]), y(value));
      drawing = true;
    }
  }
}

/** Draw values with a gap on both sides as dots, since no line passes through them. */
export function drawIsolated(
  context: CanvasRenderingContext2D,
  points: Points,
  x: Place,
  y: Place,
  radius: number,
): void {
  const { times, values, length } = points;
  for (let i = 0; i < length; i++) {
    if (Number.isNaN(values[i])) continue;
    const alone =
      (i === 0 || Number.isNaN(values[i - 1])) && (i + 1 >= length || Number.isNaN(values[i + 1]));
    if (alone) drawDot(context, x(times[i]), y(values[i]), radius);
  }
}

export function drawDot(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, FULL_CIRCLE);
  context.fill();
}

/** Trace the area from a line down to a height, one shape per run between gaps. */
export function traceArea(
  context: CanvasRenderingContext2D,
  points: Points,
  x: Place,
  y: Place,
  bottom: number,
): void {
  const { times, values, length } = points;
  let begun = -1;
  for (let i = 0; i <= length; i++) {
    if (i < length && !Number.isNaN(values[i])) {
      if (begun === -1) {
        begun = i;
        context.moveTo(x(times[i]), bottom);
      }
      context.lineTo(x(times[i]), y(values[i]));
    } else if (begun !== -1) {
      context.lineTo(x(times[i - 1]), bottom);
      context.closePath();
      begun = -1;
    }
  }
}

/** Trace the area between two lines, one shape per run between gaps of the upper one. */
export function traceBetween(
  context: CanvasRenderingContext2D,
  upper: Points,
  lower: Points,
  x: Place,
  y: Place,
): void {
  let back = 0;
  for (let from = 0; from < upper.length; ) {
    if (Number.isNaN(upper.values[from])) {
      from++;
      continue;
    }
    let to = from;
    while (to < upper.length && !Number.isNaN(upper.values[to])) to++;
    context.moveTo(x(upper.times[from]), y(upper.values[from]));
    for (let i = from + 1; i < to; i++) context.lineTo(x(upper.times[i]), y(upper.values[i]));
    const [first, last] = [upper.times[from], upper.times[to - 1]];
    while (back < lower.length && lower.times[back] < first) back++;
    let end = back;
    while (end < lower.length && lower.times[end] <= last) end++;
    for (let i = end - 1; i >= back; i--) {
      if (!Number.isNaN(lower.values[i])) context.lineTo(x(lower.times[i]), y(lower.values[i]));
    }
    context.closePath();
    back = end;
    from = to;
  }
}

/** Draw a straight line. */
export function rule(
  context: CanvasRenderingContext2D,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
