/** The series of a panel that can be shown at once: all, or the highest of very many, chosen anew now and then. */
import { createMemo, untrack } from "solid-js";
import { highest } from "../chart/choice";
import { formatCount } from "../format";
import type { Series } from "../link/protocol";
import { useStores } from "./context";

/** Lines that change places more often than this cannot be followed. */
const CHOOSE_EVERY_MS = 10_000;

/** `12 of 4,300 series, the highest` */
export const sayHighest = (shown: number, all: number): string =>
  `${formatCount(shown)} of ${formatCount(all)} series, the highest`;

/**
 * At most `limit` of the series, those with the highest average over the window; the same array until it changes.
 *
 * @param live whether it may be chosen now; a choice that was made stays while it may not.
 */
export function useHighest(
  all: () => readonly Series[],
  limit: number,
  live: (chosenAny: boolean) => boolean,
): () => readonly Series[] {
  const { stats } = useStores();
  let chosenAt = Number.NEGATIVE_INFINITY;
  return createMemo<readonly Series[]>((before) => {
    const series = all();
    if (series.length <= limit) return series;
    if (!live(before.length > 0)) return before;
    stats.drawn();
    const window = untrack(() => stats.window);
    const now = window.newestTime;
    const stays = before.length === limit && before.every(({ key }) => window.has(key));
    // A window that begins afresh may begin earlier.
    if (stays && Math.abs(now - chosenAt) < CHOOSE_EVERY_MS) return before;
    chosenAt = now;
    return highest(series, ({ key }) => window.average(key), limit, before);
  }, []);
}
