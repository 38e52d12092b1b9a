/** The states of a series over time: none that was there is lost, however many share a pixel or a bucket. */
import { describe, expect, it } from "vitest";
import { nearestTick, type Ring } from "../src/chart/reduce";
import { meaningOf, stateOf, statesByMetric, stretchesOf } from "../src/chart/states";
import { namedSeries } from "../src/components/seriesNames";
import type { State } from "../src/types.gen";
import { series } from "./world";

const none = Number.NaN;

/** A ring whose oldest slot is not the first, and values in its slots. */
function ringOf(values: readonly number[], times = values.map((_, i) => 1000 * i)): [Ring, Float64Array] {
  const oldest = Math.floor(values.length / 3);
  const turn = (all: readonly number[]) => {
    const turned = new Float64Array(all.length);
    for (const [i, value] of all.entries()) turned[(oldest + i) % all.length] = value;
    return turned;
  };
  return [{ times: turn(times), oldest, ticks: values.length }, turn(values)];
}

const stretches = (values: readonly number[], pixelMs = 0, times?: readonly number[]) => {
  const [ring, column] = ringOf(values, times?.slice());
  return stretchesOf(ring, column, undefined, 1000, pixelMs).map(({ from, to, low, high }) => [
    from,
    to,
    low,
    high,
  ]);
};

describe("the stretches of a series", () => {
  it("last from halfway to the tick before until halfway to the next", () => {
    expect(stretches([1, 1, 1, 0, 2])).toEqual([
      [-500, 2500, 1, 1],
      [2500, 3500, 0, 0],
      [3500, 4500, 2, 2],
    ]);
    expect(stretches([1, 0], 0, [0, 1400])).toEqual([
      [-500, 700, 1, 1],
      [700, 1900, 0, 0],
    ]);
  });

  it("end where there is no value, also if the state is the same afterwards", () => {
    expect(stretches([none, 1, none, none, 1, 1, none])).toEqual([
      [500, 1500, 1, 1],
      [3500, 5500, 1, 1],
    ]);
    expect(stretches([none, none])).toEqual([]);
    expect(stretches([])).toEqual([]);
  });

  it("keep the lowest and the highest of the ticks that share a pixel, and only of these", () => {
    const values = Array.from({ length: 600 }, () => 1);
    values[333] = 0;
    expect(stretches(values, 10_000)).toEqual([
      [-500, 329_500, 1, 1],
      [329_500, 339_500, 0, 1],
      [339_500, 599_500, 1, 1],
    ]);
  });

  it("close over a gap that is shorter than a pixel, and not over a longer one", () => {
    const values = Array.from({ length: 40 }, () => 1);
    values[3] = none;
    for (let i = 14; i < 36; i++) values[i] = none;
    expect(stretches(values, 10_000)).toEqual([
      [-500, 13_500, 1, 1],
      [35_500, 39_500, 1, 1],
    ]);
  });

  it("of buckets have all that each bucket had, from its beginning on", () => {
    const [ring, values] = ringOf([1, 0.4, 0.9, none, 1]);
    const [[, lows], [, highs]] = [ringOf([1, 0, 0, none, 1]), ringOf([1, 1, 1, none, 1])];
    expect(stretchesOf(ring, values, { lows, highs }, 1000)).toEqual([
      { from: 0, to: 1000, low: 1, high: 1 },
      { from: 1000, to: 3000, low: 0, high: 1 },
      { from: 4000, to: 5000, low: 1, high: 1 },
    ]);
  });
});

describe("what a stretch means", () => {
  const states: State[] = [
    { value: 0, text: "down", severity: "critical" },
    { value: 1, text: "up" },
    { value: 2, text: "slow", severity: "warning" },
    { value: 3.7, text: "idle" },
  ];
  const meaning = (low: number, high = low) => {
    const { text, severity, place, several } = meaningOf(states, { low, high }, "V");
    return [text, severity, place, several];
  };

  it("is the state of its value", () => {
    expect(meaning(0)).toEqual(["down", "critical", null, false]);
    expect(meaning(1)).toEqual(["up", undefined, 0, false]);
    expect(meaning(3.7)).toEqual(["idle", undefined, 1, false]);
  });

  it("is the value itself if that is no state", () => {
    expect(meaning(0.5)).toEqual(["0.5 V", undefined, null, false]);
    expect(meaning(7)).toEqual(["7.0 V", undefined, null, false]);
  });

  it("says that there were several, with the worst of those that are certain", () => {
    expect(meaning(0, 1)).toEqual(["down and up", "critical", null, true]);
    expect(meaning(1, 2)).toEqual(["up and slow", "warning", 0, true]);
    expect(meaning(1, 3.7)).toEqual(["up to idle", undefined, 0, true]);
    expect(meaning(0.2, 0.4)).toEqual(["0.2 V and 0.4 V", undefined, null, true]);
  });

  it("forgives what the history has rounded, but never takes one whole number for another", () => {
    expect(stateOf(states, 3.70001)?.text).toBe("idle");
    expect(meaning(3.69999, 3.70001)).toEqual(["idle", undefined, 1, false]);
    expect(stateOf([{ value: 100_000, text: "all" }], 100_001)).toBeUndefined();
    expect(stateOf(states, Number.NaN)).toBeUndefined();
  });

  it("is known of the metrics that have a timeline", () => {
    const panel = { type: "states", metric: "up", states, title: "Up" } as const;
    const found = statesByMetric([{ type: "card", metric: "cpu", title: "CPU" }, panel]);
    expect([...found]).toEqual([["up", states]]);
  });
});

describe("the nearest tick", () => {
  it("is the one before or after", () => {
    const [ring] = ringOf([0, 0, 0, 0]);
    expect([-9_000, 400, 600, 2_499, 2_501, 9_000].map((time) => nearestTick(ring, time))).toEqual([
      0, 0, 1, 2, 3, 3,
    ]);
  });
});

describe("the names of rows", () => {
  const titleOf = (metric: string) => metric.toUpperCase();
  const names = (all: Parameters<typeof namedSeries>[0]) => namedSeries(all, titleOf).map(({ name }) => name);

  it("are the labels that differ, in order of name", () => {
    const all = ["web-10", "web-9"].map((service) => series("up", { service, env: "prod" }));
    expect(names(all)).toEqual(["web-9", "web-10"]);
    expect(names([series("up", { service: "web" })])).toEqual(["web"]);
  });

  it("have the metric's title if there are several metrics, or no labels", () => {
    expect(names([series("up")])).toEqual(["UP"]);
    expect(names([series("received", { nic: "eth0" }), series("sent", { nic: "eth0" })])).toEqual([
      "RECEIVED",
      "SENT",
    ]);
    const both = [series("sent", { nic: "eth1" }), series("received", { nic: "eth0" })];
    expect(names(both)).toEqual(["RECEIVED · eth0", "SENT · eth1"]);
  });
});
