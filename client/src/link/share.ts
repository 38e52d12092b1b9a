/**
 * The shared worker's hub: one feed for all tabs of a browser, plus a snapshot for each tab that joins.
 * Browsers allow six HTTP/1.1 connections to a host; a stream per tab would freeze the seventh tab. Ticks are
 * state: a hidden tab gets none, and a snapshot when it becomes visible; a slow tab gets a snapshot once it
 * has caught up. Alerts are events, few and small: hidden tabs get them too, so that a background tab's title
 * stays correct. A port is anything with `post`; it must not know what a MessagePort is.
 */

import { Episodes } from "../alerts/episodes";
import type { Clock } from "../time/clock";
import type { BoardInfo, Problem } from "../types.gen";
import { Window } from "../window/window";
import type { LinkStatus } from "./connection";
import type { Ticks } from "./decoder";
import type { Feed, FeedEvent, Listener, Snapshot, Trouble } from "./feed";

/** A message from a tab to the worker. */
export type TabMessage =
  | { type: "hello"; base: string; visible: boolean }
  | { type: "visible"; visible: boolean }
  /** Keepalive, answered by `here`. */
  | { type: "alive"; visible: boolean }
  | { type: "wake"; visible: boolean }
  /** Acknowledges a `ticks`, `amended` or `snapshot` message. */
  | { type: "taken" }
  | { type: "bye" };

/** A message from the worker to a tab. */
export type WorkerMessage = FeedEvent | { type: "here" };

export interface Port {
  post(message: WorkerMessage): void;
}

interface Tab {
  visible: boolean;
  heard: number;
  /** When it was last visible; 0 for never. */
  seen: number;
  /** Posted messages that the tab has not acknowledged, and whether later ones were dropped. */
  waiting: number;
  missed: boolean;
}

/** A tab sends `alive` every 20 s; a throttled one may need a minute. */
const FORGET_AFTER_MS = 150_000;
const LOOK_EVERY_MS = 30_000;
/** Limit of ended alerts: a tab shows fifty, and its viewer may have dismissed others. */
const KEPT_OVER = 200;
const FIRST_CAPACITY = 60;
/** Limit of unacknowledged messages per tab: an unbounded queue would fall further and further behind. */
export const MAX_WAITING = 16;

/** The current state, built from the events of a feed. */
export class Latest {
  #status: LinkStatus = { connected: false, tried: false, retryAt: null };
  #board: BoardInfo | null = null;
  #problems: Problem[] = [];
  readonly #window = new Window(FIRST_CAPACITY, 1000, true);
  readonly #episodes = new Episodes(KEPT_OVER);
  #told = false;
  #alertsLive = false;
  #trouble: Trouble | null = null;
  #skewMs = Number.POSITIVE_INFINITY;

  take(event: FeedEvent): void {
    switch (event.type) {
      case "status":
        this.#status = event.status;
        break;
      case "board":
        this.#board = event.board;
        this.#problems = event.board.problems ?? [];
        this.#window.resize(event.board.window_size, event.board.interval_ms);
        break;
      case "problems":
        this.#problems = event.problems;
        break;
      case "ticks":
        this.#takeTicks(event, event.received);
        break;
      case "amended":
        this.#window.amend(event);
        break;
      case "alerts":
        this.#episodes.take(event.alerts, event.whole);
        this.#told = true;
        break;
      case "alertsLive":
        this.#alertsLive = event.live;
        break;
      case "trouble":
        this.#trouble = event.trouble;
        break;
    }
  }

  snapshot(now: number): Snapshot {
    const status = this.#status;
    const board = this.#board;
    const problems = this.#problems;
    const alertsLive = this.#alertsLive;
    const trouble = this.#trouble;
    const serverTime = Number.isFinite(this.#skewMs) ? now - this.#skewMs : Number.NaN;
    const window = this.#window.epoch === "" ? null : this.#window.snapshot();
    const episodes = this.#told ? this.#episodes.all : null;
    return { type: "snapshot", status, board, problems, window, episodes, alertsLive, trouble, serverTime };
  }

  #takeTicks(ticks: Ticks, received: number): void {
    this.#window.take(ticks);
    const skew = received - this.#window.newestTime;
    if (ticks.afresh) this.#skewMs = Number.POSITIVE_INFINITY;
    if (skew < this.#skewMs) this.#skewMs = skew;
  }
}

export class ShareHub {
  readonly #tabs = new Map<Port, Tab>();
  #feed: Feed | null = null;
  #latest = new Latest();
  #base = "";
  #cancelLook: () => void = () => {};

