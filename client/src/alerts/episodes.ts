/**
 * What is known of each alert: whether it fires or is over, and whether very many series of its rule fired with it. It
 * takes alerts as they are told, in any order and as often as they are told. The shared worker and each tab keep one;
 * it must not know who shows them.
 */
import type { Alert } from "../types.gen";

/**
 * `lost`: it fired when its log of alerts ended, and the next one has not told of it. Nobody will ever say that it is
 * resolved, so it must not count as firing for ever.
 */
export type EpisodeState = "firing" | "resolved" | "lost";

/** Never changed: when an alert does, it has another. */
export interface Episode {
  readonly alert: Alert;
  readonly state: EpisodeState;
  /** Whether it is one of many that its rule fired at once. It stays so when the others are over. */
  readonly grouped: boolean;
  /** When the rule became true, and when the alert fired: milliseconds since 1970. */
  readonly began: number;
  readonly fired: number;
  /** When it ended, or was last seen where nobody said so; Infinity while it fires. */
  readonly ended: number;
}

/** More series of one rule than this are many. */
export const GROUP_ABOVE = 5;
/** What is over of groups that is kept at most: so many can end together. */
const MAX_GROUPED_OVER = 10_000;

export const isFiring = (episode: Episode): boolean => episode.state === "firing";

/** What alerts are grouped by; a rule's name where the server gives it. */
export function ruleOf(alert: Alert): string {
  return alert.rule || alert.metric || alert.message;
}

/** Of those that are over, the one that ended last comes first. */
export function lastEndedFirst(a: Episode, b: Episode): number {
  return b.ended - a.ended || b.fired - a.fired;
}

function episodeOf(alert: Alert, before: Episode | undefined): Episode {
  // A replayed "it fires" must not undo the "it is resolved" that came before it.
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

/** Nobody will say when it ended: the last that is known of it is when it was last seen. */
function lost(episode: Episode): Episode {
  return { ...episode, state: "lost", ended: Date.parse(episode.alert.seen ?? "") || episode.fired };
}

export class Episodes {
  private readonly known = new Map<string, Episode>();

  /** @param maxOver how many that are over and belong to no group are kept. */
  constructor(private readonly maxOver: number) {}

  get all(): Episode[] {
    return [...this.known.values()];
  }

  get(id: string): Episode | undefined {
    return this.known.get(id);
  }

  /**
   * Take what was told, and return what is new of it and fires.
   *
   * @param whole whether they are all that fire: any other that fired is lost.
   */
  take(alerts: readonly Alert[], whole: boolean): Episode[] {
    const fresh = new Set<string>();
    for (const alert of alerts) {
      const before = this.known.get(alert.id);
      if (before === undefined) fresh.add(alert.id);
      this.known.set(alert.id, episodeOf(alert, before));
    }
    if (whole) this.lose(new Set(alerts.map(({ id }) => id)));
    this.group();
    this.bound();
    return [...fresh].flatMap((id) => this.known.get(id) ?? []).filter(isFiring);
  }

  /** Know these and nothing else. */
  restore(episodes: readonly Episode[]): void {
    this.known.clear();
    for (const episode of episodes) this.known.set(episode.alert.id, episode);
    this.bound();
  }

  private lose(told: ReadonlySet<string>): void {
    for (const [id, episode] of this.known) {
      if (isFiring(episode) && !told.has(id)) this.known.set(id, lost(episode));
    }
  }

  private group(): void {
    const firing = new Map<string, number>();
    for (const episode of this.known.values()) {
      const rule = ruleOf(episode.alert);
      if (isFiring(episode)) firing.set(rule, (firing.get(rule) ?? 0) + 1);
    }
    for (const [id, episode] of this.known) {
      const many = (firing.get(ruleOf(episode.alert)) ?? 0) > GROUP_ABOVE;
      if (many && isFiring(episode) && !episode.grouped) this.known.set(id, { ...episode, grouped: true });
    }
  }

  /** What fires is always kept; of what is over, what ended last. */
  private bound(): void {
    const over = this.all.filter((episode) => !isFiring(episode)).sort(lastEndedFirst);
    const dropped = (grouped: boolean, most: number): Episode[] =>
      over.filter((episode) => episode.grouped === grouped).slice(most);
    const gone = [...dropped(false, this.maxOver), ...dropped(true, MAX_GROUPED_OVER)];
    for (const { alert } of gone) this.known.delete(alert.id);
  }
}
