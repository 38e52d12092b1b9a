/**
 * The page's entry: creates the stores, connects them to a feed and renders the app. Only this module and the
 * worker use the browser's globals; all others take arguments.
 */

import workerUrl from "virtual:worker-url";
import { batch, createEffect, getOwner, onCleanup, runWithOwner, untrack } from "solid-js";
import { render } from "solid-js/web";
import { askToNotify, notificationPermission } from "./alerts/notification";
import { paced } from "./chart/pace";
import { App } from "./components/App";
import { provideStores, type Stores } from "./components/context";
import { loadLater } from "./components/LoadedPart";
import { reveal } from "./components/reveal";
import { browserNetwork, DirectFeed, type FeedEvent, type Listener } from "./link/feed";
import { SharedFeed, type WorkerLink } from "./link/port";
import type { WorkerMessage } from "./link/share";
import { readStored, readStoredList, writeStored } from "./storage";
import { createAlertStore, type Memory } from "./stores/alerts";
import { type BellStore, createBellStore } from "./stores/bell";
import { createBoardStore } from "./stores/board";
import { createBrushStore } from "./stores/brush";
import { createComparisonStore } from "./stores/comparison";
import { createConnectionStore } from "./stores/connection";
import { createCursorStore } from "./stores/cursor";
import { createHistoryStore } from "./stores/history";
import { createMarksStore } from "./stores/marks";
import { createMeStore } from "./stores/me";
import type { OverviewStore } from "./stores/overview";
import { createPastStore } from "./stores/past";
import { createPastAlertsStore } from "./stores/pastalerts";
import { createPinsStore } from "./stores/pins";
import { createReplayStore } from "./stores/replay";
import { createRowsStore } from "./stores/rows";
import { createSectionsStore } from "./stores/sections";
import { createShortcutsStore } from "./stores/shortcuts";
import { createSparkStore } from "./stores/sparks";
import { createStatsStore } from "./stores/stats";
import { createThemeStore } from "./stores/theme";
import { type Address, createTimeStore } from "./stores/time";
import { createViewStore, type Place } from "./stores/view";
import { systemClock } from "./time/clock";
import { DAY_MS, setUtc } from "./time/zone";
import type { Health, Mark, Me } from "./types.gen";

const base = new URL(".", document.baseURI).href;
const kiosk = new URLSearchParams(location.search).has("kiosk");
const visible = () => document.visibilityState === "visible";
/** Boards under other paths of this origin have their own alerts and rows. */
const mount = new URL(base).pathname;
const dismissedKey = `tickboard:dismissed:${mount}`;
const foldedKey = `tickboard:folded:${mount}`;
const hiddenKey = `tickboard:hidden:${mount}`;
const collapsedKey = `tickboard:collapsed:${mount}`;
const openedKey = `tickboard:opened:${mount}`;
const pinnedKey = `tickboard:pinned:${mount}`;
const SHORTCUTS_KEY = "tickboard:shortcuts";
const BELL_KEY = "tickboard:bell";
const ZONE_KEY = "tickboard:zone";
const stripKey = `tickboard:strip:${mount}`;
const ANSWER_WITHIN_MS = 30_000;
/** The server's clock is known less exactly than this. */
const SOON_MS = 5_000;

const listUnder = (key: string): Memory => ({
  load: () => readStoredList(key),
  save: (texts) => writeStored(key, JSON.stringify(texts)),
});

const addressWith = (hash: string) => `${location.pathname}${location.search}${hash}`;

const browserPlace: Place = {
  state: () => history.state,
  hash: () => location.hash,
  push: (state, hash) => {
    // A view may scroll the page, and going back must not undo that.
    history.scrollRestoration = "manual";
    history.pushState(state, "", addressWith(hash));
  },
  replace: (state, hash) => history.replaceState(state, "", addressWith(hash)),
  back: () => history.back(),
};

const browserAddress: Address = {
  search: () => location.search,
  replace: (search) =>
    history.replaceState(history.state, "", `${location.pathname}${search}${location.hash}`),
};

/** GET an address below the page's. Rejects with the server's error, or why there is no answer. */
async function getBytes(path: string, signal: AbortSignal): Promise<ArrayBuffer> {
  const answer = await fetch(base + path, { signal, cache: "no-store" });
  if (answer.ok) return answer.arrayBuffer();
  const { error = answer.statusText } = await answer.json().catch(() => ({}));
  throw new Error(error);
}

async function getJson<T>(path: string): Promise<T> {
  const bytes = await getBytes(path, AbortSignal.timeout(ANSWER_WITHIN_MS));
  return JSON.parse(new TextDecoder().decode(bytes));
}

