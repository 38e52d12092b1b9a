/**
 * The alert feed: firing and ended alerts, those the viewer folded or dismissed, and the shown severities.
 * Firing alerts are always counted and listed: they can be folded to a line, but only ended alerts can be
 * dismissed. A `Memory` keeps both across reloads, and both can be undone for a while. An alert that ends in
 * view keeps its place for a moment. The store groups alerts into entries, one per rule. At another time it has
 * the alerts of that time in their place; what is news stays live. It must not know where alerts come from.
 */
import { createMemo, createSignal } from "solid-js";
import { type Entry, firingEntries, recentEntries, SEVERITIES } from "../alerts/entries";
import { type Episode, Episodes, isFiring, ruleOf } from "../alerts/episodes";
import { formatCount } from "../format";
import type { FeedEvent } from "../link/feed";
import { seriesKey } from "../link/protocol";
import type { AlertsView } from "../past/alerts";
import type { Clock } from "../time/clock";
import type { Alert, Severity } from "../types.gen";
import { kept } from "../window/kept";
import { createStaying } from "./staying";

/** Storage for a list of strings: the dismissed or folded ids, the hidden severities. */
export interface Memory {
  load(): string[];
  save(texts: string[]): void;
}

export interface AlertStoreOptions {
  clock: Clock;
  dismissed: Memory;
  folded: Memory;
  hidden: Memory;
  /** Receives newly firing alerts; `quiet` if another tab notifies. */
  onFiring?(alerts: readonly Alert[], quiet: boolean): void;
  /** The alerts of the time on the page, null while it is the board's own window. */
  past?(): AlertsView | null;
}

/** The open silence form of an entry. */
export interface Draft {
  id: string;
  duration: string;
  /** Whether it silences all series of the rule. */
  ofRule: boolean;
  reason: string;
}

/** The viewer's last action, which can be undone. */
export interface Undo {
  /** `3 cleared`. */
  text: string;
  undo(): void;
}

export const MAX_ALERTS = 50;
export const UNDO_MS = 10_000;
/** More than are shown, since some may be dismissed. */
const KEPT_OVER = 200;
/** As many as the server can replay, so that a dismissed alert does not return. */
const MAX_REMEMBERED = 20_000;

type Episodic = ReadonlyMap<string, readonly Episode[]>;
const NO_NEWS = { id: "", fired: Number.NEGATIVE_INFINITY, message: "" };
const NONE: readonly Episode[] = [];

/** Group episodes by metric. */
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

/** Count the episodes of each severity. */
function countsOf(episodes: readonly Episode[]): Record<Severity, number> {
  const found = { critical: 0, warning: 0, info: 0 };
  for (const { alert } of episodes) found[alert.severity]++;
  return found;
}

/** Identifies a rule on a series: at most one such alert fires at a time. */
const placeOf = ({ alert }: Episode): string =>
  `${ruleOf(alert)} ${seriesKey(alert.metric ?? "", alert.labels)}`;

/** When the first alert of each severity fired; Infinity if none did. */
function firstOf(episodes: readonly Episode[]): Record<Severity, number> {
  const none = Number.POSITIVE_INFINITY;
  const first = { critical: none, warning: none, info: none };
  for (const { alert, fired } of episodes) first[alert.severity] = Math.min(first[alert.severity], fired);
  return first;
}

const totalOf = (entries: readonly Entry[]): number => entries.reduce((sum, { total }) => sum + total, 0);
const idsOf = (episodes: readonly Episode[]): string[] => episodes.map(({ alert }) => alert.id);

/** A stored set of ids that other tabs change too. */
function createIds(memory: Memory) {
  const [ids, setIds] = createSignal<ReadonlySet<string>>(new Set(memory.load()));
  const all = () => new Set([...memory.load(), ...ids()]);
  function keep(next: Iterable<string>): void {
    const newest = [...next].slice(-MAX_REMEMBERED);
    setIds(new Set(newest));
    memory.save(newest);
  }
  return {
    ids,
    add: (more: readonly string[]) => keep(new Set([...all(), ...more])),
    remove(gone: readonly string[]): void {
      const left = new Set(gone);
      keep([...all()].filter((id) => !left.has(id)));
    },
    reload: () => setIds(new Set(memory.load())),
  };
}

