/**
 * When to try again: exponential back-off with jitter, from a quarter of a second to ten. After a restart of
 * the server a thousand pages must not come back in the same instant, so each waits between half and the whole
 * of its turn. It must not know what is tried.
 */
import type { Clock } from "../time/clock";

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

export class Retry {
  private failures = 0;
  private cancel: (() => void) | null = null;
  /** When the next try is due, in milliseconds since 1970; null while none is waited for. */
  at: number | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly attempt: () => void,
  ) {}

  /** Wait for the next turn. Asking again while one is waited for changes nothing. */
  later(): void {
    if (this.cancel !== null) return;
    const turn = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.failures++, 10));
    const delay = turn * (0.5 + this.clock.random() / 2);
    this.at = this.clock.now() + delay;
    this.cancel = this.clock.after(delay, () => this.go());
  }

  /** Do not wait: the network is back, or someone looks at the page. Nothing when nothing is waited for. */
  now(): void {
    if (this.cancel !== null) this.go();
  }

  /** It worked: the next failure starts from the shortest turn again. */
  succeeded(): void {
    this.failures = 0;
  }

  stop(): void {
    this.cancel?.();
    this.cancel = null;
    this.at = null;
  }

  private go(): void {
    this.stop();
    this.attempt();
  }
}
