/** The values around the moment are kept as the window moves on, and drawn with a gap where there is none. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createSparkStore, type SparkStore } from "../src/stores/sparks";
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

  it("keeps what has left the window, and goes on until as much came after as before", () => {
    const spark = store.follow(fires("a", 3));
    for (let seq = 4; seq <= 60; seq++) pass(seq);
    expect(spark().times).toHaveLength(27);
    expect([spark().values[0], spark().values.at(-1)]).toEqual([1, 27]);
    expect(window.between("cpu", 0, Number.POSITIVE_INFINITY).times).toHaveLength(10);
  });

  it("is the same when the feed asks for it again", () => {
    const spark = store.follow(fires("a", 3));
    for (let seq = 4; seq <= 40; seq++) pass(seq);
    expect(store.follow(fires("a", 3))).toBe(spark);
  });

  it("begins when the first values of the series come, and stays empty for one that has none", () => {
    const [load, none] = ["load", "none"].map((metric) =>
      store.follow(alert(metric, { metric, timestamp: at(5) })),
    );
    const next = { ...ticks([series("cpu"), series("load")], 4, [[4, 40]]), received: 0 };
    window.take(next);
    store.apply(next);
    expect(load().values.at(-1)).toBe(40);
    expect(none().values).toEqual([]);
  });

  it("takes what it missed while nobody looked out of the window that comes then", () => {
    const spark = store.follow(fires("a", 3));
    window.take(ticks([series("cpu")], 4, [[4], [5], [6]]));
    store.apply({
      ...{ type: "snapshot", status: { connected: true, tried: true, retryAt: null }, board: null },
      ...{ problems: [], window: null, episodes: null, alertsLive: false, trouble: null, serverTime: 0 },
    });
    expect(spark().values).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("forgets the oldest of very many", () => {
    const spark = store.follow(fires("first", 3));
    for (let i = 0; i < 200; i++) store.follow(fires(`more ${i}`, 3));
    expect(store.follow(fires("first", 3))).not.toBe(spark);
  });
});

describe("the lines of a spark", () => {
  const spark = (values: number[], more: Partial<Spark> = {}): Spark => ({
    ...{ from: 0, fired: 5_000, to: 10_000 },
    times: values.map((_, i) => i * 1000),
    values,
    ...more,
  });

  it("meet where the alert fired", () => {
    const lines = sparkLines(spark([0, 0, 0, 0, 0, 10, 10]), undefined, 106, 26);
    expect(lines?.before.endsWith("L53.0 3.0")).toBe(true);
    expect(lines?.after).toBe("M53.0 3.0L63.0 3.0");
    expect(lines?.moment).toEqual({ x: 53, y: 3 });
  });

  it("leave a gap where there is no value", () => {
    expect(sparkLines(spark([1, 2, Number.NaN, 2, 1]), undefined, 106, 26)?.before.match(/M/g)).toHaveLength(
      2,
    );
  });

  it("have the threshold in view, however far away it is", () => {
    expect(sparkLines(spark([1, 1, 1]), 100, 106, 26)?.threshold).toBe(3);
    expect(sparkLines(spark([200, 200]), 100, 106, 26)?.threshold).toBe(23);
  });

  it("are none without a value", () => {
    expect(sparkLines(spark([Number.NaN]), 90, 106, 26)).toBeNull();
    expect(sparkLines(spark([]), undefined, 106, 26)).toBeNull();
  });

  it("mark the newest value while the moment is still to come", () => {
    expect(sparkLines(spark([1, 2, 3]), undefined, 106, 26)?.moment).toEqual({ x: 23, y: 3 });
  });
});
