/**
 * The replay's controls: its speed, whether it plays, and what standing still goes on to. It must not know how a
 * replay moves the time.
 */
import { createSignal } from "solid-js";
import type { Shown } from "../time/range";
import type { Speed, TimeStore } from "./time";

export function createReplayStore(time: Pick<TimeStore, "shown" | "speed" | "play" | "pause" | "live">) {
  const [speed, setSpeed] = createSignal<Speed>(1);
  /** Where the viewer stopped a replay. */
  let stopped: Shown | null = null;

  const plays = () => time.speed() !== 0;

  function play(): void {
    time.play(speed());
  }

  function stop(): void {
    time.play(0);
    stopped = time.shown();
  }

  return {
    /** The chosen speed, also while nothing plays. */
    speed,
    plays,
    /** Choose a speed, and play at it. */
    choose(next: Speed): void {
      setSpeed(next);
      play();
    },
    /** Play from where the page stands, or stop there. */
    toggle: () => (plays() ? stop() : play()),
    /** Stand still; or go on with what was there before: a replay that was stopped here, or else live. */
    standOrGoOn(): void {
      if (plays()) stop();
      else if (time.shown().follows) time.pause();
      else if (time.shown() === stopped) play();
      else time.live();
    },
  };
}

export type ReplayStore = ReturnType<typeof createReplayStore>;
