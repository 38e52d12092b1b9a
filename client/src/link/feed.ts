/**
 * A feed delivers everything the page shows: board, ticks, alerts and connection status. `DirectFeed` reads
 * from the server; `SharedFeed` (port.ts) reads from the worker that the tabs of a browser share. Both emit
 * FeedEvents; a feed must not know who listens.
 */

import type { Episode } from "../alerts/episodes";
import type { Clock } from "../time/clock";
import type { Alert, AlertPage, BoardInfo, Mark, MetricsChanged, Problem } from "../types.gen";
import type { WindowSnapshot } from "../window/window";
import { AlertStream, type Events } from "./alertstream";
import { changedBoard } from "./changes";
import { type LinkStatus, MetricsConnection, type Socket } from "./connection";
import { type Amendment, type Message, SUBPROTOCOL, type Ticks } from "./decoder";
import type { Series } from "./protocol";
import { Retry } from "./retry";

/** The full state that a tab needs to go live. */
export interface Snapshot {
  type: "snapshot";
  status: LinkStatus;
  board: BoardInfo | null;
  problems: Problem[];
  window: WindowSnapshot | null;
  /** Null until the alert stream has sent the firing alerts. */
  episodes: Episode[] | null;
  alertsLive: boolean;
  trouble: Trouble | null;
  /** The server's clock now, milliseconds since 1970; NaN if it is unknown. */
  serverTime: number;
}

/** Why the WebSocket fails although the server answers. */
export interface Trouble {
  /**
   * `login`: nobody is logged in any more. `refused`: the server answers with another error. `upgrade`: something on
   * the way blocks the handshake.
   */
  kind: "login" | "refused" | "upgrade";
  /** The server's error message. */
  said: string;
}

/** A batch of alerts that fired, ended or changed. */
export interface AlertsTold {
  type: "alerts";
  alerts: readonly Alert[];
  /** Whether the batch holds every firing alert: any other reported before has ended. */
  whole: boolean;
  /** Whether another tab of this browser is visible or handles the notification. */
  quiet?: boolean;
}

export type FeedEvent =
  | { type: "status"; status: LinkStatus }
  | { type: "board"; board: BoardInfo }
  | { type: "problems"; problems: Problem[] }
  /** `received` is the arrival time by this browser's `Clock`. */
  | (Ticks & { received: number })
  | Amendment
  | AlertsTold
  /** Somebody made a mark. */
  | { type: "mark"; mark: Mark }
  /** Whether the alert stream is open and has sent every firing alert. */
  | { type: "alertsLive"; live: boolean }
  /** Why the WebSocket cannot open, once known; null if it can, or if the server does not answer. */
  | { type: "trouble"; trouble: Trouble | null }
  | Snapshot;

export type Listener = (event: FeedEvent) => void;

export interface Feed {
  start(): void;
  stop(): void;
  /** Retry at once: the network is back, or the page became visible. */
  wake(): void;
}

/** The browser APIs that a feed needs. */
export interface Network {
  /** A WebSocket that speaks the binary subprotocol. */
  socket(url: string): Socket;
  events(url: string): Events;
  /** GET a JSON document; rejects if there is none. */
  json(url: string): Promise<unknown>;
  /** Send a request with this page's Origin; rejects if there is no answer. */
  ask(url: string): Promise<{ status: number; text: string }>;
}

/** How many ended alerts to fetch: as many as the page shows. */
const OVER_SHOWN = 50;
/** This many handshakes in a row must fail before the feed asks why. */
const FAILURES = 3;

/** Limit of changes held while the board is fetched; a board older than all of them is fetched again. */
const CHANGES_KEPT = 200;

export class DirectFeed implements Feed {
  readonly #metrics: MetricsConnection;
  readonly #alerts: AlertStream;
  readonly #retry: Retry;
  readonly #socketUrl: string;
  readonly #boardUrl: string;
  readonly #overUrl: string;
  #running = false;
  #fetching = false;
  /** How many boards have arrived, over the socket or by fetch. */
  #boards = 0;
  #board: BoardInfo | null = null;
  /** Changes not yet applied to the board, which is being fetched. */
  #changes: readonly MetricsChanged[] = [];
  #known: ReadonlySet<string> = new Set();
  #connections = 0;
  #connected = false;
  /** Handshakes failed in a row, and the cause from the last answer. */
  #failures = 0;
  #suspected: Trouble | null = null;
  #told: Trouble | null = null;
  /** The series in the newest `series` message, and whether the board was fetched because of it. */
  #listed: readonly Series[] = [];
  #asked = false;
  /** Fetches the board if it lacks a metric: soon, but not for every `series` message. */
  readonly #lacking: Retry;

