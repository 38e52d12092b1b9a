/**
 * A feed is all that the page hears: the board, the ticks, the alerts and how the connection is. `DirectFeed`
 * gets it from the server; another implementation (port.ts) gets it from the worker that the tabs of one browser
 * share. What it tells is a FeedEvent; it must not know who listens.
 */

import type { Episode } from "../alerts/episodes";
import type { Clock } from "../time/clock";
import type { Alert, AlertPage, BoardInfo, MetricsChanged, Problem } from "../types.gen";
import type { WindowSnapshot } from "../window/window";
import { AlertStream, type Events } from "./alertstream";
import { changedBoard } from "./changes";
import { type LinkStatus, MetricsConnection, type Socket } from "./connection";
import { type Amendment, type Message, SUBPROTOCOL, type Ticks } from "./decoder";
import type { Series } from "./protocol";
import { Retry } from "./retry";

/** Everything that a tab needs to be live at once. */
export interface Snapshot {
  type: "snapshot";
  status: LinkStatus;
  board: BoardInfo | null;
  problems: Problem[];
  window: WindowSnapshot | null;
  /** Null until the alert stream has said what fires. */
  episodes: Episode[] | null;
  alertsLive: boolean;
  trouble: Trouble | null;
  /** The server's clock at this moment as far as it is known, milliseconds since 1970; NaN where it is not. */
  serverTime: number;
}

/** Why there is no WebSocket though the server answers. */
export interface Trouble {
  /** Whether it would answer the same to everyone, or something on the way does not pass the handshake on. */
  kind: "refused" | "upgrade";
  /** What the server said. */
  said: string;
}

/** Alerts that fire, end or are changed, as they came close together. */
export interface AlertsTold {
  type: "alerts";
  alerts: readonly Alert[];
  /** Whether they are all that fire: any other that was told before is over. */
  whole: boolean;
  /** Whether another tab of this browser draws attention to them, or is looked at. */
  quiet?: boolean;
}

export type FeedEvent =
  | { type: "status"; status: LinkStatus }
  | { type: "board"; board: BoardInfo }
  | { type: "problems"; problems: Problem[] }
  /** `received` is when they came in, by this browser's `Clock`. */
  | (Ticks & { received: number })
  | Amendment
  | AlertsTold
  /** Whether the alert stream is open and has said what fires: what it does not say does not fire. */
  | { type: "alertsLive"; live: boolean }
  /** Why the WebSocket can't be opened, once that is known; null when it can, or nobody answers. */
  | { type: "trouble"; trouble: Trouble | null }
  | Snapshot;

export type Listener = (event: FeedEvent) => void;

export interface Feed {
  start(): void;
  stop(): void;
  /** The network is back, or someone looks at the page. */
  wake(): void;
}

/** The browser, as far as a feed needs it. */
export interface Network {
  /** A WebSocket that speaks the binary subprotocol. */
  socket(url: string): Socket;
  events(url: string): Events;
  /** GET a JSON document; rejects when there is none. */
  json(url: string): Promise<unknown>;
  /** Send a request as a page of this site does, with its Origin; rejects when nobody answers. */
  ask(url: string): Promise<{ status: number; text: string }>;
}

/** Alerts that are over, as many as the page shows. */
const OVER_SHOWN = 50;
/** So many handshakes in a row have to fail before it is asked why. */
const FAILURES = 3;

/** Changes of the board that are kept while it is asked for; one that was from before them is asked for again. */
const CHANGES_KEPT = 200;

export class DirectFeed implements Feed {
  private readonly metrics: MetricsConnection;
  private readonly alerts: AlertStream;
  private readonly retry: Retry;
  private readonly socketUrl: string;
  private readonly boardUrl: string;
  private readonly overUrl: string;
  private running = false;
  private fetching = false;
  /** How many boards have come, by whatever way. */
  private boards = 0;
  private board: BoardInfo | null = null;
  /** Those that have come and are not in the board: it is being asked for. */
  private changes: readonly MetricsChanged[] = [];
  private known: ReadonlySet<string> = new Set();
  private connections = 0;
  private connected = false;
  /** Handshakes that failed since the last that did not, and what the last answer said about it. */
  private failures = 0;
  private suspected: Trouble | null = null;
  private told: Trouble | null = null;
  /** What the newest `series` message lists, and whether the board was asked for because of it. */
  private listed: readonly Series[] = [];
  private asked = false;
  /** Asks for the board when it lacks a metric: soon, but not with every message of series. */
  private readonly lacking: Retry;

