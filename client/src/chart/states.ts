/**
 * The states of a series over time. Pure: ticks in, stretches of one state out.
 *
 *   ticks      1 1 1 0 . 1 1      . no value
 *   stretches  ├ 1 ─┤0┤ ├ 1┤
 *
 * With more ticks than pixels, a pixel with several values becomes a stretch of the lowest to the highest, so
 * that the shortest state is seen. A bucket of several ticks is one, too.
 */
import { formatText } from "../format";
import type { Panel, Severity, State } from "../types.gen";
import type { Band, Ring } from "./reduce";
import { WORST_FIRST } from "./shade";

/** Times in milliseconds since 1970. The lowest and highest value differ if there were several. */
export interface Stretch {
  from: number;
  to: number;
  low: number;
  high: number;
}

/** What a stretch means. */
export interface Meaning {
  text: string;
  /** Set if a state is bad. */
  severity: Severity | undefined;
  /** The place of a state among those that are not bad; null for a value that is no state. */
  place: number | null;
  /** Whether there were several states. */
  several: boolean;
}

/** A value with a fraction may have been rounded by this share. */
const ROUNDED = 1e-4;

/**
 * The stretches of a series, oldest first. A tick lasts from halfway after the one before to halfway to the
 * next, a bucket from its time on.
 *
 * @param values in slots of the ring; NaN for none.
 * @param band the extremes of each value's bucket; undefined if the values are ticks.
 * @param intervalMs the time between two ticks, or the length of a bucket.
 * @param pixelMs how long a pixel lasts; 0 to tell all ticks apart.
 */
export function stretchesOf(
  { times, oldest, ticks }: Ring,
  values: Float64Array,
  band: Band | undefined,
  intervalMs: number,
  pixelMs = 0,
): Stretch[] {
  const { lows, highs } = band ?? { lows: values, highs: values };
  const lead = band === undefined ? intervalMs / 2 : 0;
  const found: Stretch[] = [];
  let open: Stretch | null = null;
  let pixel = Number.NaN;
  /** The time of the tick directly before; NaN if it had no value. */
  let before = Number.NaN;

  function close(): void {
    const last = found.at(-1);
    if (open === null) return;
    if (last?.to === open.from && last.low === open.low && last.high === open.high) last.to = open.to;
    else found.push(open);
  }

  for (let i = 0; i < ticks; i++) {
    const slot = (oldest + i) % times.length;
    const time = times[slot];
    const [low, high] = [lows[slot], highs[slot]];
    if (Number.isNaN(low)) {
      before = Number.NaN;
      continue;
    }
    const to = time - lead + intervalMs;
    const here = pixelMs > 0 ? Math.floor(time / pixelMs) : i;
    if (open !== null && here === pixel) {
      open.low = Math.min(open.low, low);
      open.high = Math.max(open.high, high);
      open.to = to;
    } else {
      const follows = !Number.isNaN(before);
      const from: number = follows && lead > 0 ? (before + time) / 2 : time - lead;
      if (open !== null && follows) open.to = from;
      close();
      open = { from, to, low, high };
      pixel = here;
    }
    before = time;
  }
  close();
  return found;
}

/** The state that a value means; undefined for a value that is none, such as one between two states. */
export const stateOf = (states: readonly State[], value: number): State | undefined =>
  states.find(
    (state) =>
      state.value === value ||
      (!Number.isInteger(state.value) && Math.abs(state.value - value) <= ROUNDED * Math.abs(value)),
  );

export function meaningOf(
  states: readonly State[],
  { low, high }: Pick<Stretch, "low" | "high">,
  unit: string,
): Meaning {
  const found = [stateOf(states, low), stateOf(states, high)];
  const [first, last] = [low, high].map((value, i) => found[i]?.text ?? formatText(value, unit, [low, high]));
  const several = low !== high && (found[0] === undefined || found[0] !== found[1]);
  const between = states.some(
    ({ value }) => value > low && value < high && !found.some((one) => one?.value === value),
  );
  const place = states.filter(({ severity }) => severity === undefined).indexOf(found[0] as State);
  return {
    text: several ? `${first} ${between ? "to" : "and"} ${last}` : first,
    severity: WORST_FIRST.find((severity) => found.some((one) => one?.severity === severity)),
    place: place === -1 ? null : place,
    several,
  };
}

/** The states of the metrics that have a timeline, by name. */
export const statesByMetric = (panels: readonly Panel[]): ReadonlyMap<string, readonly State[]> =>
  new Map(
    panels.flatMap((panel) => (panel.type === "states" ? [[panel.metric, panel.states] as const] : [])),
  );