function createStores(retry: () => void): Stores {
  setUtc(readStored(ZONE_KEY) === "utc");
  const board = createBoardStore();
  const intervalMs = () => board.board()?.interval_ms ?? 1000;
  const connection = createConnectionStore(systemClock.now, Date.now, intervalMs, retry);
  const theme = createThemeStore(
    document.documentElement,
    matchMedia("(prefers-color-scheme: dark)"),
    matchMedia("(forced-colors: active)"),
  );
  /** A tick's time; before the first one, when it is NaN, the server's time. */
  const known = (time: number) => time || connection.serverTime();
  const time = createTimeStore({
    clock: systemClock,
    address: browserAddress,
    now: {
      drawn: () => {
        stats.drawn();
        return known(stats.live.newestTime);
      },
      newest: () => known(stats.live.newestTime),
      oldest: () => known(stats.live.times[stats.live.oldest]),
      intervalMs,
      windowMs: () => stats.live.spanMs,
    },
  });
  const past = createPastStore({
    ...{ time, clock: systemClock, live: () => stats.live, get: getBytes },
    seriesOf: (metric) => stats.seriesOf(metric).length,
    kept: () => !history.hasNone(),
    loader: async () => (await loadLater()).RangeLoader,
  });
  const stats = createStatsStore(
    paced(systemClock, requestAnimationFrame),
    theme.printing,
    () => performance.now(),
    {
      ...{ window: past.window, has: past.has },
      ...{ stands: () => !time.follows(), replays: () => time.speed() > 0 },
    },
  );
  const pastAlerts = createPastAlertsStore({
    ...{ time, clock: systemClock, live: () => stats.live, get: getBytes },
    hasHistory: () => !history.hasNone(),
    isKept: () => history.health() !== null && !history.hasNone(),
    loader: async () => (await loadLater()).PastAlerts,
  });
  const bell = createBell(board.title, (id) => alerts.isFiring(id));
  const alerts = createAlertStore({
    clock: systemClock,
    dismissed: listUnder(dismissedKey),
    folded: listUnder(foldedKey),
    // A wall display has no way to show hidden severities again.
    hidden: kiosk ? { load: () => [], save: () => {} } : listUnder(hiddenKey),
    onFiring: (fresh, quiet) => quiet || visible() || bell.take(fresh),
    past: pastAlerts.view,
  });
  const marks = createMarksStore({
    clock: systemClock,
    load: () => getJson<Mark[]>("api/marks"),
    range: time.range,
    around() {
      const [at, now] = [alerts.at(), connection.serverTime()];
      return at === null ? { from: now - DAY_MS, to: now + SOON_MS } : { from: alerts.from(), to: at };
    },
  });
  const view = createViewStore(browserPlace, kiosk);
  const brush = createBrushStore(time);
  const rows = createRowsStore(listUnder(collapsedKey), listUnder(openedKey));
  const history = createHistoryStore({
    ...{ load: askHealth, now: connection.newest },
    windowMs: () => (board.board()?.window_size ?? 60) * intervalMs(),
    strip: {
      load: () => readStored(stripKey) === "on",
      save: (on) => writeStored(stripKey, on ? "on" : null),
    },
  });
  return {
    board,
    comparison: createComparisonStore({
      ...{ view, range: time.range, brushed: brush.range },
      ticking: () => ({ newest: stats.live.newestTime, intervalMs: intervalMs() }),
    }),
    connection,
    cursor: createCursorStore(),
    stats,
    alerts,
    bell,
    base,
    brush,
    history,
    marks,
    me: createMeStore(() => getJson<Me>("api/me")),
    overview: overviewOf({ board, connection, history, stats, time }),
    sparks: createSparkStore(stats.live, pastAlerts),
    past,
    pastAlerts,
    pins: createPinsStore(listUnder(pinnedKey), board),
    replay: createReplayStore(time),
    rows,
    sections: createSectionsStore(board, alerts, rows, reveal),
    view,
    shortcuts: createShortcutsStore({
      load: () => readStored(SHORTCUTS_KEY) !== "off",
      save: (on) => writeStored(SHORTCUTS_KEY, on ? null : "off"),
    }),
    theme,
    time,
    zone: {
      choose(utc): void {
        setUtc(utc);
        writeStored(ZONE_KEY, utc ? "utc" : null);
      },
    },
  };
}

/** The strip's store, created on first use. */
function overviewOf({
  board,
  connection,
  history,
  stats,
  time,
}: Pick<Stores, "board" | "connection" | "history" | "stats" | "time">): () => Promise<OverviewStore> {
  const owner = getOwner();
  let store: Promise<OverviewStore> | null = null;
  async function create(): Promise<OverviewStore> {
    const { createOverviewStore } = await loadLater();
    const options = {
      ...{ clock: systemClock, get: getBytes, tiers: history.tiers, range: time.range },
      newest: connection.newest,
      metric: board.firstMetric,
      seriesOf: (metric: string) => stats.seriesOf(metric).length,
    };
    return runWithOwner(owner, () => createOverviewStore(options)) as OverviewStore;
  }
  return () => {
    store ??= create();
    return store;
  };
}