  /** @param base the address of the page, without its file name: `https://host/live/`. */
  constructor(
    base: string,
    private readonly network: Network,
    private readonly clock: Clock,
    private readonly listener: Listener,
  ) {
    const socketUrl = new URL("ws/metrics", base);
    this.socketUrl = socketUrl.href;
    socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
    socketUrl.search = "changes=1";
    this.boardUrl = new URL("api/board", base).href;
    this.overUrl = new URL(`api/alerts?state=resolved&limit=${OVER_SHOWN}`, base).href;
    this.retry = new Retry(clock, () => void this.fetchBoard());
    this.lacking = new Retry(clock, () => void this.fetchLacking());
    this.metrics = new MetricsConnection({
      url: socketUrl.href,
      clock,
      open: (url) => network.socket(url),
      onMessage: (message) => this.received(message),
      onStatus: (status) => this.statusChanged(status),
    });
    this.alerts = new AlertStream({
      url: new URL("events/alerts", base).href,
      clock,
      open: (url) => network.events(url),
      onAlerts: (alerts, whole) => {
        listener({ type: "alerts", alerts, whole });
        if (whole) void this.fetchOver();
      },
      onLive: (live) => listener({ type: "alertsLive", live }),
    });
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.fetchBoard();
    this.metrics.start();
    this.alerts.start();
  }

  stop(): void {
    this.running = false;
    this.retry.stop();
    this.lacking.stop();
    this.metrics.stop();
    this.alerts.stop();
  }

  wake(): void {
    if (!this.running) return;
    this.retry.now();
    this.metrics.wake();
    this.alerts.wake();
  }

  private async fetchBoard(): Promise<void> {
    if (this.fetching) return;
    this.fetching = true;
    const { boards } = this;
    try {
      const board = (await this.network.json(this.boardUrl)) as BoardInfo;
      if (!this.running) return;
      this.retry.succeeded();
      // One that came over the socket meanwhile is not older than the answer.
      if (this.boards === boards) {
        this.showBoard(board);
        this.catchUp();
      }
    } catch {
      if (this.running) this.retry.later();
    } finally {
      this.fetching = false;
    }
    if (this.running) this.lookForLacking();
  }

  /** What ended before the stream began is not in it; also of what was thought to fire until now. */
  private async fetchOver(): Promise<void> {
    try {
      const { alerts } = (await this.network.json(this.overUrl)) as AlertPage;
      if (this.running && Array.isArray(alerts)) this.listener({ type: "alerts", alerts, whole: false });
    } catch {
      // They are history: what fires is known.
    }
  }

  private async fetchLacking(): Promise<void> {
    // An answer that is under way may be from before the series: what it lacks is seen when it has come.
    if (this.fetching) return;
    this.asked = true;
    await this.fetchBoard();
  }

  private showBoard(board: BoardInfo): void {
    this.boards++;
    this.board = board;
    this.known = new Set(board.metrics.map(({ name }) => name));
    this.metrics.intervalMs = board.interval_ms;
    this.listener({ type: "board", board });
    if (!this.lacks()) this.lacking.succeeded();
  }

  private lacks(): boolean {
    return this.board !== null && this.listed.some(({ name }) => !this.known.has(name));
  }

  /** A metric that came after the board was asked for: nobody else tells of it. */
  private lookForLacking(): void {
    if (!this.asked && this.lacks()) this.lacking.later();
    else this.lacking.stop();
  }

