/** All marks are known: those that the server keeps, and those that are made meanwhile. */
import { createRoot, createSignal } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createMarksStore, type MarksStore } from "../src/stores/marks";
import type { Range } from "../src/time/range";
import type { Mark } from "../src/types.gen";
import { at, TestClock } from "./world";

const mark = (id: string, seconds: number, more: Partial<Mark> = {}): Mark => ({
  ...{ id, text: `mark ${id}`, timestamp: at(seconds), by: "" },
  ...more,
});
const tasks = () => new Promise((done) => setTimeout(done));

describe("the marks", () => {
  let clock: TestClock;
  let answer: () => Promise<readonly Mark[]>;
  let loads: number;
  let marks: MarksStore;
  let setRange: (range: Range) => void;
  const BEGIN = { type: "alerts", alerts: [], whole: true } as const;
  const ids = (found: readonly Mark[]) => found.map(({ id }) => id);

  beforeEach(() => {
    clock = new TestClock();
    loads = 0;
    answer = async () => [mark("b", 20), mark("a", 10, { until: at(15) })];
    createRoot(() => {
      const [range, set] = createSignal<Range>({ from: 0, to: 100_000 });
      setRange = set;
      marks = createMarksStore({
        clock,
        load: () => {
          loads++;
          return answer();
        },
        range,
        around: () => ({ from: 16_000, to: 100_000 }),
      });
    });
  });

  it("are loaded when the stream begins, in the order of their times, and again when it begins anew", async () => {
    marks.apply({ type: "alerts", alerts: [], whole: false });
    expect(loads).toBe(0);
    marks.apply(BEGIN);
    marks.apply(BEGIN);
    await tasks();
    expect([loads, ids(marks.all())]).toEqual([1, ["a", "b"]]);
    expect(marks.all()[0]).toMatchObject({ began: 10_000, ended: 15_000 });
    marks.apply({
      ...{ type: "snapshot", status: { connected: true, tried: true, retryAt: null }, board: null },
      ...{ problems: [], window: null, episodes: [], alertsLive: true, trouble: null, serverTime: 0 },
    });
    await tasks();
    expect(loads).toBe(2);
  });

  it("come with the stream, once each, also while the others are loaded", async () => {
    marks.apply(BEGIN);
    marks.apply({ type: "mark", mark: mark("live", 5) });
    await tasks();
    marks.apply({ type: "mark", mark: mark("b", 20) });
    expect(ids(marks.all())).toEqual(["live", "a", "b"]);
  });

  it("of a range overlap it, and are the same array while they are the same", async () => {
    marks.apply(BEGIN);
    await tasks();
    setRange({ from: 14_000, to: 20_000 });
    const before = marks.inRange();
    expect(ids(before)).toEqual(["a"]);
    setRange({ from: 15_000, to: 20_000 });
    expect(marks.inRange()).toBe(before);
    expect(ids(marks.recent())).toEqual(["b"]);
  });

  it("that cannot be loaded are said to be missing, and asked for again", async () => {
    const good = answer;
    answer = async () => {
      throw new Error("503");
    };
    marks.apply(BEGIN);
    await tasks();
    expect([marks.failed(), marks.all()]).toEqual([true, []]);
    answer = good;
    clock.pass(10_000);
    await tasks();
    expect([marks.failed(), ids(marks.all())]).toEqual([false, ["a", "b"]]);
  });

  it("of an answer are added", () => {
    marks.add([mark("made", 30)]);
    expect(ids(marks.all())).toEqual(["made"]);
  });

  it("are at most as many as the server keeps, the newest", async () => {
    answer = async () => Array.from({ length: 10_002 }, (_, i) => mark(`${i}`, i));
    marks.apply(BEGIN);
    await tasks();
    expect([marks.all().length, marks.all()[0].id]).toEqual([10_000, "2"]);
  });
});
