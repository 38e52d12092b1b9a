/**
 * The drawing rate: at most fifteen times a second, since nobody reads numbers or follows lines faster, and
 * less on a slow machine. After each drawing (layout and paint included) it rests for as long as the drawing
 * took, so that messages and input get their turn. Ticks that arrive meanwhile are drawn together next time,
 * so the page always shows the newest. It must not know what is drawn.
 *
 *   asked   ·· ·  ·  ·    · ·   ·
 *   drawn   ▆▆▆▆______▆▆▆▆______▆▆▆▆
 */
import type { Clock } from "../time/clock";

/** Rest after a drawing, as a multiple of its duration. */
const REST = 1;
const REST_AT_MOST_MS = 1_000;
/** Least time from one drawing to the next: four frames at 60 Hz. */
const BETWEEN_MS = 62;

/** @param frame calls back once before the next frame, like requestAnimationFrame. */
export function paced(clock: Clock, frame: (callback: () => void) => void): (draw: () => void) => void {
  let busy = false;
  let waiting: (() => void) | null = null;

  function begin(draw: () => void): void {
    busy = true;
    frame(() => {
      const start = clock.now();
      try {
        draw();
      } finally {
        // Keep drawing even after an error. Layout and paint run before this task, so the cost includes them.
        clock.after(0, () => {
          const cost = clock.now() - start;
          clock.after(Math.max(BETWEEN_MS - cost, Math.min(REST_AT_MOST_MS, cost * REST)), rested);
        });
      }
    });
  }

  function rested(): void {
    busy = false;
    const next = waiting;
    waiting = null;
    if (next !== null) begin(next);
  }

  return (draw) => {
    if (busy) waiting = draw;
    else begin(draw);
  };
}
