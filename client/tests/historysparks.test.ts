/** The values around alerts of the past are asked of history: together, once, and with their peaks. */
import { beforeEach, describe, expect, it } from "vitest";
import { HistorySparks } from "../src/past/sparks";
import { Window } from "../src/window/window";
import { alert, historyBytes, series, TestClock, ticks } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");
const MINUTE = 60_000;
const SECOND = 1_000;
const tasks = () => new Promise((done) => setTimeout(done));

describe("the sparks of alerts of the past", () => {
  let clock: TestClock;
  let live: Window;
  let asked: URLSearchParams[];
  let fails: boolean;
  let hasHistory: boolean;
  let changes: number;
  let sparks: HistorySparks;
  const fires = (id: string, minutes: number, more = {}) =>
    alert(id, { metric: id, timestamp: new Date(NOON + minutes * MINUTE).toISOString(), ...more });
  const at = (minutes: number) => NOON + minutes * MINUTE;
  const arrived = async () => {
    clock.pass(20);
    await tasks();
  };

  /** Ticks of each second if there is room for them, else buckets; `min` and `max` are the second and its double. */
  function answer(query: URLSearchParams): ArrayBuffer {
    const [from, to] = [query.get("from"), query.get("to")].map((time) => Date.parse(time ?? ""));
    const points = Number(query.get("points"));
    const step = (to - from) / SECOND <= points ? SECOND : Math.ceil((to - from) / points / SECOND) * SECOND;
    const times = Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
    const lows = times.map((time) => (time - NOON) / SECOND);
    const highs = lows.map((low) => 2 * low);
    const columns = step === SECOND ? [lows] : [lows, highs, lows, lows.map(() => 1)];
    return historyBytes(
      { from, to, resolutionMs: step },
      times,
      query.getAll("metrics").map((name) => ({ name, columns })),
    );
  }

  beforeEach(() => {
    [clock, asked, fails, hasHistory, changes] = [new TestClock(), [], false, true, 0];
    live = new Window(60, SECOND);
    const rows = Array.from({ length: 60 }, (_, i) => [i]);
    live.take(
      ticks([series("cpu")], 1, rows, {
        times: Float64Array.from(rows, ([i]) => at(60) - (59 - i) * SECOND),
      }),
    );
    sparks = new HistorySparks({
      ...{ clock, live, hasHistory: () => hasHistory },
      get: async (path) => {
        const query = new URLSearchParams(path.split("?")[1]);
        asked.push(query);
        if (fails) throw new Error("the disk fails");
        return answer(query);
      },
      onChange: () => changes++,
    });
  });

  it("have the ticks from before the alert fired up to the moment", async () => {
    const one = fires("cpu", 0);
    const of = () => sparks.of(one, Number.POSITIVE_INFINITY, at(1), at(1));
    expect(of()).toMatchObject({ times: [], values: [], fired: NOON, from: NOON - 24 * SECOND });
    await arrived();
    const { ended, from, times, to, values } = of();
    expect([times.length, values[0], values.at(-1)]).toEqual([84, -24, 59]);
    expect([from, to, ended]).toEqual([NOON - 24 * SECOND, NOON + 59 * SECOND, Number.POSITIVE_INFINITY]);
    expect([asked.length, changes, sparks.valueAt(one, at(1))]).toEqual([1, 1, 59]);
  });

  it("end some ticks after the alert, as it was by the moment", async () => {
    const of = (minutes: number) => sparks.of(fires("cpu", 0), at(1), at(minutes), at(minutes));
    of(5);
    await arrived();
    expect(of(5)).toMatchObject({ ended: at(1) });
    expect(of(5).times.at(-1)).toBe(at(1) + 5 * SECOND);
    expect(of(0.5)).toMatchObject({ ended: Number.POSITIVE_INFINITY });
    expect([of(0.5).times.at(-1), asked.length]).toEqual([at(0.5) - SECOND, 1]);
  });

  it("show the highest value of a bucket, or the lowest for a rule that fires below, and have the last tick", async () => {
    const above = fires("cpu", -60);
    const below = fires("free", -60, { value: 1, threshold: 5 });
    const of = (one: typeof above) => sparks.of(one, Number.POSITIVE_INFINITY, NOON, NOON);
    of(above);
    of(below);
    await arrived();
    expect(asked.map((query) => query.getAll("metrics"))).toEqual([
      ["cpu", "free"],
      ["cpu", "free"],
    ]);
    const [high, low] = [of(above), of(below)];
    expect(high.values[0]).toBe(2 * low.values[0]);
    expect(high.times.length).toBeLessThanOrEqual(121);
    expect([sparks.valueAt(above, NOON), sparks.valueAt(below, NOON)]).toEqual([-1, -1]);
  });

  it("of similar times are asked for together, others apart", async () => {
    for (const id of ["a", "b", "c"]) sparks.of(fires(id, -1), at(0), at(10), at(10));
    sparks.of(fires("long", -600), at(0), at(10), at(10));
    await arrived();
    expect(asked.map((query) => query.getAll("metrics")).filter((_, i) => i < 2)).toEqual([
      ["a", "b", "c"],
      ["long"],
    ]);
  });

  it("are asked for in addresses that are not too long", async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `${"x".repeat(100)}${i}`);
    for (const id of ids) sparks.of(fires(id, -1), at(0), at(10), at(10));
    await arrived();
    await tasks();
    expect(asked).toHaveLength(2);
    expect(asked.every((query) => String(query).length < 8_000)).toBe(true);
    expect(new Set(asked.flatMap((query) => query.getAll("metrics")))).toEqual(new Set(ids));
  });

  it("are asked for anew when a replay has come further, and keep what they have meanwhile", async () => {
    const of = (until: number) => sparks.of(fires("cpu", 0), Number.POSITIVE_INFINITY, at(0.5), at(until));
    of(1);
    await arrived();
    expect([of(0.7).times.length, asked.length]).toEqual([54, 1]);
    expect(of(1.5).times.length).toBe(54);
    await arrived();
    expect([of(1.5).times.length, asked.length]).toEqual([54, 2]);
  });

  it("cost no request within the live window, or without a history", async () => {
    const one = sparks.of(
      alert("cpu", { metric: "cpu", timestamp: new Date(at(60) - 10_000).toISOString() }),
      at(90),
      at(60),
      at(60),
    );
    expect([one.times.length, one.values.at(-1)]).toEqual([34, 58]);
    hasHistory = false;
    expect(sparks.of(fires("none", -60), at(0), at(10), at(10)).times).toEqual([]);
    await arrived();
    expect(asked).toEqual([]);
  });

  it("say why they are missing, and are asked for again", async () => {
    fails = true;
    const of = () => sparks.of(fires("cpu", 0), Number.POSITIVE_INFINITY, at(1), at(1));
    of();
    await arrived();
    expect([of().times.length, sparks.failed, changes]).toEqual([0, "the disk fails", 1]);
    await arrived();
    expect(asked).toHaveLength(1);
    fails = false;
    sparks.retry();
    await arrived();
    expect([of().times.length, sparks.failed]).toEqual([84, ""]);
  });

  it("are forgotten, also while they are loaded", async () => {
    sparks.of(fires("cpu", 0), Number.POSITIVE_INFINITY, at(1), at(1));
    clock.pass(20);
    sparks.forget();
    await tasks();
    expect([changes, sparks.failed]).toEqual([0, ""]);
    expect(sparks.valueAt(fires("cpu", 0), at(1))).toBeNaN();
  });

  it("are at most two hundred, the ones that were read last", async () => {
    const first = fires("first", 0);
    sparks.of(first, at(1), at(5), at(5));
    await arrived();
    for (let i = 0; i < 200; i++) sparks.of(fires(`a${i}`, 0), at(1), at(5), at(5));
    expect(sparks.valueAt(first, at(5))).toBeNaN();
  });
});
