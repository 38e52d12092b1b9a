/**
 * The event stream of the alerts. A new EventSource forgets the Last-Event-ID of the old one, and the browser's
 * own reconnect keeps the old address, so every reconnect is a new one here, with the last id in the address:
 * nothing is missed and nothing replayed. It must not know what an alert means.
 */
import type { Clock } from "./clock";
import { epochOf, parseAlert } from "./protocol";
import { Retry } from "./retry";
import type { Alert } from "./types.gen";

/** The part of an EventSource that is used here. */
export interface Events {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: MessageLike) => void) | null;
  onerror: ((event: never) => void) | null;
  addEventListener(type: "resolved", listener: (event: MessageLike) => void): void;
  close(): void;
}

export interface MessageLike {
  data: unknown;
  lastEventId: string;
}

export interface AlertStreamOptions {
  /** The address, without a position. */
  url: string;
  clock: Clock;
  open(url: string): Events;
  /** An alert that fires or, with its `resolved`, ends; and the epoch it was told in. */
  onAlert(alert: Alert, epoch: string): void;
}

/** Two of the server's heartbeats and a half: after that the stream is dead, whatever the browser says. */
const QUIET_MS = 75_000;
/** "Everything that you still have." */
const FROM_THE_START = "0";

export class AlertStream {
  private source: Events | null = null;
  private lastEventId = FROM_THE_START;
  private heard = 0;
  private cancelWatch: () => void = () => {};
  private readonly retry: Retry;

  constructor(private readonly options: AlertStreamOptions) {
    this.retry = new Retry(options.clock, () => this.connect());
  }

  start(): void {
    if (this.source === null) this.connect();
  }

  stop(): void {
    this.retry.stop();
    this.abandon();
  }

  wake(): void {
    this.retry.now();
    if (this.source !== null && this.options.clock.now() - this.heard > QUIET_MS) this.failed(this.source);
  }

  private connect(): void {
    const source = this.options.open(
      `${this.options.url}?last_event_id=${encodeURIComponent(this.lastEventId)}`,
    );
    this.source = source;
    source.onopen = () => this.listen(source);
    source.onmessage = (event) => this.received(source, event);
    source.addEventListener("resolved", (event) => this.received(source, event));
    source.onerror = () => this.failed(source);
    this.listen(source);
  }

  private received(source: Events, event: MessageLike): void {
    if (source !== this.source) return;
    this.retry.succeeded();
    this.listen(source);
    if (event.lastEventId !== "") this.lastEventId = event.lastEventId;
    const alert = parseAlert(event.data);
    if (alert !== null) this.options.onAlert(alert, epochOf(event.lastEventId));
  }

  private failed(source: Events): void {
    if (source !== this.source) return;
    this.abandon();
    this.retry.later();
  }

  private listen(source: Events): void {
    if (source !== this.source) return;
    this.heard = this.options.clock.now();
    this.cancelWatch();
    this.cancelWatch = this.options.clock.after(QUIET_MS, () => this.failed(source));
  }

  private abandon(): void {
    const source = this.source;
    this.source = null;
    this.cancelWatch();
    source?.close();
  }
}