async function askHealth(): Promise<Health> {
  const answer = await fetch(`${base}api/health`, { cache: "no-store" });
  return answer.json();
}

function createBell(title: () => string, isFiring: (id: string) => boolean): BellStore {
  const ringing = (then: (parts: Awaited<ReturnType<typeof loadLater>>) => void) => {
    // After an update of the server an open page asks for a file that is gone; the page itself shows the alert.
    loadLater().then(then, console.error);
  };
  return createBellStore({
    clock: systemClock,
    load: () => readStored(BELL_KEY) === "on",
    save: (on) => writeStored(BELL_KEY, on ? "on" : null),
    permission: notificationPermission,
    ask: askToNotify,
    notify: (alerts) => ringing((parts) => parts.showNotification(alerts, title(), mount)),
    prepare: () => ringing(({ sound }) => sound.prepare()),
    ring: (tone) => ringing(({ sound }) => sound.ring(tone)),
    isFiring,
  });
}

/** The name carries the build (in the worker's file name) and the mount, so that no other worker answers. */
function connectWorker(receive: (message: WorkerMessage) => void, failed: () => void): WorkerLink {
  const name = `tickboard ${base} ${workerUrl}`;
  const worker = new SharedWorker(workerUrl, { type: "module", name });
  worker.onerror = failed;
  worker.port.onmessage = (event: MessageEvent<WorkerMessage>) => receive(event.data);
  return { post: (message) => worker.port.postMessage(message), close: () => worker.port.close() };
}

function createFeed(listener: Listener): SharedFeed {
  const spare = (spareListener: Listener) => new DirectFeed(base, browserNetwork, systemClock, spareListener);
  return new SharedFeed({ base, clock: systemClock, visible, connect: connectWorker, spare }, listener);
}

/** Add a listener, and remove it with the page's root. */
function listen(target: EventTarget, type: string, listener: (event: Event) => void): void {
  target.addEventListener(type, listener);
  onCleanup(() => target.removeEventListener(type, listener));
}

/** Connect the feed. Stop it when the page goes away, and restart it when the page returns from the cache. */
function connect(stores: Stores, started: (feed: SharedFeed) => void): void {
  const { alerts, bell, board, connection, marks, past, pastAlerts, sparks, stats, theme, time, view } =
    stores;
  const feed = createFeed((event: FeedEvent) =>
    batch(() => {
      for (const store of [board, connection, stats, past, sparks, alerts, pastAlerts, marks])
        store.apply(event);
    }),
  );
  started(feed);
  feed.start();
  onCleanup(() => feed.stop());
  listen(window, "pagehide", () => feed.stop());
  listen(window, "pageshow", (event) => (event as PageTransitionEvent).persisted && feed.start());
  listen(window, "online", () => feed.wake());
  listen(window, "popstate", () => {
    view.moved();
    time.moved();
    history.scrollRestoration = "auto";
  });
  listen(window, "keydown", (event) => {
    // Escape closes one thing at a time, a popover before the view.
    const open = document.querySelector(":popover-open") !== null;
    if ((event as KeyboardEvent).key === "Escape" && !event.defaultPrevented && !open) view.close();
  });
  listen(window, "beforeprint", () => theme.print(true));
  listen(window, "afterprint", () => {
    theme.print(false);
    stats.draw();
  });
  listen(document, "visibilitychange", () => {
    feed.visibilityChanged();
    // Update the time first, so that the page shows the true age of its values.
    if (visible()) connection.elapse();
  });
  listen(window, "storage", (event) => {
    const { key } = event as StorageEvent;
    if (key === dismissedKey || key === foldedKey) alerts.reload();
    if (key === BELL_KEY) bell.reload();
  });
  for (const touch of ["pointerdown", "keydown"]) listen(window, touch, () => bell.touched());
  const timer = setInterval(() => visible() && connection.elapse(), 1000);
  onCleanup(() => clearInterval(timer));
}

function Root() {
  let feed: SharedFeed | undefined;
  const stores = createStores(() => feed?.wake());
  // Untracked: without a shared worker, stores handle the first events during connect, and the signals they
  // read must not trigger another connect.
  createEffect(() =>
    untrack(() =>
      connect(stores, (started) => {
        feed = started;
      }),
    ),
  );
  provideStores(stores);
  return <App kiosk={kiosk} />;
}

const root = document.getElementById("root");
if (root !== null) render(Root, root);
