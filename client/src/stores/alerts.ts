/**
 * The alert feed: what fired, what of it is over, what the viewer has put away. It takes alerts as they are told,
 * in any order and as often as they are told, and keeps one of each id. It must not know where they come from;
 * what was put away is remembered by a `Memory`, for a reload or a replay must not bring it back.
 */
import { createMemo, createSignal } from "solid-js";
import type { FeedEvent, ToldAlert } from "../feed";
import type { Alert } from "../types.gen";

/**
 * `lost`: it was firing when the server's run ended, and the new run has not told of it. Nobody will ever say
 * that it is resolved, so it must not count as firing for ever.
 */
export type AlertState = "firing" | "resolved" | "lost";

export interface FeedAlert extends ToldAlert {
  state: AlertState;
}

/** Where the ids that were put away are kept. */
export interface Memory {
  load(): string[];
  save(ids: string[]): void;
}

export const MAX_ALERTS = 50;
/** More than the server can replay (1,000 events), so that none comes back. */
const MAX_DISMISSED = 2_000;

const stateOf = (alert: Alert): AlertState => (alert.resolved ? "resolved" : "firing");
const newestFirst = (a: FeedAlert, b: FeedAlert): number =>
  Date.parse(b.alert.timestamp) - Date.parse(a.alert.timestamp);

/** The newest fifty; what is over makes room before what is firing. */
function bounded(alerts: FeedAlert[]): FeedAlert[] {
  const kept = [...alerts].sort(newestFirst);
  while (kept.length > MAX_ALERTS) {
    const over = kept.findLastIndex(({ state }) => state !== "firing");
    kept.splice(over === -1 ? kept.length - 1 : over, 1);
  }
  return kept;
}

function merged(alerts: FeedAlert[], told: ToldAlert): FeedAlert[] {
  const before = alerts.find(({ alert }) => alert.id === told.alert.id);
  // A replayed "it fires" must not undo the "it is resolved" that came before it.
  const resolved = told.alert.resolved ?? before?.alert.resolved;
  const alert = resolved ? { ...told.alert, resolved } : told.alert;
  const entry = { alert, epoch: told.epoch, state: stateOf(alert) };
  if (before === undefined) return [...alerts, entry];
  return alerts.map((other) => (other === before ? entry : other));
}

export function createAlertStore(memory: Memory) {
  const [alerts, setAlerts] = createSignal<FeedAlert[]>([]);
  let dismissed = new Set(memory.load());

  const firing = createMemo(() => alerts().filter(({ state }) => state === "firing"));
  const critical = createMemo(() => firing().filter(({ alert }) => alert.severity === "critical"));

  function tell(told: readonly ToldAlert[]): void {
    const wanted = told.filter(({ alert }) => !dismissed.has(alert.id));
    if (wanted.length > 0) setAlerts((current) => bounded(wanted.reduce(merged, current)));
  }

  /** A run of the server is over: what it left firing is lost unless the next run tells of it. */
  function endEpoch(epoch: string): void {
    const lost = (entry: FeedAlert) => entry.epoch === epoch && entry.state === "firing";
    setAlerts((current) => current.map((entry) => (lost(entry) ? { ...entry, state: "lost" } : entry)));
  }

  function putAway(ids: string[]): void {
    dismissed = new Set([...memory.load(), ...dismissed, ...ids].slice(-MAX_DISMISSED));
    memory.save([...dismissed]);
    hideDismissed();
  }

  function hideDismissed(): void {
    setAlerts((current) => current.filter(({ alert }) => !dismissed.has(alert.id)));
  }

  function apply(event: FeedEvent): void {
    if (event.type === "alert") tell([event]);
    if (event.type === "over") endEpoch(event.epoch);
    if (event.type === "snapshot") {
      tell(event.alerts);
      event.over.forEach(endEpoch);
    }
  }

  return {
    apply,
    /** Newest first, at most fifty. */
    alerts,
    firing,
    /** Firing and critical, newest first. */
    critical,
    dismiss: (id: string) => putAway([id]),
    clear: () => putAway(alerts().map(({ alert }) => alert.id)),
    /** Another tab has put something away. */
    reload(): void {
      dismissed = new Set(memory.load());
      hideDismissed();
    },
  };
}

export type AlertStore = ReturnType<typeof createAlertStore>;
