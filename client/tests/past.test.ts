import { beforeEach, describe, expect, it } from "vitest";
import type { Ticks } from "../src/link/decoder";
import { seriesKey } from "../src/link/protocol";
import { type Answer, answerOf, decodeAnswer } from "../src/past/answer";
import { type LoadState, RangeLoader } from "../src/past/loader";
import { RangeWindow } from "../src/past/rangewindow";
import { Window } from "../src/window/window";
import { historyBytes, TestClock } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");
const MINUTE = 60_000;

const seriesNamed = (name: string, labels: Record<string, string> = {}) => ({
  key: seriesKey(name, labels),
  ...{ name, unit: "%", labels },
});

/** A live window of a minute, up to noon: `cpu` counts the seconds, `mem` is 50. */
function liveWindow(): Window {
  const window = new Window(60, 1000);
  window.take(ticksFrom(1, NOON - 59_000, 60, true));
  return window;
}

function ticksFrom(first: number, time: number, count: number, afresh = false): Ticks {
  const seconds = Array.from({ length: count }, (_, i) => i);
  return {
    ...{ type: "ticks", epoch: "e", afresh, first },
    series: [seriesNamed("cpu"), seriesNamed("mem")],
    times: Float64Array.from(seconds, (i) => time + i * 1000),
    values: Float64Array.from(seconds.flatMap((i) => [first + i, 50])),
  };
}

const RANGE = { from: NOON - 3 * MINUTE, to: NOON, resolutionMs: MINUTE };
const TIMES = [NOON - 3 * MINUTE, NOON - 2 * MINUTE, NOON - MINUTE];
const BUCKETS = {
  name: "cpu",
  columns: [
    [1, 2, 3],
    [9, 8, 7],
    [5, 6, 4],
    [60, 60, 30],
  ],
};

describe("an answer of history", () => {
  it("has the columns of each series", () => {
    const ticks = { name: "mem", labels: { host: "a" }, first: 1, columns: [[4, Number.NaN]] };
    const answer = decodeAnswer(historyBytes(RANGE, TIMES, [BUCKETS, ticks]));
    expect(answer).toMatchObject({ ...RANGE, times: Float64Array.from(TIMES) });
    const [cpu, mem] = answer.series;
    expect([cpu.min, cpu.max, cpu.avg, cpu.count].map((column) => Array.from(column ?? []))).toEqual(
      BUCKETS.columns,
    );
    expect(mem).toMatchObject({ first: 1, count: null, series: { key: 'mem{host="a"}', unit: "%" } });
    expect(Array.from(mem.max)).toEqual([4, Number.NaN]);
  });

  it.each([0, 39, 50, 100])("is refused if it ends after %i bytes", (length) => {
    expect(() => decodeAnswer(historyBytes(RANGE, TIMES, [BUCKETS]).slice(0, length))).toThrow();
  });
});

