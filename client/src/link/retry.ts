/**
 * Exponential back-off with jitter, from a quarter of a second to ten. After a server restart a thousand
 * pages must not reconnect at the same instant, so each waits between half and all of its delay. It must not
 * know what is tried.
 */
import type { Clock } from "../time/clock";

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

export class Retry {
  #failures = 0;
  #cancel: (() => void) | null = null;
  /** When the next try is due, in milliseconds since 1970; null if none is scheduled. */
  at: number | null = null;

  readonly #clock: Clock;
  readonly #attempt: () => void;

  constructor(clock: Clock, attempt: () => void) {
    this.#clock = clock;
    this.#attempt = attempt;
  }

  /** Schedule the next try, unless one is scheduled already. */
  later(): void {
    if (this.#cancel !== null) return;
    const turn = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures++, 10));
    const delay = turn * (0.5 + this.#clock.random() / 2);
    this.at = this.#clock.now() + delay;
    this.#cancel = this.#clock.after(delay, () => this.#go());
  }

  /** Run a scheduled try at once: the network is back, or the page became visible. */
  now(): void {
    if (this.#cancel !== null) this.#go();
  }

  /** Reset the back-off to its shortest delay. */
  succeeded(): void {
    this.#failures = 0;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.at = null;
  }

  #go(): void {
    this.stop();
    this.#attempt();
  }
}
