/**
 * Loads the alerts of the range on the page, page by page, and says which of them had fired, and how they were, at
 * its end. A replay loads ahead, so that its steps cost no request. What is shown stays until the next range has
 * arrived, or when it fails.
 *
 *   around    ├──────── range ────────┤ shown        ├ now
 *   request   ├───────────────────────┼─── ahead ───┤
 */
import type { Episode } from "../alerts/episodes";
import { Moments } from "../alerts/moment";
import type { Clock } from "../time/clock";
import { type Range, type Shown, writeTime } from "../time/range";
import type { Alert, AlertPage } from "../types.gen";
import type { Window } from "../window/window";
import type { LoadState } from "./loader";
import { HistorySparks } from "./sparks";

/** The alerts of a range that is not the board's own window. */
export interface AlertsView {
  /** Those that had fired by then. */
  episodes: readonly Episode[];
  /** The end of the range, milliseconds since 1970; null while the page follows now. */
  at: number | null;
  /** From when on alerts that are over are among them. */
  from: number;
  /** How many alerts of the range are left out, since there are too many; the oldest. */
  leftOut: number;
  /** Whether they have arrived; before that there are none. */
  loaded: boolean;
}

export interface PastAlertsOptions {
  clock: Clock;
  /** GET an address below the page's; rejects with a message for the viewer. */
  get(path: string, signal: AbortSignal): Promise<ArrayBuffer>;
  /** The board's own window. */
  live: Window;
  /** Whether the board keeps a history. */
  hasHistory(): boolean;
  onView(view: AlertsView): void;
  onState(state: LoadState): void;
  /** More values of sparks have arrived. */
  onSparks(): void;
}

const PAGE_ALERTS = 1_000;
const MAX_PAGES = 5;
const RETRIES_MS = [1000, 3000, 10_000];
/** Alerts that are over are listed from as long before the range as it lasts, and at least for this long. */
const AROUND_MS = 3_600_000;
/** A longer range is enough by itself. */
const WHOLE_MS = 86_400_000;
/** A replay loads this many spans ahead, and at least this much of its own time. */
const AHEAD_SPANS = 2;
const AHEAD_MS = 60_000;

interface Loaded {
  range: Range;
  alerts: ReadonlyMap<string, Alert>;
  moments: Moments;
  leftOut: number;
}

export class PastAlerts {
  readonly sparks: HistorySparks;
  /** What alerts of now were like before the ticks that the page has. */
  readonly earlier: HistorySparks;
  #shown: Shown | null = null;
  #speed = 0;
  #loaded: Loaded | null = null;
  /** What is being loaded. */
  #coming: { range: Range; abort: AbortController; failures: number } | null = null;
  #failed = "";
  #cancelRetry: () => void = () => {};

  readonly #options: PastAlertsOptions;

  constructor(options: PastAlertsOptions) {
    this.#options = options;
    const { clock, get, hasHistory, live, onSparks } = options;
    this.earlier = new HistorySparks({ clock, get, hasHistory, live, onChange: onSparks });
    this.sparks = new HistorySparks({
      ...{ clock, get, hasHistory, live },
      onChange: () => {
        onSparks();
        this.#report();
      },
    });
  }

  /** Show another range. @param speed of a replay, 0 for none. */
  aim(shown: Shown, speed: number): void {
    this.#shown = shown;
    this.#speed = speed;
    const wanted = this.#wanted(shown);
    const loaded = this.#loaded;
    const coming = this.#coming;
    if (loaded !== null && covers(loaded.range, wanted)) {
      this.#show();
      if (speed > 0) this.#loadAhead(wanted);
      else this.#drop();
      return;
    }
    // A replay that waits for what comes next keeps what it has.
    if (speed > 0 && loaded !== null) this.#show();
    if (coming === null || !covers(coming.range, wanted)) this.#load(this.#withAhead(wanted));
  }

  /**
   * Record alerts that end while the page follows now: the live store keeps only the last ones.
   *
   * @param whole whether others may have ended meanwhile.
   */
  take(alerts: readonly Alert[], whole: boolean): void {
    const loaded = this.#loaded;
    if (loaded?.range.to !== Number.POSITIVE_INFINITY) return;
    const over = alerts.filter(({ resolved }) => resolved !== undefined);
    if (whole || loaded.alerts.size + over.length > 2 * MAX_PAGES * PAGE_ALERTS) this.#load(loaded.range);
    else if (over.length > 0)
      this.#arrived(loaded.range, [...loaded.alerts.values(), ...over], loaded.leftOut);
  }

  /** What is known of an alert of the loaded range. */
  find(id: string): Alert | undefined {
    return this.#loaded?.alerts.get(id);
  }

  /** Up to when alerts are known: a replay needs sparks until then. */
  get until(): number {
    const loaded = this.#loaded;
    const shown = this.#shown;
    const speed = this.#speed;
    if (shown === null || shown.follows) return Number.NaN;
    return speed > 0 && loaded !== null ? Math.max(shown.to, loaded.range.to) : shown.to;
  }

  /** Ask again for what failed. */
  retry(): void {
    this.sparks.retry();
    if (this.#waits) this.#load(this.#withAhead(this.#wanted(this.#shown as Shown)));
  }

  /** Show nothing of the past any more. */
  stop(): void {
    this.#drop();
    this.#shown = this.#loaded = null;
    this.sparks.forget();
    this.#report();
  }

  /** Whether the range on the page is not loaded yet. */
  get #waits(): boolean {
    const loaded = this.#loaded;
    const shown = this.#shown;
    return shown !== null && (loaded === null || !covers(loaded.range, this.#wanted(shown)));
  }

  #drop(): void {
    this.#cancelRetry();
    this.#coming?.abort.abort();
    this.#coming = null;
    this.#failed = "";
    this.#report();
  }

  #wanted(shown: Shown): Range {
    // Relative to the server's clock: the page may not have a tick yet.
    if (shown.follows) return { from: -(shown.spanMs ?? 0), to: Number.POSITIVE_INFINITY };
    const { from, to } = shown;
    const length = to - from;
    return { from: length >= WHOLE_MS ? from : Math.min(from - length, to - AROUND_MS), to };
  }

