/**
 * The state of each alert: firing or ended, and whether it fired together with many series of its rule.
 * Alerts may arrive in any order and more than once. The shared worker and each tab keep one; it must not
 * know who shows them.
 */
import type { Alert } from "../types.gen";

/**
 * `lost`: it was firing when the server's alert log ended, and the next log does not list it. It will never
 * be reported as resolved, so it must not count as firing for ever.
 */
export type EpisodeState = "firing" | "resolved" | "lost";

/** Immutable: a change to the alert makes a new episode. */
export interface Episode {
  readonly alert: Alert;
  readonly state: EpisodeState;
  /** Whether it was one of many that its rule fired at once. It stays true when the others end. */
  readonly grouped: boolean;
  /** When the rule became true, and when the alert fired: milliseconds since 1970. */
  readonly began: number;
  readonly fired: number;
  /** When it ended, or was last seen if it is lost; Infinity while it fires. */
  readonly ended: number;
}

/** A rule that fires on more series than this forms a group. */
export const GROUP_ABOVE = 5;
/** Limit of ended episodes of groups: this many can end together. */
const MAX_GROUPED_OVER = 10_000;

export const isFiring = (episode: Episode): boolean => episode.state === "firing";

/** The key that groups alerts: the rule's name if the server sends one. */
export function ruleOf(alert: Alert): string {
  return alert.rule || alert.metric || alert.message;
}

/** Sorts ended episodes: the last to end comes first. */
export function lastEndedFirst(a: Episode, b: Episode): number {
  return b.ended - a.ended || b.fired - a.fired;
}

/** The message of an alert; that of a host's alert names the host. */
export const messageOf = ({ host = "", message }: Alert): string =>
  message.includes(host) ? message : `${host}: ${message}`;

function episodeOf(sent: Alert, before: Episode | undefined): Episode {
  const alert = { ...sent, message: messageOf(sent) };
  // A replayed "firing" must not undo an earlier "resolved".
  const resolved = alert.resolved ?? before?.alert.resolved;
  const fired = Date.parse(alert.timestamp);
  return {
    alert: resolved === undefined ? alert : { ...alert, resolved },
    state: resolved === undefined ? "firing" : "resolved",
    grouped: before?.grouped ?? false,
    began: Date.parse(alert.started ?? "") || fired,
    fired,
    ended: resolved === undefined ? Number.POSITIVE_INFINITY : Date.parse(resolved) || fired,
  };
}

/** Its end is never reported, so the time it was last seen stands in. */
function lost(episode: Episode): Episode {
  return { ...episode, state: "lost", ended: Date.parse(episode.alert.seen ?? "") || episode.fired };
}

export class Episodes {
  readonly #known = new Map<string, Episode>();

  /** @param maxOver limit of ended episodes outside groups. */
  readonly #maxOver: number;

  constructor(maxOver: number) {
    this.#maxOver = maxOver;
  }

  get all(): Episode[] {
    return [...this.#known.values()];
  }

  get(id: string): Episode | undefined {
    return this.#known.get(id);
  }

  /**
   * Record alerts and return the new ones that fire.
   *
   * @param whole whether the list holds every firing alert: any other that was firing is lost.
   */
  take(alerts: readonly Alert[], whole: boolean): Episode[] {
    const fresh = new Set<string>();
    for (const alert of alerts) {
      const before = this.#known.get(alert.id);
      if (before === undefined) fresh.add(alert.id);
      this.#known.set(alert.id, episodeOf(alert, before));
    }
    if (whole) this.#lose(new Set(alerts.map(({ id }) => id)));
    this.#group();
    this.#bound();
    return [...fresh].flatMap((id) => this.#known.get(id) ?? []).filter(isFiring);
  }

  /** Replace all episodes with these. */
  restore(episodes: readonly Episode[]): void {
    this.#known.clear();
    for (const episode of episodes) this.#known.set(episode.alert.id, episode);
    this.#bound();
  }

  #lose(told: ReadonlySet<string>): void {
    for (const [id, episode] of this.#known) {
      if (isFiring(episode) && !told.has(id)) this.#known.set(id, lost(episode));
    }
  }

  #group(): void {
    const firing = new Map<string, number>();
    for (const episode of this.#known.values()) {
      const rule = ruleOf(episode.alert);
      if (isFiring(episode)) firing.set(rule, (firing.get(rule) ?? 0) + 1);
    }
    for (const [id, episode] of this.#known) {
      const many = (firing.get(ruleOf(episode.alert)) ?? 0) > GROUP_ABOVE;
      if (many && isFiring(episode) && !episode.grouped) this.#known.set(id, { ...episode, grouped: true });
    }
  }

  /** Keep all firing episodes, and the ended ones that ended last. */
  #bound(): void {
    const over = this.all.filter((episode) => !isFiring(episode)).sort(lastEndedFirst);
    const dropped = (grouped: boolean, most: number): Episode[] =>
      over.filter((episode) => episode.grouped === grouped).slice(most);
    const gone = [...dropped(false, this.#maxOver), ...dropped(true, MAX_GROUPED_OVER)];
    for (const { alert } of gone) this.#known.delete(alert.id);
  }
}
