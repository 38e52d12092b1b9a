/**
 * A feed is all that the page hears: the board, the ticks, the alerts and how the connection is. `DirectFeed`
 * gets it from the server; another implementation (port.ts) gets it from the worker that the tabs of one browser
 * share. What it tells is a FeedEvent; it must not know who listens.
 */
import { AlertStream, type Events } from "./alertstream";
import type { Clock } from "./clock";
import { type LinkStatus, MetricsConnection, type Socket } from "./connection";
import { type Amendment, type Message, SUBPROTOCOL, type Ticks } from "./decoder";
import type { Episode } from "./episodes";
import type { Series } from "./protocol";
import { Retry } from "./retry";
import type { Alert, AlertPage, Board, Problem } from "./types.gen";
import type { WindowSnapshot } from "./window";

/** Everything that a tab needs to be live at once. */
export interface Snapshot {
  type: "snapshot";
  status: LinkStatus;
  board: Board | null;
  problems: Problem[];
  window: WindowSnapshot | null;
  /** Null until the alert stream has said what fires. */
  episodes: Episode[] | null;
  skewMs: number;
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
  | { type: "board"; board: Board }
  | { type: "problems"; problems: Problem[] }
  /** `received` is when they came in, by this browser's clock, in milliseconds since 1970. */
  | (Ticks & { received: number })
  | Amendment
  | AlertsTold
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
}

/** Alerts that are over, as many as the page shows. */
const OVER_SHOWN = 50;

export class DirectFeed implements Feed {
  private readonly metrics: MetricsConnection;
  private readonly alerts: AlertStream;
  private readonly retry: Retry;
  private readonly boardUrl: string;
  private readonly overUrl: string;
  private running = false;
  private fetching = false;
  /** How many boards have come, by whatever way. */
  private boards = 0;
  private boardEpoch: string | null = null;
  private known: ReadonlySet<string> = new Set();
  private connections = 0;
  private connected = false;
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
    socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
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
      const board = (await this.network.json(this.boardUrl)) as Board;
      if (!this.running) return;
      this.retry.succeeded();
      // One that came over the socket meanwhile is not older than the answer.
      if (this.boards === boards) this.showBoard(board);
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

  private showBoard(board: Board): void {
    this.boards++;
    this.boardEpoch = board.epoch;
    this.known = new Set(board.metrics.map(({ name }) => name));
    this.metrics.intervalMs = board.interval_ms;
    this.listener({ type: "board", board });
    if (!this.lacks()) this.lacking.succeeded();
  }

  private lacks(): boolean {
    return this.boardEpoch !== null && this.listed.some(({ name }) => !this.known.has(name));
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
  }

  private received(message: Message): void {
    if (message.type === "board") {
      this.showBoard(message.board);
      this.lookForLacking();
    } else if (message.type === "ticks") this.ticks(message);
    else this.listener(message);
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
    if (this.boardEpoch !== null && this.boardEpoch !== epoch) void this.fetchBoard();
  }
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
};
