/**
 * The metrics' WebSocket: opens it, detects when it dies (even silently), reconnects and resumes from its
 * last position. It takes the sockets and the clock as arguments and emits decoded messages; it must not know
 * who uses them.
 *
 *   connecting ──open──▶ open ──nothing heard──▶ probing ──no answer──┐
 *       │                 ▲ └──────────close───────────┐              │
 *       │                 └─────any message────────────┼── probing    │
 *       └──close, too slow──▶ waiting ◀────────────────┴──────────────┘
 *              ▲                 │ back-off over, or wake()
 *              └──── connecting ◀┘
 */
import type { Clock } from "../time/clock";
import type { ClientMessage } from "../types.gen";
import { Decoder, type Message, newestSeq, type Ticks } from "./decoder";
import { Retry } from "./retry";

/** The part of WebSocket that is used here; binary messages arrive as ArrayBuffers. */
export interface Socket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LinkStatus {
  connected: boolean;
  /** Whether a try has succeeded or failed yet. */
  tried: boolean;
  /** When the next try is due, milliseconds since 1970; null while connected or trying. */
  retryAt: number | null;
}

export interface ConnectionOptions {
  /** The address, without a position. */
  url: string;
  clock: Clock;
  open(url: string): Socket;
  onMessage(message: Message): void;
  onStatus(status: LinkStatus): void;
}

const OPEN_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 5_000;
const QUIET_AT_LEAST_MS = 10_000;
const QUIET_AT_MOST_MS = 60_000;
const QUIET_INTERVALS = 3;

export class MetricsConnection {
  /** The board's tick interval; it sets how long the socket may be silent. */
  intervalMs = 1000;
  #socket: Socket | null = null;
  #decoder = new Decoder();
  #connected = false;
  #tried = false;
  #heard = 0;
  #epoch = "";
  #seq = 0;
  #cancelWatch: () => void = () => {};
  readonly #retry: Retry;

  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#retry = new Retry(options.clock, () => this.#connect());
  }

  start(): void {
    if (this.#socket === null) this.#connect();
  }

  stop(): void {
    this.#retry.stop();
    this.#abandon();
  }

  /** Retry at once, or probe an open socket that has been silent too long. */
  wake(): void {
    this.#retry.now();
    if (this.#connected && this.#options.clock.now() - this.#heard > this.#quietMs()) this.#probe();
  }

  #connect(): void {
    const socket = this.#options.open(this.#address());
    this.#socket = socket;
    this.#decoder = new Decoder();
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#received(socket, event.data);
    socket.onclose = () => this.#closed(socket);
    this.#watch(OPEN_WITHIN_MS, () => this.#closed(socket));
    this.#report();
  }

  #address(): string {
    const { url } = this.#options;
    if (this.#epoch === "") return url;
    return `${url}${url.includes("?") ? "&" : "?"}since=${encodeURIComponent(`${this.#epoch}:${this.#seq}`)}`;
  }

  #opened(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#connected = true;
    this.#tried = true;
    this.#listen();
    this.#report();
  }

  #received(socket: Socket, data: unknown): void {
    if (socket !== this.#socket) return;
    this.#retry.succeeded();
    this.#listen();
    const message = this.#decoder.receive(data);
    if (message === null) return;
    if (message.type === "ticks") this.#moveTo(message);
    this.#options.onMessage(message);
  }

  #moveTo(ticks: Ticks): void {
    this.#epoch = ticks.epoch;
    this.#seq = newestSeq(ticks);
  }

  /** Ignores a late close of an old socket: only the current one ends the connection. */
  #closed(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#abandon();
    this.#tried = true;
    this.#retry.later();
    this.#report();
  }

  #abandon(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#connected = false;
    this.#cancelWatch();
    socket?.close();
  }

  #listen(): void {
    this.#heard = this.#options.clock.now();
    this.#watch(this.#quietMs(), () => this.#probe());
  }

  #probe(): void {
    const socket = this.#socket;
    if (socket === null) return;
    this.#watch(ANSWER_WITHIN_MS, () => this.#closed(socket));
    const ping: ClientMessage = { type: "ping" };
    socket.send(JSON.stringify(ping));
  }

  #quietMs(): number {
    return Math.min(QUIET_AT_MOST_MS, Math.max(QUIET_INTERVALS * this.intervalMs, QUIET_AT_LEAST_MS));
  }

  #watch(milliseconds: number, callback: () => void): void {
    this.#cancelWatch();
    this.#cancelWatch = this.#options.clock.after(milliseconds, callback);
  }

  #report(): void {
    const connected = this.#connected;
    const tried = this.#tried;
    this.#options.onStatus({ connected, tried, retryAt: this.#retry.at });
  }
}