export function createAlertStore(options: AlertStoreOptions) {
  const known = new Episodes(KEPT_OVER);
  const dismissed = createIds(options.dismissed);
  const folded = createIds(options.folded);
  const staying = createStaying(options.clock);
  const [all, setAll] = createSignal<readonly Episode[]>([]);
  const [live, setLive] = createSignal(false);
  const heard = createMemo<boolean>((before) => before || live(), false);
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set(options.hidden.load()));
  const [undo, setUndo] = createSignal<Undo | null>(null);
  const [draft, setDraft] = createSignal<Draft | null>(null);
  let cancelUndo: () => void = () => {};
  let reading = false;
  const hold = () => staying.hold(reading || draft() !== null);

  const view = () => options.past?.() ?? null;
  const at = createMemo(() => view()?.at ?? null);
  const isPast = createMemo(() => at() !== null);
  const episodes = createMemo(() => view()?.episodes);
  /** The alerts of the time on the page. While it follows now, what the stream says of an alert counts. */
  const here = createMemo<readonly Episode[]>(() => {
    const found = episodes();
    if (found === undefined) return all();
    if (isPast()) return found;
    const known = new Set(idsOf(all()));
    return [...found.filter((one) => !isFiring(one) && !known.has(one.alert.id)), ...all()];
  });
  /** Dismissed at another time: only for as long as the page is open. */
  const [dismissedThen, setDismissedThen] = createSignal<ReadonlySet<string>>(new Set());

  const isShown = ({ alert }: Episode) => !hidden().has(alert.severity);
  const firingNow = createMemo(() => all().filter(isFiring));
  const countsNow = createMemo(() => countsOf(firingNow()));
  const firing = createMemo(() => here().filter(isFiring));
  const counts = createMemo(() => countsOf(firing()));
  const since = createMemo(() => firstOf(firing()));
  const news = createMemo((before: typeof NO_NEWS) => {
    const critical = firingNow().filter(({ alert }) => alert.severity === "critical");
    if (critical.length === 0) return NO_NEWS;
    const { alert, fired } = critical.reduce((last, one) => (last.fired >= one.fired ? last : one));
    if (fired > before.fired) return { id: alert.id, fired, message: alert.message };
    return critical.some((one) => one.alert.id === before.id) ? before : { ...before, message: "" };
  }, NO_NEWS);
  const over = createMemo(() => {
    const gone = isPast() ? dismissedThen() : dismissed.ids();
    return here().filter((episode) => !isFiring(episode) && !gone.has(episode.alert.id));
  });
  const overCounts = createMemo(() => countsOf(over()));
  /** If an alert fires again, its earlier episode moves to the recent list. */
  const firingKeys = createMemo(() => new Set(firing().map(placeOf)));
  const stays = (episode: Episode): boolean =>
    !isPast() && staying.ids().has(episode.alert.id) && !firingKeys().has(placeOf(episode));

  const firingShown = createMemo<readonly Entry[]>((before) => {
    const here = [...firing(), ...over().filter(stays)].filter(isShown);
    return firingEntries(
      here,
      before.map(({ id }) => id),
    ).slice(0, MAX_ALERTS);
  }, []);
  const recent = createMemo(() => over().filter((episode) => !stays(episode)));
  const recentShown = createMemo(() =>
    recentEntries(recent().filter(isShown), MAX_ALERTS - firingShown().length),
  );
  const entriesById = createMemo(
    () => new Map([...firingShown(), ...recentShown()].map((entry) => [entry.id, entry])),
  );
  const idsIn = (entries: () => readonly Entry[]) =>
    createMemo<readonly string[]>(
      (before) =>
        kept(
          before,
          entries().map(({ id }) => id),
        ),
      [],
    );

  function leftOut(episodes: readonly Episode[], shown: readonly Entry[]): { hidden: number; more: number } {
    const wanted = episodes.filter(isShown).length;
    return { hidden: episodes.length - wanted, more: wanted - totalOf(shown) };
  }

  const metrics = createMemo<Episodic>((before) => byMetric(here(), before), new Map());
  /** The worst severity firing on each series, or on a metric as a whole. */
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

  /** Keep alerts that just ended in place. Alerts a new tab first sees as ended are not kept. */
  function stay(): void {
    const ended = firingNow().filter(({ alert }) => {
      const now = known.get(alert.id);
      return now !== undefined && !isFiring(now);
    });
    staying.add(idsOf(ended));
  }

  function take(alerts: readonly Alert[], whole: boolean, quiet: boolean): void {
    const fresh = known.take(alerts, whole).map(({ alert }) => alert);
    stay();
    setAll(known.all);
    // Alerts folded before a reload are not new.
    const news = fresh.filter(({ id }) => !folded.ids().has(id));
    if (news.length > 0) options.onFiring?.(news, quiet);
  }

  function apply(event: FeedEvent): void {
    if (event.type === "alerts") take(event.alerts, event.whole, event.quiet ?? false);
    if (event.type === "alertsLive") setLive(event.live);
    if (event.type === "snapshot") {
      setLive(event.alertsLive);
      if (event.episodes === null) return;
      known.restore(event.episodes);
      stay();
      setAll(known.all);
    }
  }

  function offer(text: string, revert: () => void): void {
    cancelUndo();
    const close = () => {
      cancelUndo();
      setUndo(null);
    };
    setUndo({
      text,
      undo: () => {
        close();
        revert();
      },
    });
    cancelUndo = options.clock.after(UNDO_MS, close);
  }

  function putAway(episodes: readonly Episode[], text: string): void {
    const ids = idsOf(episodes);
    if (isPast()) {
      const before = dismissedThen();
      setDismissedThen(new Set([...before, ...ids]));
      offer(text, () => setDismissedThen(before));
      return;
    }
    dismissed.add(ids);
    offer(text, () => dismissed.remove(ids));
  }

  function changeDraft(next: Draft | null): void {
    setDraft(next);
    hold();
  }

  const isFolded = (entry: Entry): boolean =>
    !isPast() && entry.episodes.every(({ alert }) => folded.ids().has(alert.id));

  return {
    apply,
    /** The moment that is shown, milliseconds since 1970; null while the page follows now. */
    at,
    /** From when on the shown alerts that are over are known, and how many older ones are left out. */
    from: () => view()?.from ?? Number.NaN,
    tooMany: () => view()?.leftOut ?? 0,
    /** Whether what is shown is sure to be so: an open stream, or the alerts of another time. */
    sure: () => (isPast() ? view()?.loaded === true : live()),
    /** All firing alerts, folded and hidden ones included. */
    firing,
    /** The number of alerts of a severity that fire now, whatever time is shown. */
    countNow: (severity: Severity): number => countsNow()[severity],
    /** All alerts as they are now, whatever time is shown: those that fire, and the last ones that are over. */
    allNow: all,
    /** An alert as it is now, whatever time is shown; undefined if it is not known any more. */
    now(id: string): Episode | undefined {
      all();
      return known.get(id);
    },
    /** The number of firing alerts of a severity, and when the first one fired: milliseconds since 1970. */
    firingCount: (severity: Severity): number => counts()[severity],
    firingSince: (severity: Severity): number => since()[severity],
    /** When the last alert ended; NaN if none has. */
    lastEnded: createMemo(() =>
      here().reduce((last, one) => (isFiring(one) ? last : Math.max(one.ended, last || 0)), Number.NaN),
    ),
    /** The message of the newest critical alert; empty once it ends, since an older one is not news. */
    criticalNews: () => news().message,
    /** Whether the alert stream is live, so that new alerts arrive at once. */
    live,
    /** Whether the stream has ever been live. */
    known: heard,
    /** Ended alerts that are not dismissed. */
    over,
    /** The ended alerts that no longer keep their place in the firing list. */
    recent,
    overCount: (severity: Severity): number => overCounts()[severity],
    /** The ids of the drawn entries: of the shown severities, at most fifty in all. */
    firingIds: idsIn(firingShown),
    recentIds: idsIn(recentShown),
    /** How many alerts are not drawn: of a hidden severity, or over the limit. */
    firingLeftOut: () =>
      leftOut(
        firing(),
        firingShown().filter((entry) => entry.firing),
      ),
    recentLeftOut: () => leftOut(recent(), recentShown()),
    /** The entry with an id, undefined if it is gone. */
    entry: (id: string): Entry | undefined => entriesById().get(id),
    /** The episodes of a metric; the same array while they are unchanged. */
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
      options.hidden.save([...next]);
    },
    showAll(): void {
      setHidden(new Set<string>());
      options.hidden.save([]);
    },
    /** Apply alerts from the server's answer to an action. */
    take: (alerts: readonly Alert[]) => take(alerts, false, true),
    isFolded,
    /** Fold a firing entry to a line, or dismiss an ended one. */
    dismiss(entry: Entry): void {
      if (!entry.firing) {
        putAway(entry.episodes, entry.total === 1 ? "Dismissed" : `${formatCount(entry.total)} dismissed`);
        return;
      }
      const ids = idsOf(entry.episodes);
      folded.add(ids);
      offer("Folded", () => folded.remove(ids));
    },
    unfold: (entry: Entry) => folded.remove(idsOf(entry.episodes)),
    /** Dismiss all ended alerts, including those over the limit or of a hidden severity. */
    clear(): void {
      putAway(over(), `${formatCount(over().length)} cleared`);
    },
    /** The open silence form, null for none. */
    draft,
    setDraft: changeDraft,
    /** Close the form of an entry; another entry's form stays open. */
    closeDraft(id: string): void {
      if (draft()?.id === id) changeDraft(null);
    },
    /** Hold entries in place while the viewer reads or points at the list. */
    reads(on: boolean): void {
      reading = on;
      hold();
    },
    /** The last action while it can be undone, else null. */
    undo,
    /** Reload the dismissed and folded ids after another tab changed them. */
    reload(): void {
      dismissed.reload();
      folded.reload();
    },
  };
}

export type AlertStore = ReturnType<typeof createAlertStore>;
