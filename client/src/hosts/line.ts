/** The lines of a table of hosts: few points, as SVG paths. Pure: a window in, a path of 100 by 18 out. */
import type { Window } from "../window/window";

const POINTS = 50;
const WIDTH = 100;
const HEIGHT = 18;
const PAD = 2;
/** The least range of a line as a share of the full scale. Smaller changes look flat. */
const LEAST_SHARE = 0.14;

/** The slots of the ticks that a line is drawn through: the same ones from tick to tick, and the newest. */
export function slotsOf({ capacity, intervalMs, oldest, ticks, times }: Window): number[] {
  const step = Math.max(1, Math.ceil(ticks / POINTS));
  const all = Array.from({ length: ticks }, (_, i) => (oldest + i) % capacity);
  return all.filter((slot, i) => Math.round(times[slot] / intervalMs) % step === 0 || i === ticks - 1);
}

/**
 * The path through the values at some slots, with a gap at each NaN; empty if there is no value.
 *
 * @param scale the full scale of the values; NaN if unknown: the highest.
 */
export function pathOf(
  window: Window,
  slots: readonly number[],
  values: readonly number[],
  scale: number,
): string {
  const known = values.filter((value) => !Number.isNaN(value));
  if (known.length === 0) return "";
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const missing = Math.max(0, LEAST_SHARE * (scale || Math.abs(high) || 1) - (high - low)) / 2;
  const [from, range] = [low - missing, high - low + 2 * missing];
  let path = "";
  let drawing = false;
  slots.forEach((slot, i) => {
    if (Number.isNaN(values[i])) {
      drawing = false;
      return;
    }
    const x = WIDTH * (1 - (window.until - window.times[slot]) / window.spanMs);
    const y = HEIGHT - PAD - ((values[i] - from) / range) * (HEIGHT - 2 * PAD);
    path += `${drawing ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
  });
  return path;
}