describe("a window of buckets", () => {
  const answer = () => decodeAnswer(historyBytes(RANGE, TIMES, [BUCKETS]));
  const cpu = { series: seriesNamed("cpu") };

  it("has stats of the values behind its buckets", () => {
    const window = new RangeWindow([answer()], { range: RANGE }, null);
    const avg = (5 * 60 + 6 * 60 + 4 * 30) / 150;
    expect(window.statsOf("cpu")).toEqual({ avg, min: 1, max: 9, count: 150, last: 4 });
    expect(window.bandOf("cpu")?.highs.subarray(0, 3)).toEqual(Float64Array.from([9, 8, 7]));
    expect(window.statsOf("none").count).toBe(0);
  });

  it("has the axis of its range, whatever values there are", () => {
    const window = new RangeWindow([answer()], { range: { from: NOON - 9 * MINUTE, to: NOON } }, null);
    expect([window.until, window.spanMs]).toEqual([NOON, 9 * MINUTE]);
  });

  it("breaks its lines where nothing was recorded", () => {
    const gap = { ...RANGE, from: NOON - 9 * MINUTE };
    const times = [NOON - 9 * MINUTE, NOON - MINUTE];
    const columns = [
      [1, 2],
      [1, 2],
      [1, 2],
      [60, 60],
    ];
    const window = new RangeWindow(
      [decodeAnswer(historyBytes(gap, times, [{ name: "cpu", columns }]))],
      { range: gap },
      null,
    );
    expect(Array.from(window.ordered("cpu"))).toEqual([1, Number.NaN, 2]);
  });

  it("puts the ticks that come into their bucket, and then into the next", () => {
    const live = liveWindow();
    const window = new RangeWindow([answer()], { range: { ...RANGE, to: NOON + 1 } }, live);
    window.take({ ...ticksFrom(61, NOON + 1000, 60), series: null });
    expect(Array.from(window.ordered("cpu")).slice(-3)).toEqual([4, 90, 120]);
    expect(window.statsOf("cpu")).toMatchObject({ count: 150 + 59 + 1, max: 120 });
    expect(window.until).toBe(NOON + 60_000);
    expect(live.newest("cpu")).toBe(60);
  });

  it("goes on after the ticks that came while history was read", () => {
    const live = liveWindow();
    const range = { from: NOON - MINUTE, to: NOON - 30_000 };
    const window = new RangeWindow([answerOf(live, range)], { range }, live);
    window.take({ ...ticksFrom(61, NOON + 1000, 1), series: null });
    expect(Array.from(window.ordered("cpu")).slice(-3)).toEqual([59, 60, 61]);
    expect(Array.from(window.ordered("cpu")).some(Number.isNaN)).toBe(false);
  });

  it("keeps the newer ticks of a bucket when more series arrive", () => {
    const live = liveWindow();
    const window = new RangeWindow([answer()], { range: { ...RANGE, to: NOON + 1 } }, live);
    window.take({ ...ticksFrom(61, NOON + 1000, 5), series: null });
    const late: Answer = decodeAnswer(historyBytes(RANGE, TIMES, [{ ...BUCKETS, name: "mem" }]));
    window.merge(late);
    expect(window.statsOf("mem")).toMatchObject({ count: 150 + 5, max: 50, min: 1 });
    expect(window.series.map(({ key }) => key).sort()).toEqual([cpu.series.key, "mem"]);
  });
});

