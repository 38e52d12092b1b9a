/** Numbers that change more often than about once a second cannot be read. */
import { type Accessor, createMemo } from "solid-js";
import { useStores } from "./context";

/** A little less than the second of most boards. */
const SHOW_EVERY_MS = 900;

/** Changes at most about once a second, with a drawing, while it is looked at. */
export function useBeat(live: Accessor<boolean>): Accessor<number> {
  const { stats } = useStores();
  return createMemo<number>((before) => {
    if (!live()) return before;
    stats.drawn();
    const now = stats.window.newestTime;
    return Math.abs(now - before) < SHOW_EVERY_MS ? before : now;
  }, Number.NaN);
}
