/** Slow updates: nobody can read numbers that change more often than about once a second. */
import { type Accessor, createMemo } from "solid-js";
import { useStores } from "./context";

/** Slightly less than one second, the interval of most boards. */
const SHOW_EVERY_MS = 900;

/** A signal that changes with a drawing, at most about once a second, while `live`. */
export function useBeat(live: Accessor<boolean>): Accessor<number> {
  const { stats } = useStores();
  return createMemo<number>((before) => {
    if (!live()) return before;
    stats.drawn();
    const now = stats.pace();
    return Math.abs(now - before) < SHOW_EVERY_MS ? before : now;
  }, Number.NaN);
}
