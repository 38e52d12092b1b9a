/**
 * The time axis of a drawing: which time is where. Pure. Places are CSS pixels from the left edge of the
 * element that is drawn on, times are milliseconds since 1970.
 *
 *   from                    to
 *     ├──────────────────────┤
 *    left               left + width
 */
import type { Range } from "../time/range";

export interface TimeAxis extends Range {
  left: number;
  width: number;
  /** Where the drawing begins and how high it is. */
  top: number;
  height: number;
}

/** The time at a place; beyond an end of the axis it is that end. */
export function timeAt({ from, to, left, width }: TimeAxis, x: number): number {
  return from + Math.max(0, Math.min(1, (x - left) / width)) * (to - from);
}

/** The place of a time, also beyond the ends. */
export function placeOf({ from, to, left, width }: TimeAxis, time: number): number {
  return left + ((time - from) / (to - from)) * width;
}

/** Whether a place is on the axis, or at most `beside` it. */
export const isOn = ({ left, width }: TimeAxis, x: number, beside = 0): boolean =>
  x >= left - beside && x <= left + width + beside;

/** The range between two times, in any order. */
export const between = (one: number, other: number): Range => ({
  from: Math.min(one, other),
  to: Math.max(one, other),
});

/** A range `times` as long, in which a time keeps its place. */
export function scaled({ from, to }: Range, about: number, times: number): Range {
  return { from: about - (about - from) * times, to: about + (to - about) * times };
}

/** Whether two ranges share a time. */
export const overlap = (one: Range, other: Range): boolean => one.from < other.to && other.from < one.to;
