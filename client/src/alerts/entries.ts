/**
 * The entries of the alert feed. An entry stands for one rule, on one series or many; firing and ended
 * entries are two lists. Pure; it must not know how they are drawn.
 *
 *   episodes   disk a · disk b · … · disk y · disk z (over) · cpu · cpu (over) · cpu (over)
 *   firing     disk (25) · cpu
 *   recent     disk (1) · cpu (2)
 */

import type { Alert, Severity } from "../types.gen";
import { type Episode, isFiring, lastEndedFirst, ruleOf } from "./episodes";

export interface Entry {
  /** Its severity and rule, with the prefix `over:` in the recent list. */
  id: string;
  /** The episode that represents the entry: the worst firing one, or the newest ended one. */
  lead: Episode;
  firing: boolean;
  /** How many alerts it stands for: the firing ones if any fires, else all. */
  total: number;
  /** When the first alert began and fired, and when the last one ended: milliseconds since 1970. */
  began: number;
  fired: number;
  ended: number;
  /** All episodes: worst first, or newest first if ended. */
  episodes: readonly Episode[];
}

/** The alerts that an action on an entry applies to: the firing ones, or all if none fires. */
export const activeOf = ({ episodes, firing }: Entry): Alert[] =>
  episodes.flatMap((one) => (!firing || isFiring(one) ? one.alert : []));

export const isSilenced = ({ silenced }: Alert, now: number): boolean =>
  Date.parse(silenced?.until ?? "") > now;

/** When the first silence of these alerts ends, milliseconds since 1970; null if one is not silenced. */
export function silencedUntil(alerts: readonly Alert[], now: number): number | null {
  if (alerts.length === 0 || !alerts.every((alert) => isSilenced(alert, now))) return null;
  return alerts.reduce((least, { silenced }) => Math.min(least, Date.parse(silenced?.until ?? "")), Infinity);
}

/** Whether each of these alerts is acknowledged or silenced. */
export const isQuiet = (alerts: readonly Alert[], now: number): boolean =>
  alerts.every((alert) => alert.acknowledged !== undefined || isSilenced(alert, now));

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** The worst known value of an episode. */
export const worstValue = ({ alert }: Episode): number => alert.peak ?? alert.value ?? Number.NaN;

const keyOf = ({ alert }: Episode): string => `${alert.severity} ${ruleOf(alert)}`;

/** Whether a rule fires below its threshold; then the lowest value is the worst. */
export const firesBelow = ({ threshold, value }: Alert): boolean =>
  threshold !== undefined && value !== undefined && value < threshold;

/** Firing episodes before ended ones, each worst first. */
function ranked(episodes: readonly Episode[]): Episode[] {
  const sign = firesBelow(episodes[0].alert) ? -1 : 1;
  const rank = (episode: Episode): number => {
    const value = sign * worstValue(episode);
    return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value;
  };
  return episodes
    .map((episode) => ({ episode, rank: rank(episode), firing: isFiring(episode) }))
    .sort((a, b) => Number(b.firing) - Number(a.firing) || (b.rank > a.rank ? 1 : b.rank < a.rank ? -1 : 0))
    .map(({ episode }) => episode);
}

/** @param episodes of one rule; the first represents the entry. */
export function entryFrom(id: string, episodes: readonly Episode[]): Entry {
  const firing = episodes.filter(isFiring);
  const counted = firing.length > 0 ? firing : episodes;
  const [lead] = episodes;
  return {
    ...{ id, lead, firing: firing.length > 0, total: counted.length, episodes },
    began: counted.reduce((least, { began }) => Math.min(least, began), Number.POSITIVE_INFINITY),
    fired: counted.reduce((least, { fired }) => Math.min(least, fired), Number.POSITIVE_INFINITY),
    ended: counted.reduce((most, { ended }) => Math.max(most, ended), 0),
  };
}

/** An entry for a single alert. */
export const entryOf = (episode: Episode): Entry => entryFrom(episode.alert.id, [episode]);

function byRule(episodes: readonly Episode[]): Map<string, Episode[]> {
  const groups = new Map<string, Episode[]>();
  for (const episode of episodes) {
    const key = keyOf(episode);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [episode]);
    else group.push(episode);
  }
  return groups;
}

/**
 * Entries for firing and just-ended episodes, worst severity first. Within a severity the previous order
 * stays and new entries come last, so that rows move as little as possible.
 */
export function firingEntries(episodes: readonly Episode[], before: readonly string[] = []): Entry[] {
  const place = new Map(before.map((id, i) => [id, i]));
  const placeOf = ({ id }: Entry): number => place.get(id) ?? before.length;
  const rank = ({ lead }: Entry): number => SEVERITIES.indexOf(lead.alert.severity);
  return Array.from(byRule(episodes), ([id, group]) => entryFrom(id, ranked(group))).sort(
    (a, b) => rank(a) - rank(b) || placeOf(a) - placeOf(b) || a.fired - b.fired,
  );
}

/** At most `limit` entries for ended episodes, the last to end first. */
export function recentEntries(episodes: readonly Episode[], limit: number): Entry[] {
  const over = episodes.toSorted(lastEndedFirst);
  return Array.from(byRule(over), ([key, group]) => entryFrom(`over:${key}`, group)).slice(0, limit);
}
