/**
 * Time and chance as arguments: what a connection needs of the world, so that a test steps it instead of
 * sleeping. The real one is at the bottom; nothing but entry points uses it.
 */
export interface Clock {
  /** Milliseconds since some moment in 1970, by a clock that nobody sets: to measure with, not to show. */
  now(): number;
  /** Call back after so many milliseconds, once; the function returned cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
  /** A number from 0 up to 1. */
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
