/**
 * The alerts' event stream. A new EventSource forgets the old one's Last-Event-ID, and the browser's own
 * reconnect keeps the old address. So each reconnect here opens a new EventSource with the last id in its
 * address: nothing is missed and nothing replayed. Ten thousand alerts of one tick are ten thousand events,
 * so events that arrive close together are reported as one batch. It must not know what an alert means.
 *
 *   stream   alert alert position(whole) │ alert alert · · · · resolved
 *   batches        [alert alert], whole  │    [alert alert]   [resolved]
 */
import type { Clock } from "../time/clock";
import type { Alert, Mark } from "../types.gen";
import { parseAlert, parseMark, parsePosition } from "./protocol";
import { Retry } from "./retry";

export type EventName = "position" | "resolved" | "changed" | "mark";

/** The part of EventSource that is used here. */
export interface Events {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: MessageLike) => void) | null;
  onerror: ((event: never) => void) | null;
  addEventListener(type: EventName, listener: (event: MessageLike) => void): void;
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
  /**
   * Receives alerts that fired, ended (with `resolved` set) or changed, in order.
   *
   * @param whole whether the list holds every firing alert: any other reported before has ended.
   */
  onAlerts(alerts: readonly Alert[], whole: boolean): void;
  /** Receives each new mark, maybe more than once. */
  onMark(mark: Mark): void;
  /** Reports whether every firing alert is known: true after `position`, false when the stream ends. */
  onLive(live: boolean): void;
}

/** Two and a half server heartbeats: a stream silent for longer is dead, whatever the browser reports. */
const QUIET_MS = 75_000;
/** About a frame: no alert could be drawn sooner. */
const GATHER_MS = 16;
const GATHER_AT_MOST_MS = 250;

export class AlertStream {
  #source: Events | null = null;
  #lastEventId = "";
  /** Whether the stream has sent its position; the alerts before that are not complete. */
  #placed = false;
  #gathered: Alert[] = [];
  #heard = 0;
  #cancelWatch: () => void = () => {};
  #cancelTelling: (() => void) | null = null;
  readonly #retry: Retry;

  readonly #options: AlertStreamOptions;

  constructor(options: AlertStreamOptions) {
    this.#options = options;
    this.#retry = new Retry(options.clock, () => this.#connect());
  }

  start(): void {
    if (this.#source === null) this.#connect();
  }

  stop(): void {
    this.#retry.stop();
    this.#abandon();
  }

  wake(): void {
    this.#retry.now();
    if (this.#source !== null && this.#options.clock.now() - this.#heard > QUIET_MS)
      this.#failed(this.#source);
  }

  #connect(): void {
    const source = this.#options.open(this.#address());
    this.#source = source;
    source.onopen = () => this.#listen(source);
    source.onmessage = (event) => this.#received(source, event);
    source.addEventListener("resolved", (event) => this.#received(source, event));
    source.addEventListener("changed", (event) => this.#received(source, event));
    source.addEventListener("mark", (event) => this.#marked(source, event));
    source.addEventListener("position", (event) => this.#place(source, event));
    source.onerror = () => this.#failed(source);
    this.#listen(source);
  }

  #address(): string {
    const { url } = this.#options;
    return this.#lastEventId === "" ? url : `${url}?last_event_id=${encodeURIComponent(this.#lastEventId)}`;
  }

  #received(source: Events, event: MessageLike): void {
    if (source !== this.#source) return;
    const alert = parseAlert(event.data);
    if (alert !== null) this.#gathered.push(alert);
    this.#passed(source, event);
    if (alert !== null && this.#placed) this.#tellSoon();
  }

  #marked(source: Events, event: MessageLike): void {
    if (source !== this.#source) return;
    this.#passed(source, event);
    const mark = parseMark(event.data);
    if (mark !== null) this.#options.onMark(mark);
  }

  /** Record an event's id, whatever its content, so that it is not replayed. */
  #passed(source: Events, event: MessageLike): void {
    if (source !== this.#source) return;
    this.#retry.succeeded();
    this.#listen(source);
    if (this.#placed && event.lastEventId !== "") this.#lastEventId = event.lastEventId;
  }

  #place(source: Events, event: MessageLike): void {
    if (source !== this.#source) return;
    this.#listen(source);
    const position = parsePosition(event.data);
    if (position === null) return;
    this.#lastEventId = event.lastEventId;
    this.#tell(position.whole);
    this.#setPlaced(true);
  }

  #setPlaced(placed: boolean): void {
    if (this.#placed === placed) return;
    this.#placed = placed;
    this.#options.onLive(placed);
  }

  #tellSoon(): void {
    if (this.#cancelTelling === null) this.#gather(this.#options.clock.now());
  }

  /** Wait while more arrive: one batch of ten thousand costs far less than many small ones. */
  #gather(since: number): void {
    const { clock } = this.#options;
    const before = this.#gathered.length;
    this.#cancelTelling = clock.after(GATHER_MS, () => {
      const more = this.#gathered.length > before;
      if (more && clock.now() - since < GATHER_AT_MOST_MS) this.#gather(since);
      else this.#tell(false);
    });
  }

  #tell(whole: boolean): void {
    this.#cancelTelling?.();
    this.#cancelTelling = null;
    const alerts = this.#gathered;
    this.#gathered = [];
    if (alerts.length > 0 || whole) this.#options.onAlerts(alerts, whole);
  }

  #failed(source: Events): void {
    if (source !== this.#source) return;
    this.#abandon();
    this.#retry.later();
  }

  #listen(source: Events): void {
    if (source !== this.#source) return;
    this.#heard = this.#options.clock.now();
    this.#cancelWatch();
    this.#cancelWatch = this.#options.clock.after(QUIET_MS, () => this.#failed(source));
  }

  /** Close the stream. Alerts received before its position are dropped: the next stream sends them again. */
  #abandon(): void {
    const source = this.#source;
    this.#source = null;
    this.#cancelWatch();
    if (this.#placed) this.#tell(false);
    this.#setPlaced(false);
    this.#gathered = [];
    source?.close();
  }
}
