/**
 * The alerts of the range that the page shows, if that is not the board's own window, and the values around them.
 * What loads them is itself loaded on first use. It must not know how an alert is shown.
 */
import { batch, createEffect, createSignal, untrack } from "solid-js";
import type { FeedEvent } from "../link/feed";
import type { AlertsView, PastAlerts, PastAlertsOptions } from "../past/alerts";
import type { LoadState } from "../past/loader";
import type { Alert } from "../types.gen";
import type { Spark } from "../window/spark";
import type { Window } from "../window/window";
import type { TimeStore } from "./time";

export interface PastAlertsStoreOptions
  extends Omit<PastAlertsOptions, "live" | "onView" | "onState" | "onSparks"> {
  /** The board's own window. */
  live(): Window;
  /** Whether the board is known to keep a history. */
  isKept(): boolean;
  time: Pick<TimeStore, "follows" | "isOwn" | "range" | "shown" | "speed">;
  /** Fetch the code that loads them. */
  loader(): Promise<new (options: PastAlertsOptions) => PastAlerts>;
}

const READY: LoadState = { loading: false, failed: "" };

export function createPastAlertsStore({ time, live, loader, ...options }: PastAlertsStoreOptions) {
  // A page that is opened at another time shows no alerts of now meanwhile.
  const [view, setView] = createSignal<AlertsView | null>(time.follows() ? null : nothingAt(time.range()));
  const [state, setState] = createSignal<LoadState>(READY);
  const [sparks, setSparks] = createSignal(0);
  let past: PastAlerts | null = null;
  let fetching = false;
  let wanted = false;

  async function fetchLoader(): Promise<void> {
    if (fetching) return;
    fetching = true;
    setState({ loading: true, failed: "" });
    try {
      const Loader = await loader();
      past = new Loader({
        ...options,
        live: live(),
        onView: (next) => !time.isOwn() && setView(next),
        onState: (next) => setState(next),
        onSparks: () => setSparks((count) => count + 1),
      });
      aim();
      setSparks((count) => count + 1);
    } catch {
      setState({ loading: false, failed: "a part of the page could not be loaded" });
    } finally {
      fetching = false;
    }
  }

  function aim(): void {
    if (time.isOwn()) {
      past?.stop();
      batch(() => {
        setView(null);
        setState(READY);
      });
      return;
    }
    // What fires now is known.
    if (time.follows() && view()?.at !== null) setView(null);
    if (past === null) void fetchLoader();
    else past.aim(time.shown(), time.speed());
  }

  createEffect(() => {
    time.shown();
    time.speed();
    untrack(aim);
  });

  function spark(alert: Alert): Spark | null {
    const at = view()?.at ?? null;
    if (past === null || at === null || !alert.metric) return null;
    const ended = Date.parse(past.find(alert.id)?.resolved ?? "") || Number.POSITIVE_INFINITY;
    return past.sparks.of(alert, ended, at, past.until);
  }

  /** A spark without its beginning is none that is missed, so it is tried once. */
  function earlier(alert: Alert, before: number): Spark | null {
    if (!alert.metric || !options.isKept()) return null;
    if (past === null && !wanted) void fetchLoader();
    wanted = true;
    return past?.earlier.of(alert, before, before, before) ?? null;
  }

  return {
    /** Null while the board's own window is shown, or nothing has arrived yet. */
    view,
    state,
    retry(): void {
      if (past === null) aim();
      else past.retry();
    },
    /** What is known of an alert, whatever it was at the time on the page. */
    find: (id: string): Alert | undefined => past?.find(id),
    /**
     * The values around an alert up to the time on the page; null while the page follows now.
     *
     * @param alert as it was then.
     */
    spark,
    /** The values around an alert before a time, from history; null if they are not known. */
    earlier,
    /** The value of an alert's series at the time on the page; NaN if it is not known. */
    valueOf(alert: Alert): number {
      const at = view()?.at ?? Number.NaN;
      return spark(alert) === null ? Number.NaN : (past?.sparks.valueAt(alert, at) ?? Number.NaN);
    },
    /** Changes when more values have arrived, and with the time on the page. */
    changed(): void {
      sparks();
      view();
    },
    apply(event: FeedEvent): void {
      if (event.type === "alerts" && time.follows()) past?.take(event.alerts, event.whole);
    },
  };
}

const nothingAt = ({ from, to }: { from: number; to: number }): AlertsView => ({
  ...{ episodes: [], at: to, from, leftOut: 0, loaded: false },
});

export type PastAlertsStore = ReturnType<typeof createPastAlertsStore>;
