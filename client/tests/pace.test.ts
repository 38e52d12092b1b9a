/** As much is drawn as can be afforded, one drawing at a time, and always the newest that was asked for. */
import { beforeEach, describe, expect, it } from "vitest";
import { paced } from "../src/chart/pace";
import { TestClock } from "./world";

describe("drawing", () => {
  let clock: TestClock;
  let frames: (() => void)[];
  let drawn: string[];
  let cost: number;
  let ask: (what: string) => void;
  const frame = () => frames.shift()?.();

  beforeEach(() => {
    clock = new TestClock();
    frames = [];
    drawn = [];
    cost = 0;
    const draw = paced(clock, (callback) => frames.push(callback));
    ask = (what) =>
      draw(() => {
        drawn.push(what);
        clock.time += cost;
      });
  });

  it("happens fifteen times a second at most, and draws the newest", () => {
    for (let ms = 0; ms < 1_000; ms++) {
      ask(`${ms}`);
      frame();
      clock.pass(1);
    }
    expect(drawn.length).toBeGreaterThan(13);
    expect(drawn.length).toBeLessThan(18);
    expect(Number(drawn.at(-1))).toBeGreaterThan(1_000 - 70);
  });

  it("happens with the next frame when there was none for a while", () => {
    ask("a");
    frame();
    clock.pass(100);
    ask("b");
    frame();
    expect(drawn).toEqual(["a", "b"]);
  });

  it("leaves as much time as it took, and then draws the newest alone", () => {
    cost = 100;
    ask("a");
    frame();
    for (const what of ["b", "c", "d"]) ask(what);
    clock.pass(99);
    expect(frames).toHaveLength(0);
    clock.pass(1);
    expect(frames).toHaveLength(1);
    frame();
    expect(drawn).toEqual(["a", "d"]);
  });

  it("waits at most a second, and for nothing when nothing was asked", () => {
    cost = 60_000;
    ask("a");
    frame();
    clock.pass(1_000);
    expect(frames).toHaveLength(0);
    ask("b");
    expect(frames).toHaveLength(1);
  });

  it("goes on after a drawing that fails", () => {
    const draw = paced(clock, (callback) => frames.push(callback));
    draw(() => {
      throw new Error("a defect");
    });
    expect(frame).toThrow("a defect");
    clock.pass(100);
    draw(() => drawn.push("next"));
    frame();
    expect(drawn).toEqual(["next"]);
  });
});
