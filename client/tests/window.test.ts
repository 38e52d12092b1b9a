/** The page's window is the server's: the same ticks, gaps as gaps, and never two histories in one. */
import { describe, expect, it } from "vitest";
import { computeStats } from "../src/window/stats";
import { Window } from "../src/window/window";
import { amendment, series, tick, ticks, windowOf } from "./world";

const values = (window: Window, key = "cpu") => Array.from(window.ordered(key));

describe("the window", () => {
  it("holds the newest ticks, oldest first", () => {
    const window = new Window(3, 1000);
    window.take(windowOf("e", []));
    for (let seq = 1; seq <= 5; seq++) window.take(tick(seq, { cpu: seq }));
    expect(values(window)).toEqual([3, 4, 5]);
    expect(Array.from(window.orderedTimes())).toEqual([3000, 4000, 5000]);
    expect(window.newestSeq).toBe(5);
  });

  it("gives the ticks of a series between two times, without the first of them", () => {
    const window = new Window(4, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 })]));
    for (const seq of [2, 3, 4, 6]) window.take(tick(seq, { cpu: seq }));
    expect(window.between("cpu", 3000, 6000)).toEqual({
      times: [4000, 5000, 6000],
      values: [4, Number.NaN, 6],
    });
    expect(window.between("cpu", 0, 4000)).toEqual({ times: [3000, 4000], values: [3, 4] });
    expect(window.between("load", 5000, 9000)).toEqual({ times: [6000], values: [Number.NaN] });
  });

  it("leaves a gap for ticks that it missed", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 })]));
    window.take(tick(4, { cpu: 4 }));
    expect(values(window)).toEqual([1, Number.NaN, Number.NaN, 4]);
    expect(Array.from(window.orderedTimes())).toEqual([1000, 2000, 3000, 4000]);
  });

  it("leaves a gap where a series has no value, and none has it before it appeared", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, {}), tick(3, { cpu: 3, load: 7 })]));
    expect(values(window)).toEqual([1, Number.NaN, 3]);
    expect(values(window, "load")).toEqual([Number.NaN, Number.NaN, 7]);
  });

  it("has the last value of a while for the newest, where other boards send theirs late", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1, load: 7 }), tick(2, { cpu: 2 }), tick(3, {})]));
    expect(window.newest("cpu")).toBeNaN();
    window.lateMs = 2000;
    expect(window.newest("cpu")).toBe(2);
    expect(window.newest("load")).toBeNaN();
    window.lateMs = 60_000;
    expect(window.newest("load")).toBe(7);
    expect(window.newest("other")).toBeNaN();
  });

  it("takes what was missed when it is resumed, and no tick twice", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    window.take(windowOf("e", [tick(2, { cpu: 99 }), tick(3, { cpu: 3 })], true));
    expect(values(window)).toEqual([1, 2, 3]);
  });

  it("forgets what it had when it is not resumed, or when the epoch is another", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(8, { cpu: 8 })]));
    window.take(windowOf("f", [tick(1, { cpu: 1 })], true));
    expect(values(window)).toEqual([1]);
    window.take(windowOf("f", [tick(5, { load: 5 })]));
    expect(window.series.map(({ key }) => key)).toEqual(["load"]);
  });

  it("tells series of one metric apart by their labels", () => {
    const window = new Window(3, 1000);
    window.take(windowOf("e", []));
    window.take(ticks([series("core", { core: "0" }), series("core", { core: "1" })], 1, [[1, 2]]));
    expect(window.series.map(({ labels }) => labels.core)).toEqual(["0", "1"]);
    expect(new Set(window.series.map(({ key }) => key)).size).toBe(2);
  });

  it("goes on with the layout that it knows while the ticks say none", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1, load: 7 })]));
    window.take({ ...tick(2, { cpu: 2, load: 8 }), series: null });
    window.take({ ...windowOf("e", [tick(5, { cpu: 5, load: 9 })]), series: null });
    window.take({ ...tick(6, { cpu: 6, load: 10 }), series: null });
    expect(values(window)).toEqual([5, 6]);
    expect(values(window, "load")).toEqual([9, 10]);
  });

  it("puts each value under its series when the layout changes, whatever the order", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1, load: 7 })]));
    const before = window.series[0];
    window.take(tick(2, { disk: 4, load: 8, cpu: 2 }));
    window.take({ ...tick(3, { disk: 5, load: 9, cpu: 3 }), series: null });
    window.take(tick(4, { cpu: 4 }));
    expect(values(window)).toEqual([1, 2, 3, 4]);
    expect(values(window, "load")).toEqual([7, 8, 9, Number.NaN]);
    expect(values(window, "disk")).toEqual([Number.NaN, 4, 5, Number.NaN]);
    expect(window.series.map(({ key }) => key)).toEqual(["cpu", "load", "disk"]);
    expect(window.series[0]).toBe(before);
  });

  it("does not know a series before its first value, and then from there on", () => {
    const window = new Window(10, 1000);
    const none = Number.NaN;
    window.take(
      ticks(
        [series("cpu"), series("late")],
        1,
        [
          [1, none],
          [2, none],
        ],
        { afresh: true },
      ),
    );
    expect(window.series.map(({ key }) => key)).toEqual(["cpu"]);
    const before = window.seriesVersion;
    window.take({ ...tick(3, { cpu: 3, late: 9 }), series: null });
    expect(window.seriesVersion).toBeGreaterThan(before);
    expect(values(window, "late")).toEqual([none, none, 9]);
  });

  it("has a gap for a value that is too large, of a series that it knows", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: Number.POSITIVE_INFINITY }), tick(2, { cpu: 2 })]));
    window.take(tick(3, { cpu: Number.NEGATIVE_INFINITY, load: Number.POSITIVE_INFINITY }));
    expect(values(window)).toEqual([Number.NaN, 2, Number.NaN]);
    expect(values(window, "load")).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect(window.series.map(({ key }) => key)).toEqual(["cpu", "load"]);
  });

  it("puts amended values into their tick, and leaves the others", () => {
    const window = new Window(10, 1000);
    window.take(
      windowOf(
        "e",
        [1, 2, 3].map((seq) => tick(seq, { cpu: seq, load: 10 * seq })),
      ),
    );
    window.amend(amendment(2, { cpu: 7, load: Number.NaN }));
    window.amend({ ...amendment(3, { cpu: Number.POSITIVE_INFINITY, load: 9 }), series: null });
    expect(values(window)).toEqual([1, 7, 3]);
    expect(values(window, "load")).toEqual([10, 20, 9]);
    expect([window.ticks, window.newestSeq]).toEqual([3, 3]);
  });

  it("amends nothing of a tick that it does not have: gone, to come, missed, of another epoch", () => {
    const window = new Window(4, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    window.take(tick(3, { cpu: 3 }));
    window.take(tick(5, { cpu: 5 }));
    window.take(tick(6, { cpu: 6 }));
    for (const seq of [1, 2, 4, 7]) window.amend(amendment(seq, { cpu: 99 }));
    window.amend({ ...amendment(5, { cpu: 99 }), epoch: "f" });
    expect(values(window)).toEqual([3, Number.NaN, 5, 6]);
    window.amend(amendment(3, { cpu: 4 }));
    expect(values(window)[0]).toBe(4);
  });

  it("amends the tick before a hole in time, not the hole", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 })]));
    window.take({ ...tick(2, { cpu: 2 }), times: Float64Array.of(60_000) });
    window.amend(amendment(1, { cpu: 7 }));
    expect(values(window)).toEqual([7, Number.NaN, 2]);
  });

  it("begins a series with an amended value, and forgets it when that tick is gone", () => {
    const window = new Window(3, 1000);
    window.take(
      windowOf(
        "e",
        [1, 2, 3].map((seq) => tick(seq, { cpu: seq })),
      ),
    );
    const before = window.seriesVersion;
    window.amend(amendment(2, { cpu: Number.NaN, late: 5 }));
    expect(values(window, "late")).toEqual([Number.NaN, 5, Number.NaN]);
    expect(window.seriesVersion).toBeGreaterThan(before);
    window.take(tick(4, { cpu: 4 }));
    expect(window.has("late")).toBe(true);
    window.take(tick(5, { cpu: 5 }));
    expect(window.has("late")).toBe(false);
  });

  it("puts the ticks after an amendment of a new layout under their series", () => {
    const window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 })]));
    window.amend(amendment(1, { load: 8, cpu: Number.NaN }));
    window.take({ ...tick(2, { load: 9, cpu: 2 }), series: null });
    expect(values(window)).toEqual([1, 2]);
    expect(values(window, "load")).toEqual([8, 9]);
  });

  it("knows the newest value and the average of a series", () => {
    const window = new Window(3, 1000);
    expect([window.newest("cpu"), window.average("cpu")]).toEqual([Number.NaN, Number.NaN]);
    window.take(windowOf("e", [tick(1, { cpu: 9, load: 4 }), tick(2, { cpu: 1 })]));
    window.take(tick(3, { cpu: 2 }));
    window.take(tick(4, { cpu: 3 }));
    expect([window.newest("cpu"), window.average("cpu")]).toEqual([3, 2]);
    expect([window.newest("load"), window.average("load")]).toEqual([Number.NaN, Number.NaN]);
  });

  it("knows which series have had whole numbers only", () => {
    const window = new Window(3, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 9, load: 4, late: 1 }), tick(2, { cpu: 1, load: Infinity })]));
    expect(["cpu", "load", "late", "other"].map((key) => window.isWhole(key))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    window.amend(amendment(1, { late: 0.5 }));
    for (const seq of [3, 4, 5]) window.take(tick(seq, { cpu: seq === 3 ? 2.5 : seq, load: seq, late: 2 }));
    expect(["cpu", "load", "late"].map((key) => window.isWhole(key))).toEqual([false, true, false]);
    const copy = window.copy();
    expect(["cpu", "load", "late"].map((key) => copy.isWhole(key))).toEqual([false, true, true]);
  });

  it("keeps the series that it knows when it is restored from a copy of them", () => {
    const window = new Window(3, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 })]));
    const [before] = window.series;
    window.restore(structuredClone(window.snapshot()));
    expect(window.series[0]).toBe(before);
  });

  it("grows for a window that is larger than it", () => {
    const window = new Window(2, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 }), tick(3, { cpu: 3 })]));
    expect(values(window)).toEqual([1, 2, 3]);
  });

  it("forgets a series that has no value left", () => {
    const window = new Window(3, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1, gone: 1 })]));
    for (let seq = 2; seq <= 6; seq++) window.take(tick(seq, { cpu: seq }));
    expect(window.series.map(({ key }) => key)).toEqual(["cpu"]);
  });

  it("takes a series back that it had forgotten, without its old values", () => {
    const window = new Window(3, 1000);
    const gone = Number.NaN;
    window.take(windowOf("e", [tick(1, { cpu: 1, back: 7 })]));
    for (let seq = 2; seq <= 6; seq++) window.take({ ...tick(seq, { cpu: seq, back: gone }), series: null });
    expect(window.series).toHaveLength(1);
    window.take({ ...tick(7, { cpu: 7, back: 9 }), series: null });
    expect(values(window, "back")).toEqual([gone, gone, 9]);
  });

  it.each([2, 4, 8])("keeps the newest ticks when it is made to hold %i", (capacity) => {
    const window = new Window(4, 1000);
    window.take(windowOf("e", []));
    for (let seq = 1; seq <= 6; seq++) window.take(tick(seq, { cpu: seq }));
    window.resize(capacity);
    window.take({ ...tick(7, { cpu: 7 }), series: null });
    expect(values(window)).toEqual([3, 4, 5, 6, 7].slice(-Math.min(capacity, 5)));
  });

  it.each([[[]], [[1, 2, 3]]])("keeps every tick until the board says how many, after %j", (first) => {
    const window = new Window(4, 1000, true);
    window.take(
      windowOf(
        "e",
        first.map((seq) => tick(seq, { cpu: seq })),
      ),
    );
    for (let seq = first.length + 1; seq <= 9; seq++) window.take(tick(seq, { cpu: seq }));
    expect(values(window)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    window.resize(10);
    for (const seq of [10, 11]) window.take({ ...tick(seq, { cpu: seq }), series: null });
    expect(values(window)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("is the same after a snapshot was taken and restored", () => {
    const window = new Window(4, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    const copy = new Window(1, 1);
    copy.restore(window.snapshot());
    for (const each of [window, copy]) each.take({ ...tick(3, { cpu: 3 }), series: null });
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