  /** Back on the same run of the server, what has gone meanwhile is in no message. */
  private statusChanged(status: LinkStatus): void {
    const back = status.connected && !this.connected && this.connections++ > 0;
    this.connected = status.connected;
    this.listener({ type: "status", status });
    if (back) void this.fetchBoard();
    if (status.connected) {
      this.failures = 0;
      this.sayTrouble(null);
    } else if (status.retryAt !== null && ++this.failures >= FAILURES) void this.askWhy();
  }

  /** A browser does not say why a handshake failed; the same address says it to a plain request. */
  private async askWhy(): Promise<void> {
    const answer = await this.network.ask(this.socketUrl).catch(() => null);
    if (this.connected || !this.running) return;
    const trouble = answer === null ? null : troubleOf(answer);
    // A server that has just started answers before the next handshake: said is what is so twice.
    const certain = trouble === null || JSON.stringify(trouble) === JSON.stringify(this.suspected);
    this.suspected = trouble;
    if (certain) this.sayTrouble(trouble);
  }

  private sayTrouble(trouble: Trouble | null): void {
    if (trouble === null && this.told === null) return;
    if (trouble === null) this.suspected = null;
    this.told = trouble;
    this.listener({ type: "trouble", trouble });
  }

  private received(message: Message): void {
    if (message.type === "board") {
      this.showBoard(message.board);
      this.catchUp();
      this.lookForLacking();
    } else if (message.type === "metrics_changed") {
      this.changeBoard(message);
      this.lookForLacking();
    } else if (message.type === "ticks") this.ticks(message);
    else {
      if (message.type === "problems" && this.board !== null) {
        this.board = { ...this.board, problems: message.problems };
      }
      this.listener(message);
    }
  }

  private changeBoard(change: MetricsChanged): void {
    this.changes = [...this.changes.slice(1 - CHANGES_KEPT), change];
    this.catchUp();
    // Without what lies before a change, the board is asked for; what comes meanwhile is kept for it.
    if (this.changes.length > 0) void this.fetchBoard();
  }

  /** Put the changes into effect that are not in the board yet. */
  private catchUp(): void {
    if (this.board === null) return;
    const board = this.changes.reduce((one, change) => changedBoard(one, change) ?? one, this.board);
    const { epoch, revision = 0 } = board;
    this.changes = this.changes.filter((change) => change.epoch === epoch && change.revision > revision);
    if (board !== this.board) this.showBoard(board);
  }

  private ticks(ticks: Ticks): void {
    if (ticks.series !== null) {
      this.listed = ticks.series;
      this.asked = false;
      this.enterEpoch(ticks.epoch);
      if (!this.fetching) this.lookForLacking();
    }
    this.listener({ ...ticks, received: this.clock.now() });
  }

  /** Of another epoch than the board that is shown: a restarted server may have another board. */
  private enterEpoch(epoch: string): void {
    if (this.board !== null && this.board.epoch !== epoch) void this.fetchBoard();
  }
}

/** What an answer to a plain request of the WebSocket's address says. */
function troubleOf({ status, text }: { status: number; text: string }): Trouble {
  let said = text.slice(0, 500).trim();
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string") said = error;
  } catch {
    // Not ours, but it was said.
  }
  if (/^\s*</.test(said)) said = "";
  // The path is there: 426, or a server that knows only handshakes there.
  const there = status < 400 || [404, 405, 426].includes(status);
  return there ? { kind: "upgrade", said } : { kind: "refused", said: `${status}${said && `: ${said}`}` };
}

/** The browser's own network; the same in a page and in a worker. */
export const browserNetwork: Network = {
  socket(url) {
    const socket = new WebSocket(url, SUBPROTOCOL);
    socket.binaryType = "arraybuffer";
    return socket as Socket;
  },
  events: (url) => new EventSource(url) as Events,
  async json(url) {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    return answer.json();
  },
  async ask(url) {
    // Only a request that could write has an Origin, as a handshake has.
    const answer = await fetch(url, { method: "POST", cache: "no-store" });
    return { status: answer.status, text: await answer.text() };
  },
};
