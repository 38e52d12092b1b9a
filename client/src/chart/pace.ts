/**
 * How often is drawn: fifteen times a second at most, for nobody reads numbers or follows lines faster, and less often
 * where the machine cannot afford it. After a drawing, and what the browser makes of it, as much time again is left to
 * everything else: to take the messages that have come, and to answer the viewer. Ticks that come meanwhile are drawn
 * together with the next, so that what is shown is the newest there is. It must not know what is drawn.
 *
 *   asked   ·· ·  ·  ·    · ·   ·
 *   drawn   ▆▆▆▆______▆▆▆▆______▆▆▆▆
 */
import type { Clock } from "../time/clock";

/** What of the time of a drawing is left free after it. */
const REST = 1;
const REST_AT_MOST_MS = 1_000;
/** From one drawing to the next: four frames of a screen that has sixty a second. */
const BETWEEN_MS = 62;

/** @param frame calls back once before the next frame: requestAnimationFrame. */
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
        // However it ended: the next one is drawn. The browser lays out and paints before it takes another task.
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
