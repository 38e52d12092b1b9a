/**
 * The times that are shaded on a chart: those in which an alert fired on one of its lines. Pure. Where several fired
 * at once they are one shade, or ten thousand of them would be a solid block.
 *
 *   disk a   ▒▒▒▒▒▒▒
 *   disk b       ▒▒▒▒▒▒        ▒▒▒
 *   shaded   ▒▒▒▒▒▒▒▒▒▒        ▒▒▒
 */
import type { Episode } from "../episodes";
import { seriesKey } from "../protocol";
import type { Severity } from "../types.gen";

/** Times in milliseconds since 1970; `to` is Infinity while it fires. */
export interface Shade {
  from: number;
  to: number;
  severity: Severity;
}

/** In this order, so that the worst is drawn last. */
const WORST_LAST: readonly Severity[] = ["info", "warning", "critical"];

function endOf({ alert, fired, state }: Episode): number {
  if (state === "firing") return Number.POSITIVE_INFINITY;
  return Date.parse(alert.resolved ?? alert.seen ?? "") || fired;
}

/** @param drawn the keys of the series that the chart draws; an episode of a whole metric belongs to all of them. */
export function shadesOf(episodes: readonly Episode[], drawn: ReadonlySet<string>): Shade[] {
  const here = episodes.filter(
    ({ alert }) => alert.labels === undefined || drawn.has(seriesKey(alert.metric ?? "", alert.labels)),
  );
  return WORST_LAST.flatMap((severity) => {
    const shades = here
      .filter(({ alert }) => alert.severity === severity)
      .map((episode) => ({ from: episode.began, to: endOf(episode), severity }));
    return united(shades);
  });
}

function united(shades: Shade[]): Shade[] {
  const found: Shade[] = [];
  for (const shade of shades.sort((a, b) => a.from - b.from)) {
    const last = found.at(-1);
    if (last !== undefined && shade.from <= last.to) last.to = Math.max(last.to, shade.to);
    else found.push({ ...shade });
  }
  return found;
}