  /** @param base the address of the page, without its file name: `https://host/live/`. */
  readonly #network: Network;
  readonly #clock: Clock;
  readonly #listener: Listener;

  constructor(base: string, network: Network, clock: Clock, listener: Listener) {
    this.#network = network;
    this.#clock = clock;
    this.#listener = listener;
    const socketUrl = new URL("ws/metrics", base);
    this.#socketUrl = socketUrl.href;
    socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
    socketUrl.search = "changes=1";
    this.#boardUrl = new URL("api/board", base).href;
    this.#overUrl = new URL(`api/alerts?state=resolved&limit=${OVER_SHOWN}`, base).href;
    this.#retry = new Retry(clock, () => void this.#fetchBoard());
    this.#lacking = new Retry(clock, () => void this.#fetchLacking());
    this.#metrics = new MetricsConnection({
      url: socketUrl.href,
      clock,
      open: (url) => network.socket(url),
      onMessage: (message) => this.#received(message),
      onStatus: (status) => this.#statusChanged(status),
    });
    this.#alerts = new AlertStream({
      url: new URL("events/alerts", base).href,
      clock,
      open: (url) => network.events(url),
      onAlerts: (alerts, whole) => {
        listener({ type: "alerts", alerts, whole });
        if (whole) void this.#fetchOver();
      },
      onMark: (mark) => listener({ type: "mark", mark }),
      onLive: (live) => listener({ type: "alertsLive", live }),
    });
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#fetchBoard();
    this.#metrics.start();
    this.#alerts.start();
  }

  stop(): void {
    this.#running = false;
    this.#retry.stop();
    this.#lacking.stop();
    this.#metrics.stop();
    this.#alerts.stop();
  }

  wake(): void {
    if (!this.#running) return;
    this.#retry.now();
    this.#metrics.wake();
    this.#alerts.wake();
  }

  async #fetchBoard(): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    const boards = this.#boards;
    try {
      const board = (await this.#network.json(this.#boardUrl)) as BoardInfo;
      if (!this.#running) return;
      this.#retry.succeeded();
      // A board that arrived over the socket meanwhile is at least as new as this answer.
      if (this.#boards === boards) {
        this.#showBoard(board);
        this.#catchUp();
      }
    } catch {
      if (this.#running) this.#retry.later();
    } finally {
      this.#fetching = false;
    }
    if (this.#running) this.#lookForLacking();
  }

  /** Fetch the ended alerts: the stream omits those that ended before it began. */
  async #fetchOver(): Promise<void> {
    try {
      const { alerts } = (await this.#network.json(this.#overUrl)) as AlertPage;
      if (this.#running && Array.isArray(alerts)) this.#listener({ type: "alerts", alerts, whole: false });
    } catch {
      // Ended alerts are history; the firing ones are known.
    }
  }

  async #fetchLacking(): Promise<void> {
    // A pending answer may predate the series; fetchBoard checks for missing metrics when it arrives.
    if (this.#fetching) return;
    this.#asked = true;
    await this.#fetchBoard();
  }

  #showBoard(board: BoardInfo): void {
    this.#boards++;
    this.#board = board;
    this.#known = new Set(board.metrics.map(({ name }) => name));
    this.#metrics.intervalMs = board.interval_ms;
    this.#listener({ type: "board", board });
    if (!this.#lacks()) this.#lacking.succeeded();
  }

  #lacks(): boolean {
    return this.#board !== null && this.#listed.some(({ name }) => !this.#known.has(name));
  }

  /** Fetch the board again if it lacks a listed metric: no message announces one added after the fetch. */
  #lookForLacking(): void {
    if (!this.#asked && this.#lacks()) this.#lacking.later();
    else this.#lacking.stop();
  }

  /** Fetch the board after a reconnect: no message lists what was removed meanwhile. */
  #statusChanged(status: LinkStatus): void {
    const back = status.connected && !this.#connected && this.#connections++ > 0;
    this.#connected = status.connected;
    this.#listener({ type: "status", status });
    if (back) void this.#fetchBoard();
    if (status.connected) {
      this.#failures = 0;
      this.#sayTrouble(null);
    } else if (status.retryAt !== null && ++this.#failures >= FAILURES) void this.#askWhy();
  }

  /** Send a plain request to the WebSocket's address, since a browser hides why a handshake failed. */
  async #askWhy(): Promise<void> {
    const answer = await this.#network.ask(this.#socketUrl).catch(() => null);
    if (this.#connected || !this.#running) return;
    const trouble = answer === null ? null : troubleOf(answer);
    // Report a cause only when seen twice: a starting server may answer before its next handshake succeeds.
    const certain = trouble === null || JSON.stringify(trouble) === JSON.stringify(this.#suspected);
    this.#suspected = trouble;
    if (certain) this.#sayTrouble(trouble);
  }

  #sayTrouble(trouble: Trouble | null): void {
    if (trouble === null && this.#told === null) return;
    if (trouble === null) this.#suspected = null;
    this.#told = trouble;
    this.#listener({ type: "trouble", trouble });
  }

  #received(message: Message): void {
    if (message.type === "board") {
      this.#showBoard(message.board);
      this.#catchUp();
      this.#lookForLacking();
    } else if (message.type === "metrics_changed") {
      this.#changeBoard(message);
      this.#lookForLacking();
    } else if (message.type === "ticks") this.#ticks(message);
    else {
      if (message.type === "problems" && this.#board !== null) {
        this.#board = { ...this.#board, problems: message.problems };
      }
      this.#listener(message);
    }
  }

  #changeBoard(change: MetricsChanged): void {
    this.#changes = [...this.#changes.slice(1 - CHANGES_KEPT), change];
    this.#catchUp();
    // A change whose predecessor is missing stays in `changes` until the fetched board arrives.
    if (this.#changes.length > 0) void this.#fetchBoard();
  }

  /** Apply the changes that are not in the board yet. */
  #catchUp(): void {
    if (this.#board === null) return;
    const board = this.#changes.reduce((one, change) => changedBoard(one, change) ?? one, this.#board);
    const { epoch, revision = 0 } = board;
    this.#changes = this.#changes.filter((change) => change.epoch === epoch && change.revision > revision);
    if (board !== this.#board) this.#showBoard(board);
  }

  #ticks(ticks: Ticks): void {
    if (ticks.series !== null) {
      this.#listed = ticks.series;
      this.#asked = false;
      this.#enterEpoch(ticks.epoch);
      if (!this.#fetching) this.#lookForLacking();
    }
    this.#listener({ ...ticks, received: this.#clock.now() });
  }

  /** Fetch the board on a new epoch: a restarted server may have another board. */
  #enterEpoch(epoch: string): void {
    if (this.#board !== null && this.#board.epoch !== epoch) void this.#fetchBoard();
  }
}

/** Read the cause from the answer to a plain request to the WebSocket's address. */
function troubleOf({ status, text }: { status: number; text: string }): Trouble {
  let said = text.slice(0, 500).trim();
  try {
    const { error } = JSON.parse(text);
    if (typeof error === "string") {
      said = error;
      // A proxy that wants a login has no error of ours.
      if (status === 401) return { kind: "login", said };
    }
  } catch {
    // Not a tickboard error, but still worth showing.
  }
  if (/^\s*</.test(said)) said = "";
  // These mean that the path exists: 426, or a server that accepts only handshakes there.
  const there = status < 400 || [404, 405, 426].includes(status);
  return there ? { kind: "upgrade", said } : { kind: "refused", said: `${status}${said && `: ${said}`}` };
}

/** The browser's network; works in a page and in a worker. */
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
    // POST, because browsers omit the Origin of a same-origin GET, and a handshake has one.
    const answer = await fetch(url, { method: "POST", cache: "no-store" });
    return { status: answer.status, text: await answer.text() };
  },
};
