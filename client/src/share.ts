/**
 * What the shared worker does: one feed for all tabs of a browser, and everything a tab needs to be live at
 * once. Browsers allow six HTTP/1.1 connections to a host; a stream per tab would freeze the seventh tab.
 * Ticks are state: a tab that nobody sees gets none, and a snapshot when it is looked at again. Alerts are
 * events, few and small: they go to hidden tabs too, so that the title of a tab in the background is true.
 * Ports are anything with `post`; it must not know what a MessagePort is.
 */
import type { Clock } from "./clock";
import type { LinkStatus } from "./connection";
import type { Ticks } from "./decoder";
import { Episodes } from "./episodes";
import type { Feed, FeedEvent, Listener, Snapshot } from "./feed";
import type { Board, Problem } from "./types.gen";
import { Window } from "./window";

/** What a tab says to the worker. */
export type TabMessage =
  | { type: "hello"; base: string; visible: boolean }
  | { type: "visible"; visible: boolean }
  /** "I am here, are you?": answered by `here`. */
  | { type: "alive"; visible: boolean }
  | { type: "wake"; visible: boolean }
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
}

/** A tab says that it is there every 20 s; a throttled one may need a minute. */
const FORGET_AFTER_MS = 150_000;
const LOOK_EVERY_MS = 30_000;
/** Alerts that are over: a tab shows fifty, and its viewer may have put others away. */
const KEPT_OVER = 200;
const FIRST_CAPACITY = 60;

/** What is known now, kept from the events of a feed. */
export class Latest {
  private status: LinkStatus = { connected: false, tried: false, retryAt: null };
  private board: Board | null = null;
  private problems: Problem[] = [];
  private readonly window = new Window(FIRST_CAPACITY, 1000);
  private readonly episodes = new Episodes(KEPT_OVER);
  private told = false;
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
    }
  }

  snapshot(): Snapshot {
    const { status, board, problems, skewMs } = this;
    const window = this.window.epoch === "" ? null : this.window.snapshot();
    const episodes = this.told ? this.episodes.all : null;
    return { type: "snapshot", status, board, problems, window, episodes, skewMs };
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
    if (message.type === "hello") this.base = message.base;
    const known = this.tabs.get(port);
    const seenAgain = message.visible && known?.visible !== true;
    const now = this.clock.now();
    const seen = message.visible || known?.visible ? now : (known?.seen ?? 0);
    this.tabs.set(port, { visible: message.visible, heard: now, seen });
    this.run();
    if (message.type === "alive") port.post({ type: "here" });
    if (message.type === "hello" || known === undefined || seenAgain) port.post(this.latest.snapshot());
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
    const forAll = event.type !== "ticks" && event.type !== "amended";
    for (const [port, tab] of this.tabs) if (tab.visible || forAll) port.post(event);
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