describe("the loader of a range", () => {
  let clock: TestClock;
  let live: Window;
  let loader: RangeLoader;
  let windows: Window[];
  let states: LoadState[];
  let asked: {
    path: URLSearchParams;
    answer(data: ArrayBuffer): void;
    refuse(why: string): void;
    signal: AbortSignal;
  }[];

  let kept: boolean;
  const settle = () => new Promise<void>((resolve) => setTimeout(resolve));
  const want = (...metrics: string[]) => {
    loader.want(new Set(metrics));
    clock.pass(100);
  };
  const shown = () => windows[windows.length - 1];

  beforeEach(() => {
    clock = new TestClock();
    live = liveWindow();
    [windows, states, asked] = [[], [], []];
    kept = true;
    loader = new RangeLoader({
      ...{ clock, live, seriesOf: () => 1, kept: () => kept },
      get: (path, signal) =>
        new Promise((answer, reject) => {
          const query = new URLSearchParams(path.split("?")[1]);
          asked.push({ path: query, answer, refuse: (why) => reject(new Error(why)), signal });
        }),
      onWindow: (window) => windows.push(window),
      onState: (state) => states.push(state),
    });
  });

  it("asks nothing without history, and shows what the live window has", () => {
    kept = false;
    loader.aim({ follows: false, from: NOON - 2 * MINUTE, to: NOON - MINUTE / 2 }, 0);
    loader.aim({ follows: true, spanMs: 60 * MINUTE }, 0);
    expect(asked).toEqual([]);
    expect(windows[0].ticks).toBe(29);
    expect(windows[1].ticks).toBe(60);
  });

  it("asks nothing for a range in the live window", () => {
    want("cpu");
    loader.aim({ follows: false, from: NOON - 20_000, to: NOON - 9_999 }, 0);
    expect(asked).toHaveLength(0);
    expect(Array.from(shown().ordered("cpu"))).toEqual([40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
    expect(states.at(-1)).toEqual({ loading: false, failed: "" });
  });

  it("follows a part of the live window", () => {
    loader.aim({ follows: true, spanMs: 10_000 }, 0);
    live.take({ ...ticksFrom(61, NOON + 1000, 1), series: null });
    loader.apply({ ...ticksFrom(61, NOON + 1000, 1), series: null, received: 0 });
    expect(shown().newest("cpu")).toBe(61);
    expect(shown().until).toBe(NOON + 1000);
  });

  it("asks for the metrics in sight, together, and for others once they are", async () => {
    want("cpu", "mem");
    loader.aim({ follows: false, from: RANGE.from, to: RANGE.to }, 0);
    expect(asked[0].path.getAll("metrics")).toEqual(["cpu", "mem"]);
    expect(asked[0].path.get("from")).toBe("2026-01-31T11:57:00Z");
    want("cpu", "mem", "disk");
    expect(asked[1].path.getAll("metrics")).toEqual(["disk"]);
    expect(states.at(-1)).toEqual({ loading: true, failed: "" });
    asked[0].answer(historyBytes(RANGE, TIMES, [BUCKETS]));
    await settle();
    expect([loader.has("cpu"), loader.has("disk")]).toEqual([false, false]);
    // The value at the end of the range is a tick, not the average of its bucket.
    asked[2].answer(
      historyBytes(
        { ...RANGE, resolutionMs: 1000 },
        [NOON - 2000, NOON - 1000],
        [{ name: "cpu", columns: [[7, 8]] }],
      ),
    );
    await settle();
    expect([loader.has("cpu"), loader.has("disk")]).toEqual([true, false]);
    expect(shown().newest("cpu")).toBe(8);
    expect(shown().statsOf("cpu")).toMatchObject({ count: 150, last: 8 });
  });

  it("shows an hour up to now, and goes on live", async () => {
    want("cpu");
    loader.aim({ follows: true, spanMs: 3 * MINUTE }, 0);
    live.take({ ...ticksFrom(61, NOON + 1000, 1), series: null });
    loader.apply({ ...ticksFrom(61, NOON + 1000, 1), series: null, received: 0 });
    asked[0].answer(historyBytes({ ...RANGE, to: NOON + 1 }, TIMES, [BUCKETS]));
    await settle();
    expect(shown().statsOf("cpu")).toMatchObject({ count: 151, last: 61, max: 61 });
    live.take({ ...ticksFrom(62, NOON + 2000, 1), series: null });
    loader.apply({ ...ticksFrom(62, NOON + 2000, 1), series: null, received: 0 });
    expect(shown().statsOf("cpu")).toMatchObject({ count: 152, last: 62 });
  });

  it("asks anew after a restart of the board", () => {
    want("cpu");
    loader.aim({ follows: true, spanMs: 3 * MINUTE }, 0);
    const [first] = asked;
    loader.apply({ ...ticksFrom(1, NOON + 5000, 1, true), received: 0 });
    expect(first.signal.aborted).toBe(true);
    expect(asked).toHaveLength(2);
  });

  it("asks anew when the ticks have left that made its buckets too long", async () => {
    want("cpu");
    loader.aim({ follows: true, spanMs: 3 * MINUTE }, 0);
    const pass = (seconds: number) => {
      const ticks = ticksFrom(61 + seconds, NOON + 1000 * seconds, 1);
      live.take(ticks);
      loader.apply({ ...ticks, received: 0 });
    };
    asked[0].answer(historyBytes({ ...RANGE, to: NOON + 1 }, TIMES, [BUCKETS]));
    await settle();
    pass(180);
    expect(asked).toHaveLength(1);
    const before = shown();
    pass(181);
    expect([asked.length, shown() === before]).toEqual([2, true]);
    asked[1].answer(
      historyBytes({ ...RANGE, resolutionMs: 1000 }, [NOON + 1000], [{ name: "cpu", columns: [[3]] }]),
    );
    await settle();
    pass(400);
    expect(asked).toHaveLength(2);
  });

  it("keeps the picture while it loads, tries again, says why it failed, and asks again", async () => {
    want("cpu");
    loader.aim({ follows: false, from: NOON - 30_000, to: NOON }, 0);
    const before = shown();
    loader.aim({ follows: false, from: RANGE.from, to: RANGE.to }, 0);
    for (let tries = 0; tries < 4; tries++) {
      asked[tries].refuse("the history is locked");
      await settle();
      clock.pass(10_000);
    }
    expect(asked).toHaveLength(4);
    expect(states.at(-1)).toEqual({ loading: false, failed: "the history is locked" });
    expect(shown()).toBe(before);
    loader.retry();
    expect(asked).toHaveLength(5);
    expect(states.at(-1)).toEqual({ loading: true, failed: "" });
  });

  it("drops the answer of a range that nobody looks at any more", async () => {
    want("cpu");
    loader.aim({ follows: false, from: RANGE.from, to: RANGE.to }, 0);
    loader.aim({ follows: false, from: NOON - 30_000, to: NOON }, 0);
    const here = shown();
    asked[0].answer(historyBytes(RANGE, TIMES, [BUCKETS]));
    await settle();
    expect(shown()).toBe(here);
  });

  it("shows a part of what it has at once, and asks for its finer buckets", async () => {
    want("cpu");
    loader.aim({ follows: false, from: RANGE.from, to: RANGE.to }, 0);
    asked[0].answer(historyBytes(RANGE, TIMES, [BUCKETS]));
    await settle();
    asked[1].answer(historyBytes({ ...RANGE, resolutionMs: 1000 }, [], []));
    await settle();
    loader.aim({ follows: false, from: RANGE.from, to: RANGE.to }, 0);
    expect(asked).toHaveLength(2);
    loader.aim({ follows: false, from: RANGE.from, to: NOON - 2 * MINUTE }, 0);
    expect(Array.from(shown().ordered("cpu"))).toEqual([5]);
    expect(asked[2].path.get("to")).toBe("2026-01-31T11:58:00Z");
    expect(states.at(-1)?.loading).toBe(true);
  });

  it("asks nothing for a part of ticks that it has", async () => {
    want("cpu");
    const [from, to] = [NOON - 10 * MINUTE, NOON - 10 * MINUTE + 3000];
    loader.aim({ follows: false, from, to }, 0);
    const times = [from, from + 1000, from + 2000];
    asked[0].answer(
      historyBytes({ from, to, resolutionMs: 1000 }, times, [{ name: "cpu", columns: [[1, 2, 3]] }]),
    );
    await settle();
    loader.aim({ follows: false, from: from + 1000, to }, 0);
    expect(asked).toHaveLength(1);
    expect(shown().statsOf("cpu")).toMatchObject({ count: 2, last: 3 });
  });

  it("loads ahead of a replay, and asks for more before it runs out", async () => {
    want("cpu");
    const from = NOON - 60 * MINUTE;
    const ticks = (begin: number, end: number) => {
      const times = Array.from({ length: (end - begin) / 1000 }, (_, i) => begin + i * 1000);
      return historyBytes({ from: begin, to: end, resolutionMs: 1000 }, times, [
        { name: "cpu", columns: [times.map((time) => (time - from) / 1000)] },
      ]);
    };
    const answer = async (i: number) => {
      const [begin, end] = ["from", "to"].map((name) => Date.parse(asked[i].path.get(name) ?? ""));
      asked[i].answer(ticks(begin, end));
      await settle();
    };
    loader.aim({ follows: false, from, to: from + MINUTE }, 10);
    expect(Date.parse(asked[0].path.get("to") ?? "")).toBe(from + MINUTE + 150_000);
    await answer(0);
    loader.aim({ follows: false, from: from + 30_000, to: from + MINUTE + 30_000 }, 10);
    expect(shown().newest("cpu")).toBe(89);
    expect(asked).toHaveLength(1);
    loader.aim({ follows: false, from: from + 100_000, to: from + MINUTE + 100_000 }, 10);
    expect(asked).toHaveLength(2);
    expect(shown().newest("cpu")).toBe(159);
    await answer(1);
    loader.aim({ follows: false, from: from + 200_000, to: from + MINUTE + 200_000 }, 10);
    expect(shown().newest("cpu")).toBe(259);
    expect(Array.from(shown().ordered("cpu")).some(Number.isNaN)).toBe(false);
  });
});
