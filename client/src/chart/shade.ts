/**
 * The shaded times of a chart: an alert fired on one of its lines. Pure. Overlapping alerts become one shade
 * of the worst severity, since overlapping colours turn to mud.
 *
 *   warning    ▒▒▒▒▒▒▒▒▒        ▒▒▒
 *   warning        ▒▒▒▒▒▒▒▒
 *   critical        ▓▓▓
 *   shaded     ▒▒▒▒▒▓▓▓▒▒▒▒     ▒▒▒
 */
import type { Episode } from "../alerts/episodes";
import { seriesKey } from "../link/protocol";
import type { Severity } from "../types.gen";

/** Times in milliseconds since 1970; `to` is Infinity while the alert fires. */
export interface Shade {
  from: number;
  to: number;
  severity: Severity;
}

export const WORST_FIRST: readonly Severity[] = ["critical", "warning", "info"];

/** @param drawn the keys of the chart's series; an episode of a whole metric matches all of them. */
export function shadesOf(episodes: readonly Episode[], drawn: ReadonlySet<string>): Shade[] {
  const here = episodes.filter(
    ({ alert }) => alert.labels === undefined || drawn.has(seriesKey(alert.metric ?? "", alert.labels)),
  );
  const found: Shade[] = [];
  for (const severity of WORST_FIRST) {
    const shades = here
      .filter(({ alert }) => alert.severity === severity)
      .map((episode) => ({ from: episode.began, to: episode.ended, severity }));
    found.push(...found.reduce(without, united(shades)));
  }
  return found;
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

/** Cut the range of one shade out of others. */
function without(shades: Shade[], { from, to }: Shade): Shade[] {
  return shades.flatMap((shade) =>
    [
      { ...shade, to: Math.min(shade.to, from) },
      { ...shade, from: Math.max(shade.from, to) },
    ].filter((part) => part.from < part.to),
  );
}