  #withAhead(range: Range): Range {
    const shown = this.#shown;
    const speed = this.#speed;
    if (speed === 0 || shown === null || shown.follows) return range;
    const ahead = Math.max(AHEAD_SPANS * (shown.to - shown.from), speed * AHEAD_MS);
    // Later alerts are not known yet.
    const { newestTime, ticks } = this.#options.live;
    const known = ticks === 0 ? range.to : newestTime + 1;
    return { from: range.from, to: Math.max(range.to, Math.min(range.to + ahead, known)) };
  }

  /** Load on while a replay still has half of what lies ahead. */
  #loadAhead(wanted: Range): void {
    const coming = this.#coming;
    const loaded = this.#loaded;
    const ahead = this.#withAhead(wanted);
    const left = (loaded?.range.to ?? wanted.to) - wanted.to;
    if (coming === null && left < (ahead.to - wanted.to) / 2) this.#load(ahead);
  }

  #load(range: Range): void {
    this.#drop();
    this.#coming = { range, abort: new AbortController(), failures: 0 };
    this.#report();
    void this.#run();
  }

  async #run(): Promise<void> {
    const coming = this.#coming;
    if (coming === null) return;
    const { abort, range } = coming;
    try {
      const { alerts, leftOut } = await this.#fetchAll(range, abort.signal);
      if (this.#coming !== coming) return;
      this.#coming = null;
      this.#arrived(range, alerts, leftOut);
      this.#report();
    } catch (error) {
      if (this.#coming !== coming) return;
      const wait = RETRIES_MS[coming.failures++];
      if (wait !== undefined) {
        this.#cancelRetry = this.#options.clock.after(wait, () => void this.#run());
        return;
      }
      this.#coming = null;
      this.#failed = error instanceof Error ? error.message : String(error);
      this.#report();
    }
  }

  /** The newest alerts of a range, and in any case those that fire at the end of what is shown. */
  async #fetchAll(range: Range, signal: AbortSignal): Promise<{ alerts: readonly Alert[]; leftOut: number }> {
    const query = new URLSearchParams({ limit: String(PAGE_ALERTS) });
    if (range.to === Number.POSITIVE_INFINITY) query.set("from", `${range.from / 1000}s`);
    else {
      query.set("from", writeTime(range.from));
      query.set("to", writeTime(range.to));
    }
    const found = new Map<string, Alert>();
    let left: AlertPage | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      left = await this.#fetchPage(query, signal);
      for (const alert of left.alerts) found.set(alert.id, alert);
      if (left.next === undefined) return { alerts: [...found.values()], leftOut: 0 };
      query.set("before", String(left.next));
    }
    const shown = this.#shown;
    if (shown !== null && !shown.follows) {
      // Just before the end, since it is not in the range itself.
      const [from, to] = [shown.to - 1, shown.to].map(writeTime);
      const firing = await this.#fetchPage(
        new URLSearchParams({ limit: String(PAGE_ALERTS), from, to }),
        signal,
      );
      for (const alert of firing.alerts) found.set(alert.id, alert);
    }
    return { alerts: [...found.values()], leftOut: Math.max(0, (left?.total ?? 0) - found.size) };
  }

  async #fetchPage(query: URLSearchParams, signal: AbortSignal): Promise<AlertPage> {
    const text = new TextDecoder().decode(await this.#options.get(`api/alerts?${query}`, signal));
    const page: AlertPage = JSON.parse(text);
    if (!Array.isArray(page.alerts)) throw new Error("the server sent no alerts");
    return page;
  }

  /** @param all the newer of two that have the same id comes last. */
  #arrived(range: Range, all: readonly Alert[], leftOut: number): void {
    const alerts = new Map(all.map((alert) => [alert.id, alert]));
    this.#loaded = { range, alerts, moments: new Moments([...alerts.values()]), leftOut };
    this.#show();
  }

  /** A replay that has no more alerts waits at the end of those that it has. */
  #show(): void {
    const loaded = this.#loaded;
    const shown = this.#shown;
    if (loaded === null || shown === null) return;
    const { leftOut, moments, range } = loaded;
    const at = shown.follows ? null : Math.min(shown.to, range.to);
    const episodes = moments.at(at ?? Number.POSITIVE_INFINITY);
    this.#options.onView({ episodes, at, from: range.from, leftOut, loaded: true });
  }

  /** What is loaded ahead is nobody's concern, unless the replay has to wait for it. */
  #report(): void {
    const { sparks } = this;
    const failed = this.#failed;
    const waits = this.#waits;
    const parts = [
      waits && failed !== "" ? `the alerts of this time could not be loaded: ${failed}` : "",
      sparks.failed === "" ? "" : `the values of these alerts could not be loaded: ${sparks.failed}`,
    ];
    this.#options.onState({
      loading: waits && this.#coming !== null,
      failed: parts.filter(Boolean).join("; "),
    });
  }
}

/** Whether a range contains another. One that follows now is relative to it, and contains none that does not. */
function covers(all: Range, { from, to }: Range): boolean {
  const follows = to === Number.POSITIVE_INFINITY;
  return follows === (all.to === Number.POSITIVE_INFINITY) && all.from <= from && to <= all.to;
}
