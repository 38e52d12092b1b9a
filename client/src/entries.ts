/**
 * What the feed draws: an entry is one alert, or the many that one rule fired at once. Pure; it must not know how
 * they are drawn.
 *
 *   episodes   disk a · disk b · … · disk z · cpu · memory (over)
 *   entries    rule:disk (26)               · cpu · memory
 */
import { type Episode, isFiring, newestFirst, ruleOf } from "./episodes";

export interface Entry {
  /** The alert's, or the rule's with `rule:` before it. */
  id: string;
  /** The one alert, or the worst of the group. */
  worst: Episode;
  grouped: boolean;
  /** How many alerts it stands for, and how many of them fire. */
  total: number;
  firing: number;
  /** When the first of them began and the newest fired: milliseconds since 1970. */
  began: number;
  fired: number;
  /** All of them; of a group those that fire and then the worst first. */
  episodes: readonly Episode[];
}

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
  ranked.sort(
    (a, b) =>
      Number(isFiring(b.episode)) - Number(isFiring(a.episode)) ||
      (b.rank > a.rank ? 1 : b.rank < a.rank ? -1 : 0),
  );
  const worst = ranked.reduce((one, other) => (other.rank > one.rank ? other : one));
  return {
    id: `rule:${rule}`,
    worst: worst.episode,
    grouped: true,
    total: episodes.length,
    firing: episodes.filter(isFiring).length,
    began: episodes.reduce((least, { began }) => Math.min(least, began), Number.POSITIVE_INFINITY),
    fired: episodes.reduce((most, { fired }) => Math.max(most, fired), 0),
    episodes: ranked.map(({ episode }) => episode),
  };
}

export function entryOf(episode: Episode): Entry {
  return {
    id: episode.alert.id,
    worst: episode,
    grouped: false,
    total: 1,
    firing: isFiring(episode) ? 1 : 0,
    began: episode.began,
    fired: episode.fired,
    episodes: [episode],
  };
}

/** At most so many entries, newest first; what is over makes room before what fires. */
export function entriesOf(episodes: readonly Episode[], limit: number): Entry[] {
  const groups = new Map<string, Episode[]>();
  for (const episode of episodes.filter(({ grouped }) => grouped)) {
    const rule = ruleOf(episode.alert);
    const group = groups.get(rule);
    if (group === undefined) groups.set(rule, [episode]);
    else group.push(episode);
  }
  const single = episodes.filter(({ grouped }) => !grouped).sort(newestFirst);
  const entries = [
    ...Array.from(groups, ([rule, group]) => groupOf(rule, group)),
    ...bounded(single, limit - groups.size).map(entryOf),
  ];
  return entries.sort((a, b) => b.fired - a.fired).slice(0, limit);
}

/** In the order they came: what ends must not change places with what fires. */
function bounded(newest: readonly Episode[], limit: number): Episode[] {
  let firing = Math.min(limit, newest.filter(isFiring).length);
  let over = limit - firing;
  return newest.filter((episode) => (isFiring(episode) ? firing-- > 0 : over-- > 0));
}
