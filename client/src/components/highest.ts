/** The series that a panel shows at once: all, or the highest of very many, chosen again at intervals. */
import { createMemo, untrack } from "solid-js";
import { highest } from "../chart/choice";
import { formatCount } from "../format";
import type { Series } from "../link/protocol";
import { useStores } from "./context";

/** Nobody can follow lines that change places more often. */
const CHOOSE_EVERY_MS = 10_000;

/** `12 of 4,300 series, the highest` */
export const sayHighest = (shown: number, all: number): string =>
  `${formatCount(shown)} of ${formatCount(all)} series, the highest`;

/**
 * Return at most `limit` series: those with the highest average over the window. The array stays the same
 * until the choice changes.
 *
 * @param live whether it may choose now; otherwise the last choice stays.
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
    const now = stats.pace();
    const stays = before.length === limit && before.every(({ key }) => window.has(key));
    // Compare absolute times: a new window may start earlier.
    if (stays && Math.abs(now - chosenAt) < CHOOSE_EVERY_MS) return before;
    chosenAt = now;
    return highest(series, ({ key }) => window.average(key), limit, before);
  }, []);
}
