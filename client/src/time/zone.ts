/**
 * The time zone in which the page writes times: the viewer's own, or UTC. What formats a time reads it here,
 * so that all texts follow a change. Days begin and end in this zone too, also on days with a time change.
 */
import { createSignal } from "solid-js";

const [isUtc, setUtc] = createSignal(false);

export { isUtc, setUtc };

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** The zone's offset from UTC at a time, in milliseconds: positive east of Greenwich. */
export const offsetAt = (time: number, utc = isUtc()): number =>
  utc ? 0 : -new Date(time).getTimezoneOffset() * MINUTE_MS;

/** A time as the zone's clocks show it, in milliseconds since 1970-01-01 00:00 by those clocks. */
export const wallClock = (time: number): number => time + offsetAt(time);

/**
 * The time at which the zone's clocks show `wall`: the inverse of `wallClock`. The first one if they show it
 * twice. If they skip it, the time they show is later by as much as they skip.
 */
export function timeAt(wall: number): number {
  // Two changes are never within two days.
  const [first, second] = [offsetAt(wall - DAY_MS), offsetAt(wall + DAY_MS)].map((offset) => wall - offset);
  return wallClock(first) !== wall && wallClock(second) === wall ? second : first;
}

/** Midnight at the beginning of a day in the zone. @param days that many days later. */
export const midnight = (time: number, days = 0): number =>
  timeAt((Math.floor(wallClock(time) / DAY_MS) + days) * DAY_MS);

/** Whether two times are on the same day of the zone. */
export const isSameDay = (one: number, other: number): boolean => midnight(one) === midnight(other);
