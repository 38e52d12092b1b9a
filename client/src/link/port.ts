/**
 * The tab's end of the shared worker: a feed through a port. If the worker does not start, does not answer or gets no
 * WebSocket over TLS, the tab connects directly: a page must never say Live while it stands still. The worker, the clock and the
 * spare feed are arguments.
 */
import type { Clock } from "../time/clock";
import type { Feed, Listener } from "./feed";
import type { TabMessage, WorkerMessage } from "./share";

/** A connection to the worker. */
export interface WorkerLink {
  post(message: TabMessage): void;
  close(): void;
}

export interface SharedFeedOptions {
  base: string;
  clock: Clock;
  visible(): boolean;
  /** Connect to the worker; may throw. Calls `failed` if the worker's script does not run. */
  connect(receive: (message: WorkerMessage) => void, failed: () => void): WorkerLink;
  /** Make the direct feed of a tab without a worker. */
  spare(listener: Listener): Feed;
}

const ALIVE_EVERY_MS = 20_000;
const ANSWER_WITHIN_MS = 5_000;

export class SharedFeed implements Feed {
  #link: WorkerLink | null = null;
  #spare: Feed | null = null;
  #cancelAlive: () => void = () => {};
  #cancelAnswer: () => void = () => {};

  readonly #options: SharedFeedOptions;
  readonly #listener: Listener;

  constructor(options: SharedFeedOptions, listener: Listener) {
    this.#options = options;
    this.#listener = listener;
  }

  start(): void {
    if (this.#spare !== null) {
      this.#spare.start();
      return;
    }
    if (this.#link !== null) return;
    const { base, visible, connect } = this.#options;
    try {
      this.#link = connect(
        (message) => this.#received(message),
        () => this.#goAlone(),
      );
    } catch {
      this.#goAlone();
      return;
    }
    this.#ask({ type: "hello", base, visible: visible() });
    this.#stayAlive();
  }

  stop(): void {
    this.#spare?.stop();
    this.#hangUp();
  }

  wake(): void {
    this.#spare?.wake();
    if (this.#link !== null) this.#ask({ type: "wake", visible: this.#options.visible() });
  }

  /** Report the tab's visibility to the worker, which sends a snapshot to a visible tab. */
  visibilityChanged(): void {
    if (this.#options.visible()) this.#spare?.wake();
    if (this.#link !== null) this.#ask({ type: "visible", visible: this.#options.visible() });
  }

  #received(message: WorkerMessage): void {
    if (this.#link === null) return;
    this.#cancelAnswer();
    if (message.type === "here") return;
    // A certificate that the viewer has accepted by hand counts for the page's WebSocket, and not for the worker's.
    if (
      "trouble" in message &&
      message.trouble?.kind === "upgrade" &&
      this.#options.base.startsWith("https")
    ) {
      this.#goAlone();
      return;
    }
    try {
      this.#listener(message);
    } finally {
      // Acknowledge even after an error: the worker stops posting to a tab that does not.
      if (["ticks", "amended", "snapshot"].includes(message.type)) this.#link?.post({ type: "taken" });
    }
  }

  /** Post and expect an answer. Only a visible tab waits for it: browsers throttle a hidden tab's timers. */
  #ask(message: TabMessage): void {
    this.#link?.post(message);
    const visible = this.#options.visible();
    if (message.type === "wake" || message.type === "visible") this.#link?.post({ type: "alive", visible });
    this.#cancelAnswer();
    if (visible) {
      this.#cancelAnswer = this.#options.clock.after(ANSWER_WITHIN_MS, () => this.#goAlone());
    }
  }

  #stayAlive(): void {
    this.#cancelAlive = this.#options.clock.after(ALIVE_EVERY_MS, () => {
      this.#ask({ type: "alive", visible: this.#options.visible() });
      this.#stayAlive();
    });
  }

  #goAlone(): void {
    this.#hangUp();
    this.#spare ??= this.#options.spare(this.#listener);
    this.#spare.start();
  }

  #hangUp(): void {
    this.#cancelAlive();
    this.#cancelAnswer();
    const link = this.#link;
    this.#link = null;
    link?.post({ type: "bye" });
    link?.close();
  }
}
