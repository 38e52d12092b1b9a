/**
 * What the shared worker does: one feed for all tabs of a browser, and everything a tab needs to be live at
 * once. Browsers allow six HTTP/1.1 connections to a host; a stream per tab would freeze the seventh tab.
 * Ticks are state: a tab that nobody sees gets none, and a snapshot when it is looked at again, as one that could not
 * keep up does when it has taken what there was. Alerts are
 * events, few and small: they go to hidden tabs too, so that the title of a tab in the background is true.
 * Ports are anything with `post`; it must not know what a MessagePort is.
 */

import { Episodes } from "../alerts/episodes";
import type { Clock } from "../time/clock";
import type { BoardInfo, Problem } from "../types.gen";
import { Window } from "../window/window";
import type { LinkStatus } from "./connection";
import type { Ticks } from "./decoder";
import type { Feed, FeedEvent, Listener, Snapshot, Trouble } from "./feed";

/** What a tab says to the worker. */
export type TabMessage =
  | { type: "hello"; base: string; visible: boolean }
  | { type: "visible"; visible: boolean }
  /** "I am here, are you?": answered by `here`. */
  | { type: "alive"; visible: boolean }
  | { type: "wake"; visible: boolean }
  /** It has taken a message of ticks, or a snapshot. */
  | { type: "taken" }
  | { type: "bye" };

/** What the worker says to a tab. */
export type WorkerMessage = FeedEvent | { type: "here" };

export interface Port {
  post(message: WorkerMessage): void;
}

interface Tab {
  visible: boolean;
  heard: number;
  /** When it was last looked at; 0 for never. */
  seen: number;
  /** Messages of ticks that were posted and not taken yet, and whether more were left out because of them. */
  waiting: number;
  missed: boolean;
}

/** A tab says that it is there every 20 s; a throttled one may need a minute. */
const FORGET_AFTER_MS = 150_000;
const LOOK_EVERY_MS = 30_000;
/** Alerts that are over: a tab shows fifty, and its viewer may have put others away. */
const KEPT_OVER = 200;
const FIRST_CAPACITY = 60;
/** A tab that is busy gets no more until it has taken these: a queue without end would show what was, ever later. */
export const MAX_WAITING = 16;

/** What is known now, kept from the events of a feed. */
export class Latest {
  private status: LinkStatus = { connected: false, tried: false, retryAt: null };
  private board: BoardInfo | null = null;
  private problems: Problem[] = [];
  private readonly window = new Window(FIRST_CAPACITY, 1000);
  private readonly episodes = new Episodes(KEPT_OVER);
  private told = false;
  private alertsLive = false;
  private trouble: Trouble | null = null;
  private skewMs = Number.POSITIVE_INFINITY;

  take(event: FeedEvent): void {
    switch (event.type) {
      case "status":
        this.status = event.status;
        break;
      case "board":
        this.board = event.board;
        this.problems = event.board.problems ?? [];
        this.window.resize(event.board.window_size, event.board.interval_ms);
        break;
      case "problems":
        this.problems = event.problems;
        break;
      case "ticks":
        this.takeTicks(event, event.received);
        break;
      case "amended":
        this.window.amend(event);
        break;
      case "alerts":
        this.episodes.take(event.alerts, event.whole);
        this.told = true;
        break;
      case "alertsLive":
        this.alertsLive = event.live;
        break;
      case "trouble":
        this.trouble = event.trouble;
        break;
    }
  }

  snapshot(now: number): Snapshot {
    const { status, board, problems, alertsLive, trouble } = this;
    const serverTime = Number.isFinite(this.skewMs) ? now - this.skewMs : Number.NaN;
    const window = this.window.epoch === "" ? null : this.window.snapshot();
    const episodes = this.told ? this.episodes.all : null;
    return { type: "snapshot", status, board, problems, window, episodes, alertsLive, trouble, serverTime };
  }

