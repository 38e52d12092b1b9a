/**
 * What the strip shows of all that is kept: the outline of one metric, and when alerts fired. It is loaded
 * for a stretch of time and refreshed from time to time; what failed is asked for again, and what it had stays.
 * It must not know how a strip is drawn.
 */
import { createEffect, createMemo, createSignal, on, onCleanup, untrack } from "solid-js";
import { type Answer, decodeAnswer } from "../past/answer";
import type { Clock } from "../time/clock";
import { type Range, writeTime } from "../time/range";
import { type Outline, outlineOf } from "../time/strip";
import type { AlertSpans, Severity } from "../types.gen";
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

/** Alerts of one severity in the lane; `to` is Infinity while one of them fires. */
export interface LaneSpan extends Range {
  severity: Severity;
  alerts: number;
}

const POINTS = 700;
/** The most values of one answer: a metric with many series has fewer buckets. */
const VALUES = 300_000;
const REFRESH_AT_LEAST_MS = 60_000;
/** How often the end of the strip moves on, as a share of its length. */
const MOVES_BY = 1 / 1000;

const laneSpan = ({ severity, alerts, from, to }: AlertSpans["spans"][number]): LaneSpan => ({
  ...{ severity, alerts },
  from: Date.parse(from),
  to: to === undefined ? Number.POSITIVE_INFINITY : Date.parse(to),
});

export function createOverviewStore(options: OverviewOptions) {
  const { clock, get, metric, tiers, range, newest } = options;
  /** The tier that the viewer chose; null to follow the range on the page. */
  const [chosen, setChosen] = createSignal<Tier["what"] | null>(null);
  const [answer, setAnswer] = createSignal<Answer | null>(null);
  const [alerts, setAlerts] = createSignal<readonly LaneSpan[]>([]);
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
    const query = new URLSearchParams({ from: writeTime(from), points: String(POINTS) });
    const answer = await get(`api/alerts/spans?${query}`, signal);
    const { spans }: AlertSpans = JSON.parse(new TextDecoder().decode(answer));
    setAlerts(spans.map(laneSpan));
  }

  async function load(of: Range, name: string, signal: AbortSignal): Promise<void> {
    const done = await Promise.allSettled([loadOutline(of, name, signal), loadAlerts(of, signal)]);
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
    /** When alerts fired, thinned. */
    alerts,
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
