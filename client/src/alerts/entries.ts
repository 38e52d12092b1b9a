/**
 * What the feed draws. An entry is what one rule says, of one series or of many: what fires and what is over are two
 * lists. Pure; it must not know how they are drawn.
 *
 *   episodes   disk a · disk b · … · disk y · disk z (over) · cpu · cpu (over) · cpu (over)
 *   firing     disk (25) · cpu
 *   recent     disk (1) · cpu (2)
 */

import type { Alert, Severity } from "../types.gen";
import { type Episode, isFiring, lastEndedFirst, ruleOf } from "./episodes";

export interface Entry {
  /** Its severity and rule, with `over:` before it when it is of the recent ones. */
  id: string;
  /** The one that speaks for all: the worst of those that fire, the newest of those that are over. */
  lead: Episode;
  firing: boolean;
  /** How many alerts it stands for: if any fires, those that do. */
  total: number;
  /** When the first of them began and fired, and the last ended: milliseconds since 1970. */
  began: number;
  fired: number;
  ended: number;
  /** All of them: the worst first, or the newest. */
  episodes: readonly Episode[];
}

/** The alerts that an action on an entry is about: those that fire, or all of them when none does. */
export const activeOf = ({ episodes, firing }: Entry): Alert[] =>
  episodes.flatMap((one) => (!firing || isFiring(one) ? one.alert : []));

export const isSilenced = ({ silenced }: Alert, now: number): boolean =>
  Date.parse(silenced?.until ?? "") > now;

/** Until when all of some alerts are silenced, milliseconds since 1970; null when one of them is not. */
export function silencedUntil(alerts: readonly Alert[], now: number): number | null {
  if (alerts.length === 0 || !alerts.every((alert) => isSilenced(alert, now))) return null;
  return alerts.reduce((least, { silenced }) => Math.min(least, Date.parse(silenced?.until ?? "")), Infinity);
}

/** Whether somebody has taken care of all of some alerts: each is acknowledged or silenced. */
export const isQuiet = (alerts: readonly Alert[], now: number): boolean =>
  alerts.every((alert) => alert.acknowledged !== undefined || isSilenced(alert, now));

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** The worst value of an episode as far as it is known. */
export const worstValue = ({ alert }: Episode): number => alert.peak ?? alert.value ?? Number.NaN;

const keyOf = ({ alert }: Episode): string => `${alert.severity} ${ruleOf(alert)}`;

/** Whether a rule fires below its threshold; then the least is the worst. */
export const firesBelow = ({ threshold, value }: Alert): boolean =>
  threshold !== undefined && value !== undefined && value < threshold;

/** What fires before what has ended, and of both the worst first. */
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

/** @param episodes of one rule, the first of which speaks for all. */
function entryFrom(id: string, episodes: readonly Episode[]): Entry {
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

/** One alert by itself. */
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
 * What fires, and what has just ended and stays in its place: the worst severity first. Of one severity the order is
 * that before, and what is new comes last, so that nothing moves that need not.
 */
export function firingEntries(episodes: readonly Episode[], before: readonly string[] = []): Entry[] {
  const place = new Map(before.map((id, i) => [id, i]));
  const placeOf = ({ id }: Entry): number => place.get(id) ?? before.length;
  const rank = ({ lead }: Entry): number => SEVERITIES.indexOf(lead.alert.severity);
  return Array.from(byRule(episodes), ([id, group]) => entryFrom(id, ranked(group))).sort(
    (a, b) => rank(a) - rank(b) || placeOf(a) - placeOf(b) || a.fired - b.fired,
  );
}

/** What is over, what ended last first; at most so many. */
export function recentEntries(episodes: readonly Episode[], limit: number): Entry[] {
  const over = episodes.toSorted(lastEndedFirst);
  return Array.from(byRule(over), ([key, group]) => entryFrom(`over:${key}`, group)).slice(0, limit);
}