  private takeTicks(ticks: Ticks, received: number): void {
    this.window.take(ticks);
    const skew = received - this.window.newestTime;
    if (ticks.afresh) this.skewMs = Number.POSITIVE_INFINITY;
    if (skew < this.skewMs) this.skewMs = skew;
  }
}

export class ShareHub {
  private readonly tabs = new Map<Port, Tab>();
  private feed: Feed | null = null;
  private latest = new Latest();
  private base = "";
  private cancelLook: () => void = () => {};

  constructor(
    private readonly clock: Clock,
    private readonly makeFeed: (base: string, listener: Listener) => Feed,
  ) {}

  get size(): number {
    return this.tabs.size;
  }

  /** A tab says something. One that was forgotten (a laptop slept) is known again by any word. */
  receive(port: Port, message: TabMessage): void {
    if (message.type === "bye") {
      this.forget(port);
      return;
    }
    if (message.type === "taken") {
      this.taken(port);
      return;
    }
    if (message.type === "hello") this.base = message.base;
    const known = this.tabs.get(port);
    const seenAgain = message.visible && known?.visible !== true;
    const now = this.clock.now();
    const seen = message.visible || known?.visible ? now : (known?.seen ?? 0);
    const { waiting = 0, missed = false } = known ?? {};
    const tab = { visible: message.visible, heard: now, seen, waiting, missed };
    this.tabs.set(port, tab);
    this.run();
    if (message.type === "alive") port.post({ type: "here" });
    if (message.type === "hello" || known === undefined || seenAgain) this.catchUp(port, tab);
    if (message.type === "wake" || seenAgain) this.feed?.wake();
  }

  private run(): void {
    if (this.feed !== null || this.base === "") return;
    this.latest = new Latest();
    this.feed = this.makeFeed(this.base, (event) => this.publish(event));
    this.feed.start();
    this.look();
  }

  private publish(event: FeedEvent): void {
    this.latest.take(event);
    if (event.type === "alerts") {
      const loud = this.loudest();
      for (const port of this.tabs.keys()) port.post({ ...event, quiet: port !== loud });
      return;
    }
    const isState = event.type === "ticks" || event.type === "amended";
    for (const [port, tab] of this.tabs) {
      if (!isState) port.post(event);
      else if (tab.visible) this.postTicks(port, tab, event);
    }
  }

  private postTicks(port: Port, tab: Tab, event: FeedEvent): void {
    tab.missed ||= tab.waiting >= MAX_WAITING;
    if (tab.missed) return;
    tab.waiting++;
    port.post(event);
  }

  private taken(port: Port): void {
    const tab = this.tabs.get(port);
    if (tab === undefined) return;
    tab.waiting--;
    if (tab.waiting === 0 && tab.missed) this.catchUp(port, tab);
  }

  /** Everything as it is now, in place of what a tab has not got. */
  private catchUp(port: Port, tab: Tab): void {
    tab.missed = false;
    tab.waiting++;
    port.post(this.latest.snapshot(this.clock.now()));
  }

  /** The one tab that may draw attention: none while one is looked at, else the last that was, for it may make a sound. */
  private loudest(): Port | null {
    let [loud, seen] = [null as Port | null, -1];
    for (const [port, tab] of this.tabs) {
      if (tab.visible) return null;
      if (tab.seen > seen) [loud, seen] = [port, tab.seen];
    }
    return loud;
  }

  private forget(port: Port): void {
    this.tabs.delete(port);
    if (this.tabs.size > 0) return;
    this.cancelLook();
    this.feed?.stop();
    this.feed = null;
  }

  private look(): void {
    this.cancelLook = this.clock.after(LOOK_EVERY_MS, () => {
      this.look();
      const oldest = this.clock.now() - FORGET_AFTER_MS;
      for (const [port, tab] of this.tabs) if (tab.heard < oldest) this.forget(port);
    });
  }
}
