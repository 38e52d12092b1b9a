/**
 * A feed is all that the page hears: the board, the ticks, the alerts and how the connection is. `DirectFeed`
 * gets it from the server; another implementation (port.ts) gets it from the worker that the tabs of one browser
 * share. What it tells is a FeedEvent; it must not know who listens.
 */
import { AlertStream, type Events } from "./alertstream";
import type { Clock } from "./clock";
import { type LinkStatus, MetricsConnection, type Socket } from "./connection";
import { type Message, SUBPROTOCOL, type Ticks } from "./decoder";
import { Retry } from "./retry";
import type { Alert, Board, Problem } from "./types.gen";
import type { WindowSnapshot } from "./window";

/** An alert with the epoch it was told in: when that epoch is over, nobody will say that it is resolved. */
export interface ToldAlert {
  alert: Alert;
  epoch: string;
}

/** Everything that a tab needs to be live at once. */
export interface Snapshot {
  type: "snapshot";
  status: LinkStatus;
  board: Board | null;
  problems: Problem[];
  window: WindowSnapshot | null;
  alerts: ToldAlert[];
  /** The epochs that are over, as far as alerts of them are in `alerts`. */
  over: string[];
  skewMs: number;
}

export type FeedEvent =
  | { type: "status"; status: LinkStatus }
  | { type: "board"; board: Board }
  | { type: "problems"; problems: Problem[] }
  /** `received` is when they came in, by this browser's clock, in milliseconds since 1970. */
  | (Ticks & { received: number })
  | ({ type: "alert" } & ToldAlert)
  | { type: "over"; epoch: string }
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

export class DirectFeed implements Feed {
  private readonly metrics: MetricsConnection;
  private readonly alerts: AlertStream;
  private readonly retry: Retry;
  private readonly boardUrl: string;
  private running = false;
  private fetching = false;
  private boardEpoch: string | null = null;
  private epoch = "";

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
    this.retry = new Retry(clock, () => void this.fetchBoard());
    this.metrics = new MetricsConnection({
      url: socketUrl.href,
      clock,
      open: (url) => network.socket(url),
      onMessage: (message) => this.received(message),
      onStatus: (status) => listener({ type: "status", status }),
    });
    this.alerts = new AlertStream({
      url: new URL("events/alerts", base).href,
      clock,
      open: (url) => network.events(url),
      onAlert: (alert, epoch) => listener({ type: "alert", alert, epoch }),
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
    try {
      const board = (await this.network.json(this.boardUrl)) as Board;
      if (!this.running) return;
      this.retry.succeeded();
      this.showBoard(board);
    } catch {
      if (this.running) this.retry.later();
    } finally {
      this.fetching = false;
    }
  }

  private showBoard(board: Board): void {
    this.boardEpoch = board.epoch;
    this.metrics.intervalMs = board.interval_ms;
    this.listener({ type: "board", board });
  }

  private received(message: Message): void {
    if (message.type === "board") this.showBoard(message.board);
    else if (message.type === "problems") this.listener(message);
    else this.ticks(message);
  }

  private ticks(ticks: Ticks): void {
    if (ticks.series !== null) this.enterEpoch(ticks.epoch);
    this.listener({ ...ticks, received: this.clock.now() });
  }

  /** Of another epoch than the board that is shown: a restarted server may have another board. */
  private enterEpoch(epoch: string): void {
    if (this.epoch !== "" && epoch !== this.epoch) this.listener({ type: "over", epoch: this.epoch });
    this.epoch = epoch;
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
