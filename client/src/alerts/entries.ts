/**
 * What the feed draws: an entry is one alert, or the many that one rule fired at once. What fires and what is over
 * are two lists, and a group that has ended in part has an entry in each. Pure; it must not know how they are drawn.
 *
 *   episodes   disk a · disk b · … · disk y · disk z (over) · cpu · memory (over)
 *   firing     rule:disk (25) · cpu
 *   recent     over:disk (1) · memory
 */

import type { Severity } from "../types.gen";
import { type Episode, isFiring, lastEndedFirst, ruleOf } from "./episodes";

export interface Entry {
  /** The alert's; of a group the rule's, with `rule:` before it while it fires and `over:` afterwards. */
  id: string;
  /** The one alert, or the worst of the group. */
  worst: Episode;
  grouped: boolean;
  firing: boolean;
  /** How many alerts it stands for. */
  total: number;
  /** When the first of them began, the newest fired and the last ended: milliseconds since 1970. */
  began: number;
  fired: number;
  ended: number;
  /** All of them; of a group the worst first. */
  episodes: readonly Episode[];
}

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** The worst value of an episode as far as it is known. */
export const worstValue = ({ alert }: Episode): number => alert.peak ?? alert.value ?? Number.NaN;

/** Higher is worse, but for a rule that fires below its threshold. */
function firesBelow({ alert }: Episode): boolean {
  return alert.threshold !== undefined && alert.value !== undefined && alert.value < alert.threshold;
}

function groupOf(rule: string, episodes: Episode[]): Entry {
  const sign = firesBelow(episodes[0]) ? -1 : 1;
  const rank = (episode: Episode): number => {
    const value = sign * worstValue(episode);
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  const ranked = episodes.map((episode) => ({ episode, rank: rank(episode) }));
  ranked.sort((a, b) => (b.rank > a.rank ? 1 : b.rank < a.rank ? -1 : 0));
  const firing = isFiring(episodes[0]);
  return {
    id: `${firing ? "rule" : "over"}:${rule}`,
    worst: ranked[0].episode,
    grouped: true,
    firing,
    total: episodes.length,
    began: episodes.reduce((least, { began }) => Math.min(least, began), Number.POSITIVE_INFINITY),
    fired: episodes.reduce((most, { fired }) => Math.max(most, fired), 0),
    ended: episodes.reduce((most, { ended }) => Math.max(most, ended), 0),
    episodes: ranked.map(({ episode }) => episode),
  };
}

export function entryOf(episode: Episode): Entry {
  const { alert, began, fired, ended } = episode;
  return {
    ...{ id: alert.id, worst: episode, grouped: false, firing: isFiring(episode), total: 1 },
    ...{ began, fired, ended, episodes: [episode] },
  };
}

/** The entries of episodes that all fire or are all over, groups first, in no order. */
function entriesOf(episodes: readonly Episode[]): Entry[] {
  const groups = new Map<string, Episode[]>();
  for (const episode of episodes.filter(({ grouped }) => grouped)) {
    const rule = ruleOf(episode.alert);
    const group = groups.get(rule);
    if (group === undefined) groups.set(rule, [episode]);
    else group.push(episode);
  }
  return [
    ...Array.from(groups, ([rule, group]) => groupOf(rule, group)),
    ...episodes.filter(({ grouped }) => !grouped).map(entryOf),
  ];
}

const rank = ({ worst }: Entry): number => SEVERITIES.indexOf(worst.alert.severity);

/** What fires, the worst severity first and of one the newest: what there is no room for is the least of it. */
export function firingEntries(episodes: readonly Episode[]): Entry[] {
  return entriesOf(episodes.filter(isFiring)).sort((a, b) => rank(a) - rank(b) || b.fired - a.fired);
}

/** What is over, what ended last first; at most so many, of which a group is one. */
export function recentEntries(episodes: readonly Episode[], limit: number): Entry[] {
  const over = episodes.filter((episode) => !isFiring(episode)).sort(lastEndedFirst);
  return entriesOf(over)
    .sort((a, b) => b.ended - a.ended || b.fired - a.fired)
    .slice(0, limit);
}
