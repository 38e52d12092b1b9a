/** The page's window is the server's: the same ticks, gaps as gaps, and never two histories in one. */
import { describe, expect, it } from "vitest";
import { computeStats } from "../src/stats";
import { Window } from "../src/window";
import { initial, metric, tick } from "./world";

const values = (window: Window, key = "cpu") => Array.from(window.ordered(key));

describe("the window", () => {
  it("holds the newest ticks, oldest first", () => {
    const window = new Window(3, 1000);
    window.initial(initial("e", []));
    for (let seq = 1; seq <= 5; seq++) window.metrics(tick(seq, { cpu: seq }));
    expect(values(window)).toEqual([3, 4, 5]);
    expect(Array.from(window.orderedTimes())).toEqual([3000, 4000, 5000]);
    expect(window.newestSeq).toBe(5);
  });

  it("leaves a gap for ticks that it missed", () => {
    const window = new Window(10, 1000);
    window.initial(initial("e", [tick(1, { cpu: 1 })]));
    window.metrics(tick(4, { cpu: 4 }));
    expect(values(window)).toEqual([1, Number.NaN, Number.NaN, 4]);
    expect(Array.from(window.orderedTimes())).toEqual([1000, 2000, 3000, 4000]);
  });

  it("leaves a gap where a series has no value, and none has it before it appeared", () => {
    const window = new Window(10, 1000);
    window.initial(initial("e", [tick(1, { cpu: 1 }), tick(2, {}), tick(3, { cpu: 3, load: 7 })]));
    expect(values(window)).toEqual([1, Number.NaN, 3]);
    expect(values(window, "load")).toEqual([Number.NaN, Number.NaN, 7]);
  });

  it("takes what was missed when it is resumed, and no tick twice", () => {
    const window = new Window(10, 1000);
    window.initial(initial("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    window.initial(initial("e", [tick(2, { cpu: 99 }), tick(3, { cpu: 3 })], true));
    expect(values(window)).toEqual([1, 2, 3]);
  });

  it("forgets what it had when it is not resumed, or when the epoch is another", () => {
    const window = new Window(10, 1000);
    window.initial(initial("e", [tick(8, { cpu: 8 })]));
    window.initial(initial("f", [tick(1, { cpu: 1 })], true));
    expect(values(window)).toEqual([1]);
    window.initial(initial("f", [tick(5, { load: 5 })]));
    expect(window.series.map(({ key }) => key)).toEqual(["load"]);
  });

  it("tells series of one metric apart by their labels", () => {
    const window = new Window(3, 1000);
    window.initial(initial("e", []));
    const data = [metric("core", 1, 1, { core: "0" }), metric("core", 2, 1, { core: "1" })];
    window.metrics({ ...tick(1, {}), data });
    expect(window.series.map(({ labels }) => labels.core)).toEqual(["0", "1"]);
    expect(new Set(window.series.map(({ key }) => key)).size).toBe(2);
  });

  it("forgets a series that has no value left", () => {
    const window = new Window(3, 1000);
    window.initial(initial("e", [tick(1, { cpu: 1, gone: 1 })]));
    for (let seq = 2; seq <= 6; seq++) window.metrics(tick(seq, { cpu: seq }));
    expect(window.series.map(({ key }) => key)).toEqual(["cpu"]);
  });

  it.each([2, 4, 8])("keeps the newest ticks when it is made to hold %i", (capacity) => {
    const window = new Window(4, 1000);
    window.initial(initial("e", []));
    for (let seq = 1; seq <= 6; seq++) window.metrics(tick(seq, { cpu: seq }));
    window.resize(capacity);
    window.metrics(tick(7, { cpu: 7 }));
    expect(values(window)).toEqual([3, 4, 5, 6, 7].slice(-Math.min(capacity, 5)));
  });

  it("is the same after a snapshot was taken and restored", () => {
    const window = new Window(4, 1000);
    window.initial(initial("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    const copy = new Window(1, 1);
    copy.restore(window.snapshot());
    for (const each of [window, copy]) each.metrics(tick(3, { cpu: 3 }));
    expect(values(copy)).toEqual(values(window));
    expect(copy.snapshot()).toEqual(window.snapshot());
  });
});

describe("stats", () => {
  it("are over what is there", () => {
    const stats = computeStats(Float64Array.of(1, Number.NaN, 6, 2));
    expect(stats).toEqual({ avg: 3, min: 1, max: 6, count: 3, last: 2 });
  });

  it("of nothing are nothing", () => {
    expect(computeStats(Float64Array.of(Number.NaN))).toMatchObject({ count: 0, avg: Number.NaN });
  });
});
