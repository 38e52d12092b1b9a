/**
 * Time and randomness as an argument, so that a test advances the clock instead of sleeping. The real clock
 * is at the bottom; only entry points use it.
 */
export interface Clock {
  /** Milliseconds since about 1970, from a monotonic clock: for measuring, not for display. */
  now(): number;
  /** Call back once after this many milliseconds; the returned function cancels the call. */
  after(milliseconds: number, callback: () => void): () => void;
  /** A random number, 0 <= n < 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(milliseconds, callback) {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
