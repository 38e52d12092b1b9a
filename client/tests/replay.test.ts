import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createReplayStore, type ReplayStore } from "../src/stores/replay";
import { createTimeStore, type TimeStore } from "../src/stores/time";
import { TestClock } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");

describe("the replay's controls", () => {
  let time: TimeStore;
  let replay: ReplayStore;

  beforeEach(() => {
    createRoot(() => {
      time = createTimeStore({
        clock: new TestClock(),
        address: { search: () => "", replace: () => {} },
        now: {
          drawn: () => NOON,
          newest: () => NOON,
          oldest: () => NOON,
          intervalMs: () => 1000,
          windowMs: () => 60_000,
        },
      });
      replay = createReplayStore(time);
    });
    time.stand({ from: NOON - 600_000, to: NOON - 540_000 });
  });

  it("play at the chosen speed, which stays chosen", () => {
    replay.choose(60);
    expect(time.speed()).toBe(60);
    replay.toggle();
    expect(replay.plays()).toBe(false);
    expect(replay.speed()).toBe(60);
    replay.toggle();
    expect(time.speed()).toBe(60);
  });

  it("stand still, and go on with the replay that was stopped there", () => {
    replay.choose(10);
    replay.standOrGoOn();
    expect(time.speed()).toBe(0);
    replay.standOrGoOn();
    expect(time.speed()).toBe(10);
  });

  it("go on live where no replay was stopped", () => {
    time.live();
    replay.standOrGoOn();
    expect(time.follows()).toBe(false);
    replay.standOrGoOn();
    expect(time.follows()).toBe(true);
  });

  it("go on live after the range was changed", () => {
    replay.choose(10);
    replay.standOrGoOn();
    time.step(-1);
    replay.standOrGoOn();
    expect(time.follows()).toBe(true);
  });
});