  readonly #clock: Clock;
  readonly #makeFeed: (base: string, listener: Listener) => Feed;

  constructor(clock: Clock, makeFeed: (base: string, listener: Listener) => Feed) {
    this.#clock = clock;
    this.#makeFeed = makeFeed;
  }

  get size(): number {
    return this.#tabs.size;
  }

  /** Handle a tab's message. Any message brings back a tab that was forgotten, for example during sleep. */
  receive(port: Port, message: TabMessage): void {
    if (message.type === "bye") {
      this.#forget(port);
      return;
    }
    if (message.type === "taken") {
      this.#taken(port);
      return;
    }
    if (message.type === "hello") this.#base = message.base;
    const known = this.#tabs.get(port);
    const seenAgain = message.visible && known?.visible !== true;
    const now = this.#clock.now();
    const seen = message.visible || known?.visible ? now : (known?.seen ?? 0);
    const { waiting = 0, missed = false } = known ?? {};
    const tab = { visible: message.visible, heard: now, seen, waiting, missed };
    this.#tabs.set(port, tab);
    this.#run();
    if (message.type === "alive") port.post({ type: "here" });
    if (message.type === "hello" || known === undefined || seenAgain) this.#catchUp(port, tab);
    if (message.type === "wake" || seenAgain) this.#feed?.wake();
  }

  #run(): void {
    if (this.#feed !== null || this.#base === "") return;
    this.#latest = new Latest();
    this.#feed = this.#makeFeed(this.#base, (event) => this.#publish(event));
    this.#feed.start();
    this.#look();
  }

  #publish(event: FeedEvent): void {
    this.#latest.take(event);
    if (event.type === "alerts") {
      const loud = this.#loudest();
      for (const port of this.#tabs.keys()) port.post({ ...event, quiet: port !== loud });
      return;
    }
    const isState = event.type === "ticks" || event.type === "amended";
    for (const [port, tab] of this.#tabs) {
      if (!isState) port.post(event);
      else if (tab.visible) this.#postTicks(port, tab, event);
    }
  }

  #postTicks(port: Port, tab: Tab, event: FeedEvent): void {
    tab.missed ||= tab.waiting >= MAX_WAITING;
    if (tab.missed) return;
    tab.waiting++;
    port.post(event);
  }

  #taken(port: Port): void {
    const tab = this.#tabs.get(port);
    if (tab === undefined) return;
    tab.waiting--;
    if (tab.waiting === 0 && tab.missed) this.#catchUp(port, tab);
  }

  /** Send a snapshot in place of the messages a tab missed. */
  #catchUp(port: Port, tab: Tab): void {
    tab.missed = false;
    tab.waiting++;
    port.post(this.#latest.snapshot(this.#clock.now()));
  }

  /** The tab that may notify: the last visible one, which may make a sound; null while a tab is visible. */
  #loudest(): Port | null {
    let [loud, seen] = [null as Port | null, -1];
    for (const [port, tab] of this.#tabs) {
      if (tab.visible) return null;
      if (tab.seen > seen) [loud, seen] = [port, tab.seen];
    }
    return loud;
  }

  #forget(port: Port): void {
    this.#tabs.delete(port);
    if (this.#tabs.size > 0) return;
    this.#cancelLook();
    this.#feed?.stop();
    this.#feed = null;
  }

  #look(): void {
    this.#cancelLook = this.#clock.after(LOOK_EVERY_MS, () => {
      this.#look();
      const oldest = this.#clock.now() - FORGET_AFTER_MS;
      for (const [port, tab] of this.#tabs) if (tab.heard < oldest) this.#forget(port);
    });
  }
}
