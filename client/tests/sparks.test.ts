/** The values around the moment are kept as the window moves on, and drawn with a gap where there is none. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createSparkStore, MAX_POINTS, type SparkStore } from "../src/stores/sparks";
import type { Alert } from "../src/types.gen";
import { type Spark, sparkLines } from "../src/window/spark";
import { Window } from "../src/window/window";
import { alert, at, series, tick, ticks, windowOf } from "./world";

describe("the spark store", () => {
  let window: Window;
  let store: SparkStore;
  const pass = (seq: number, value = seq) => {
    const next = { ...tick(seq, { cpu: value }), received: 0 };
    window.take(next);
    store.apply(next);
  };
  const fires = (id: string, seq: number) => alert(id, { metric: "cpu", timestamp: at(seq) });

  beforeEach(() => {
    window = new Window(10, 1000);
    window.take(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 }), tick(3, { cpu: 3 })]));
    store = createRoot(() => createSparkStore(window));
  });

  const of = (one: Alert, ended = Number.POSITIVE_INFINITY) => store.of(one, ended);

  it("keeps what has left the window, and goes on until the alert is over and as much came after as before", () => {
    of(fires("a", 3), 5_000);
    for (let seq = 4; seq <= 60; seq++) pass(seq);
    const { times, values } = of(fires("a", 3), 5_000);
    expect(times).toHaveLength(33);
    expect([values[0], values.at(-1)]).toEqual([1, 33]);
    expect(window.between("cpu", 0, Number.POSITIVE_INFINITY).times).toHaveLength(10);
  });

  it("goes on for as long as the alert fires, thinned out, and loses no peak", () => {
    of(fires("a", 3));
    for (let seq = 4; seq <= 3_600; seq++) pass(seq, seq === 1_999 ? 100 : 5);
    const { from, to, times, values } = of(fires("a", 3));
    expect(times.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(times.length).toBeGreaterThan(MAX_POINTS / 4);
    expect([from, Math.max(...values)]).toEqual([1_000, 100]);
    expect(to - 3_600_000).toBeLessThanOrEqual(0);
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
  });

  it("begins when the first values of the series come, and stays empty for one that has none", () => {
    const [load, none] = ["load", "none"].map((metric) => alert(metric, { metric, timestamp: at(5) }));
    of(load);
    of(none);
    const next = { ...ticks([series("cpu"), series("load")], 4, [[4, 40]]), received: 0 };
    window.take(next);
    store.apply(next);
    expect(of(load).values.at(-1)).toBe(40);
    expect(of(none).values).toEqual([]);
  });

  it("takes what it missed while nobody looked out of the window that comes then", () => {
    of(fires("a", 3));
    window.take(ticks([series("cpu")], 4, [[4], [5], [6]]));
    store.apply({
      ...{ type: "snapshot", status: { connected: true, tried: true, retryAt: null }, board: null },
      ...{ problems: [], window: null, episodes: null, alertsLive: false, trouble: null, serverTime: 0 },
    });
    expect(of(fires("a", 3)).values).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("begins with what was seen of an alert that has fired for long", () => {
    for (let seq = 4; seq <= 500; seq++) pass(seq);
    const { from, fired, to } = of(fires("a", 3));
    expect([from, fired, to]).toEqual([491_000, 3_000, 500_000]);
  });

  it("begins with what history has, once it has come", () => {
    let known: Spark | null = null;
    const asked: number[] = [];
    const earlier = (_: Alert, before: number) => {
      asked.push(before);
      return known;
    };
    const other = { earlier, spark: () => null, valueOf: () => Number.NaN, changed: () => {} };
    store = createRoot(() => createSparkStore(window, other));
    for (let seq = 4; seq <= 50; seq++) pass(seq);
    expect(of(fires("a", 45)).times[0]).toBe(41_000);
    known = {
      from: 21_000,
      fired: 45_000,
      ended: 41_000,
      to: 41_000,
      times: [21_000, 31_000],
      values: [7, 9],
    };
    const { from, values } = of(fires("a", 45));
    expect([from, values.slice(0, 4)]).toEqual([21_000, [7, 9, 41, 42]]);
    // What began in the window needs no history.
    of(fires("b", 74));
    expect(asked).toEqual([41_000, 41_000]);
  });

  it("forgets the oldest of very many", () => {
    of(fires("first", 3));
    for (let i = 0; i < 200; i++) of(fires(`more ${i}`, 3));
    for (let seq = 4; seq <= 40; seq++) pass(seq);
    expect(of(fires("more 199", 3)).times[0]).toBe(1_000);
    // It begins anew, with what the window has.
    expect(of(fires("first", 3)).times[0]).toBe(31_000);
  });
});

describe("the lines of a spark", () => {
  const spark = (values: number[], more: Partial<Spark> = {}): Spark => ({
    ...{ from: 0, fired: 5_000, ended: Number.POSITIVE_INFINITY, to: 10_000 },
    times: values.map((_, i) => i * 1000),
    values,
    ...more,
  });

  it("shade the episode from where the alert fired to now, or to its end", () => {
    const values = [0, 0, 0, 0, 0, 10, 10, 10, 0];
    const lines = sparkLines(spark(values), undefined, 106, 26);
    expect(lines?.line.startsWith("M3.0 23.0L13.0 23.0")).toBe(true);
    expect(lines?.episode).toEqual({ left: 53, right: 83 });
    expect(sparkLines(spark(values, { ended: 7_000 }), undefined, 106, 26)?.episode.right).toBe(73);
  });

  it("leave a gap where there is no value", () => {
    expect(sparkLines(spark([1, 2, Number.NaN, 2, 1]), undefined, 106, 26)?.line.match(/M/g)).toHaveLength(2);
  });

  it("have the threshold in view, however far away it is", () => {
    expect(sparkLines(spark([1, 1, 1]), 100, 106, 26)?.threshold).toBe(3);
    expect(sparkLines(spark([200, 200]), 100, 106, 26)?.threshold).toBe(23);
  });

  it("are none without a value", () => {
    expect(sparkLines(spark([Number.NaN]), 90, 106, 26)).toBeNull();
    expect(sparkLines(spark([]), undefined, 106, 26)).toBeNull();
  });

  it("mark the newest value", () => {
    expect(sparkLines(spark([1, 2, 3, Number.NaN]), undefined, 106, 26)?.newest).toEqual({ x: 23, y: 3 });
  });
});
