/**
 * What the strip shows of all that is kept: the outline of one metric, the alerts and the marks. It is loaded
 * for a stretch of time and refreshed from time to time; what failed is asked for again, and what it had stays.
 * It must not know how a strip is drawn.
 */
import { createEffect, createMemo, createSignal, on, onCleanup, untrack } from "solid-js";
import { type Answer, decodeAnswer } from "../past/answer";
import type { Clock } from "../time/clock";
import { type Range, writeTime } from "../time/range";
import { type Outline, outlineOf } from "../time/strip";
import type { AlertPage, Mark, Severity } from "../types.gen";
import type { Tier } from "./history";

export interface OverviewOptions {
  clock: Clock;
  /** GET an address below the page's; rejects with a message for the viewer. */
  get(path: string, signal: AbortSignal): Promise<ArrayBuffer>;
  /** The metric whose outline is drawn; undefined while the board has none. */
  metric(): string | undefined;
  /** How many series a metric has, as far as known. */
  seriesOf(metric: string): number;
  tiers(): readonly Tier[];
  /** The range on the page, and the newest tick. */
  range(): Range;
  newest(): number;
}

/** An alert in the lane; `to` is Infinity while it fires. */
export interface LaneAlert extends Range {
  id: string;
  severity: Severity;
  message: string;
}

const POINTS = 700;
/** The most values of one answer: a metric with many series has fewer buckets. */
const VALUES = 300_000;
const ALERTS = 1000;
/** More alerts than this take too long to load; the lane then begins later. */
const ALERT_PAGES = 5;
const REFRESH_AT_LEAST_MS = 60_000;
/** How often the end of the strip moves on, as a share of its length. */
const MOVES_BY = 1 / 1000;

const laneAlert = ({ id, severity, message, timestamp, started, resolved }: AlertPage["alerts"][number]) => ({
  ...{ id, severity, message },
  from: Date.parse(started ?? timestamp),
  to: resolved === undefined ? Number.POSITIVE_INFINITY : Date.parse(resolved),
});

export function createOverviewStore(options: OverviewOptions) {
  const { clock, get, metric, tiers, range, newest } = options;
  /** The tier that the viewer chose; null to follow the range on the page. */
  const [chosen, setChosen] = createSignal<Tier["what"] | null>(null);
  const [answer, setAnswer] = createSignal<Answer | null>(null);
  const [alerts, setAlerts] = createSignal<ReadonlyMap<string, LaneAlert>>(new Map());
  const [alertsFrom, setAlertsFrom] = createSignal(Number.NEGATIVE_INFINITY);
  const [marks, setMarks] = createSignal<readonly Mark[]>([]);
  const [failed, setFailed] = createSignal("");

  /** The finest tier that reaches back to the range on the page, or the one that the viewer chose. */
  const tier = createMemo<Tier | undefined>(() => {
    const all = tiers();
    const { from } = range();
    return (
      all.find(({ what }) => what === chosen()) ?? all.find(({ oldest }) => oldest <= from) ?? all.at(-1)
    );
  });
  const oldest = createMemo(() => tier()?.oldest ?? Number.NaN);
  /** It ends a little after now, so that it is not drawn anew with each tick. */
  const end = createMemo(() => {
    const length = newest() - oldest();
    const step = Math.max(1000, 2 ** Math.floor(Math.log2(length * MOVES_BY)));
    return oldest() + Math.ceil(length / step) * step;
  });
  const stretch = createMemo<Range>(() => ({ from: oldest(), to: end() }));
  const isKnown = createMemo(() => stretch().to > stretch().from);

  async function json<T>(path: string, signal: AbortSignal): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await get(path, signal)));
  }

  async function loadOutline({ from, to }: Range, name: string, signal: AbortSignal): Promise<void> {
    const query = new URLSearchParams({ from: writeTime(from), to: writeTime(to), metrics: name });
    const most = Math.floor(
      VALUES /
        Math.max(
          1,
          untrack(() => options.seriesOf(name)),
        ),
    );
    query.set("points", String(Math.max(1, Math.min(POINTS, most))));
    query.set("format", "binary");
    setAnswer(decodeAnswer(await get(`api/history?${query}`, signal)));
  }

  async function loadAlerts({ from }: Range, signal: AbortSignal): Promise<void> {
    const found = new Map<string, LaneAlert>();
    let begins = Number.NEGATIVE_INFINITY;
    let before: number | undefined;
    for (let page = 0; page < ALERT_PAGES; page++) {
      const query = new URLSearchParams({ from: writeTime(from), limit: String(ALERTS) });
      if (before !== undefined) query.set("before", String(before));
      const { alerts: some, next } = await json<AlertPage>(`api/alerts?${query}`, signal);
      for (const alert of some) found.set(alert.id, laneAlert(alert));
      before = next ?? undefined;
      begins = before === undefined ? Number.NEGATIVE_INFINITY : Date.parse(some.at(-1)?.timestamp ?? "");
      if (before === undefined) break;
    }
    setAlerts(found);
    setAlertsFrom(begins);
  }

  const loadMarks = async ({ from }: Range, signal: AbortSignal) =>
    void setMarks(await json<Mark[]>(`api/marks?${new URLSearchParams({ from: writeTime(from) })}`, signal));

  async function load(of: Range, name: string, signal: AbortSignal): Promise<void> {
    const done = await Promise.allSettled([
      loadOutline(of, name, signal),
      loadAlerts(of, signal),
      loadMarks(of, signal),
    ]);
    if (signal.aborted) return;
    const refused = done.find((one) => one.status === "rejected");
    const { message = String(refused?.reason) } = (refused?.reason ?? {}) as Partial<Error>;
    setFailed(refused === undefined ? "" : message);
  }

  const name = createMemo(() => metric());
  createEffect(
    on([oldest, name, isKnown], ([from, of, known]) => {
      if (!known || of === undefined) return;
      const abort = new AbortController();
      let cancel: () => void = () => {};
      const refresh = () => {
        const to = untrack(newest) + 1;
        void load({ from, to }, of, abort.signal);
        cancel = clock.after(Math.max(REFRESH_AT_LEAST_MS, (to - from) / POINTS), refresh);
      };
      refresh();
      onCleanup(() => {
        cancel();
        abort.abort();
      });
    }),
  );

  return {
    /** The time that the strip shows: all that is kept, or as far back as the finer tiers reach. */
    stretch,
    /** Whether there is something to show. */
    isKnown,
    outline: createMemo<Outline | null>(() => {
      const got = answer();
      return got === null ? null : outlineOf(got, stretch());
    }),
    alerts,
    /** Alerts that began before are not in the lane: there are too many. */
    alertsFrom,
    marks,
    /** Why the last request failed; empty if it did not. */
    failed,
    tier,
    /** Show what the next tier keeps, or again the first one. */
    nextTier(): void {
      const all = tiers();
      const here = all.findIndex(({ what }) => what === tier()?.what);
      setChosen(all[(here + 1) % all.length]?.what ?? null);
    },
  };
}

export type OverviewStore = ReturnType<typeof createOverviewStore>;
