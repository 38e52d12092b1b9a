/**
 * The alert feed: what fired, what of it is over, what the viewer has put away, and which severities are shown. It
 * takes alerts as they are told and gives entries: an alert, or the many of one rule that fired at once. It must not
 * know where they come from; what was put away is remembered by a `Memory`, for a reload or a replay must not bring
 * it back.
 */
import { createMemo, createSignal } from "solid-js";
import { type Entry, entriesOf } from "../entries";
import { type Episode, Episodes, isFiring, newestFirst } from "../episodes";
import type { FeedEvent } from "../feed";
import { kept } from "../kept";
import { seriesKey } from "../protocol";
import type { Alert, Severity } from "../types.gen";

/** Worst first. */
export const SEVERITIES: readonly Severity[] = ["critical", "warning", "info"];

/** Where a list of texts is kept: the ids that were put away, the severities that are hidden. */
export interface Memory {
  load(): string[];
  save(texts: string[]): void;
}

export interface AlertStoreOptions {
  dismissed: Memory;
  hidden: Memory;
  /** Alerts that are new and fire; `quiet` when another tab draws attention to them. */
  onFiring?(alerts: readonly Alert[], quiet: boolean): void;
}

export const MAX_ALERTS = 50;
/** As many as the server can replay, so that none comes back. */
const MAX_DISMISSED = 20_000;

/** The episodes by the metric that they are about. */
function byMetric(episodes: readonly Episode[], before: Episodic): Episodic {
  const groups = new Map<string, Episode[]>();
  for (const episode of episodes) {
    const name = episode.alert.metric ?? "";
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [episode]);
    else group.push(episode);
  }
  return new Map(Array.from(groups, ([name, group]) => [name, kept(before.get(name), group)]));
}

type Episodic = ReadonlyMap<string, readonly Episode[]>;
const NONE: readonly Episode[] = [];

export function createAlertStore({ dismissed: memory, hidden: hiddenMemory, onFiring }: AlertStoreOptions) {
  const known = new Episodes(MAX_ALERTS);
  let dismissed = new Set(memory.load());
  const [all, setAll] = createSignal<readonly Episode[]>([]);
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set(hiddenMemory.load()));

  const firing = createMemo(() => all().filter(isFiring));
  const critical = createMemo(() => firing().filter(({ alert }) => alert.severity === "critical"));
  const counts = createMemo(() => {
    const found: Record<string, number> = { critical: 0, warning: 0, info: 0 };
    for (const { alert } of all()) found[alert.severity]++;
    return found;
  });
  const entries = createMemo(() => {
    const shown = all().filter(({ alert }) => !hidden().has(alert.severity));
    return entriesOf(shown, MAX_ALERTS);
  });
  const entriesById = createMemo(() => new Map(entries().map((entry) => [entry.id, entry])));
  const ids = createMemo<readonly string[]>((before) => kept(before, [...entriesById().keys()]), []);
  const metrics = createMemo<Episodic>((before) => byMetric(all(), before), new Map());
  /** The worst severity that fires on each series, or on a metric as a whole. */
  const severities = createMemo(() => {
    const worst = new Map<string, Severity>();
    for (const severity of SEVERITIES) {
      for (const { alert } of firing()) {
        if (alert.severity !== severity) continue;
        const key = seriesKey(alert.metric ?? "", alert.labels);
        if (!worst.has(key)) worst.set(key, severity);
      }
    }
    return worst;
  });

  const show = () => setAll(known.all.sort(newestFirst));
  const wanted = (alert: Alert) => !dismissed.has(alert.id);

  function tell(alerts: readonly Alert[], whole: boolean, quiet: boolean): void {
    const fresh = known.take(alerts.filter(wanted), whole).map(({ alert }) => alert);
    show();
    if (fresh.length > 0) onFiring?.(fresh, quiet);
  }

  function putAway(ids: readonly string[]): void {
    dismissed = new Set([...memory.load(), ...dismissed, ...ids].slice(-MAX_DISMISSED));
    memory.save([...dismissed]);
    hideDismissed();
  }

  function hideDismissed(): void {
    known.forget(dismissed);
    show();
  }

  function apply(event: FeedEvent): void {
    if (event.type === "alerts") tell(event.alerts, event.whole, event.quiet ?? false);
    if (event.type === "snapshot" && event.episodes !== null) {
      known.restore(event.episodes.filter(({ alert }) => wanted(alert)));
      show();
    }
  }

  return {
    apply,
    /** All that are not put away, newest first. */
    all,
    firing,
    /** Firing and critical, newest first. */
    critical,
    /** How many there are of each severity. */
    counts: (severity: Severity): number => counts()[severity],
    /** What the feed draws: at most fifty, newest first, of the severities that are shown. */
    ids,
    /** The entry with an id, undefined when it has gone. */
    entry: (id: string): Entry | undefined => entriesById().get(id),
    /** How many alerts are in no entry that is drawn. */
    more: (): number =>
      all().filter(({ alert }) => !hidden().has(alert.severity)).length -
      entries().reduce((sum, entry) => sum + entry.total, 0),
    /** The episodes that are about a metric; the same array for as long as they are the same. */
    episodesOf: (metric: string): readonly Episode[] => metrics().get(metric) ?? NONE,
    severityOf: (key: string): Severity | undefined => severities().get(key),
    isFiring: (id: string): boolean => {
      const episode = known.get(id);
      return episode !== undefined && isFiring(episode);
    },
    isShown: (severity: Severity): boolean => !hidden().has(severity),
    toggle(severity: Severity): void {
      const next = new Set(hidden());
      if (!next.delete(severity)) next.add(severity);
      setHidden(next);
      hiddenMemory.save([...next]);
    },
    /** What the server answered about one of them. */
    tell: (alert: Alert) => tell([alert], false, true),
    dismiss(entryId: string): void {
      const entry = entriesById().get(entryId);
      putAway(entry === undefined ? [entryId] : entry.episodes.map(({ alert }) => alert.id));
    },
    clear: () => putAway(all().map(({ alert }) => alert.id)),
    /** Another tab has put something away. */
    reload(): void {
      dismissed = new Set(memory.load());
      hideDismissed();
    },
  };
}

export type AlertStore = ReturnType<typeof createAlertStore>;
