/**
 * Alerts that have just ended and keep their place in the firing list: for a few seconds, and for as long as
 * the viewer reads or points there. It must not know an alert beyond its id.
 */
import { createSignal } from "solid-js";
import type { Clock } from "../time/clock";

export const STAY_MS = 10_000;

export function createStaying(clock: Clock) {
  const [ids, setIds] = createSignal<ReadonlySet<string>>(new Set());
  /** Alerts whose time is up, held while the viewer reads. */
  let due: string[] = [];
  let held = false;

  function release(): void {
    if (held || due.length === 0) return;
    const gone = new Set(due);
    due = [];
    setIds((before) => new Set([...before].filter((id) => !gone.has(id))));
  }

  return {
    ids,
    add(ended: readonly string[]): void {
      if (ended.length === 0) return;
      setIds((before) => new Set([...before, ...ended]));
      clock.after(STAY_MS, () => {
        due.push(...ended);
        release();
      });
    },
    /** Hold all alerts in place while the viewer reads or points at the list. */
    hold(on: boolean): void {
      held = on;
      release();
    },
  };
}
