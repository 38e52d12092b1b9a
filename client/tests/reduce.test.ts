/** The points of a line: all ticks, or the least and the greatest of each pixel where there are more of them. */
import { describe, expect, it } from "vitest";
import { farAmong, Points, type Ring } from "../src/chart/reduce";
import { sparkRange } from "../src/chart/sparkline";

const ring = (ticks: number, oldest = 0): Ring => {
  const times = new Float64Array(ticks);
  for (let i = 0; i < ticks; i++) times[(oldest + i) % ticks] = i * 10;
  return { times, oldest, ticks };
};

const taken = (of: Ring, values: readonly number[], pixels: number): [number, number][] => {
  const points = new Points();
  const turned = new Float64Array(of.times.length);
  values.forEach((value, i) => {
    turned[(of.oldest + i) % of.times.length] = value;
  });
  points.take(of, turned, (of.ticks - 1) * 10, pixels);
  return Array.from({ length: points.length }, (_, i) => [points.times[i], points.values[i]]);
};

describe("the points of a line", () => {
  it("are all ticks, oldest first, from wherever in the ring", () => {
    expect(taken(ring(4, 2), [1, 2, Number.NaN, 4], 100)).toEqual([
      [0, 1],
      [10, 2],
      [20, Number.NaN],
      [30, 4],
    ]);
  });

  it("keep every peak when there are more ticks than pixels", () => {
    const values = Array.from({ length: 10_000 }, (_, i) => Math.sin(i));
    for (const peak of [17, 4_321, 9_998]) values[peak] = 50 + peak;
    values[5_000] = -77;
    const points = taken(ring(10_000, 321), values, 100);
    expect(points.length).toBeLessThan(210);
    for (const peak of [17, 4_321, 9_998]) expect(points).toContainEqual([peak * 10, 50 + peak]);
    expect(points).toContainEqual([50_000, -77]);
  });

  it("come in the order of time", () => {
    const values = Array.from({ length: 1_000 }, (_, i) => (i * 7919) % 1_000);
    const times = taken(ring(1_000), values, 20).map(([time]) => time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("have a gap where a whole pixel has no value, and none where one of its ticks has", () => {
    const values = new Array(1_000).fill(1);
    values.fill(Number.NaN, 300, 700);
    values[900] = Number.NaN;
    const gaps = taken(ring(1_000), values, 10).filter(([, value]) => Number.isNaN(value));
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.every(([time]) => time >= 3_000 && time < 7_000)).toBe(true);
  });

  it("stay the same while they move", () => {
    const values = Array.from({ length: 1_000 }, (_, i) => (i * 7919) % 1_000);
    const points = new Points();
    const whole = { times: Float64Array.from(values, (_, i) => i * 10), oldest: 0, ticks: 900 };
    points.take(whole, Float64Array.from(values), 9_000, 20);
    const before = Array.from(points.values.subarray(4, points.length - 4));
    points.take({ ...whole, ticks: 903 }, Float64Array.from(values), 9_000, 20);
    expect(Array.from(points.values.subarray(4, 4 + before.length))).toEqual(before);
  });
});

describe("what is far", () => {
  const far = (distances: readonly number[], least = Number.POSITIVE_INFINITY) =>
    farAmong(Float64Array.from(distances), { times: 3, around: 4, atLeast: 3, least });

  it("is several times as far as what is around it", () => {
    expect(far([5, 5, 5, 5, 40, 5, 5, 5, 5, 5, 5, 41, 5])).toEqual([4, 11]);
    expect(far([40, 5, 5, 5, 5, 5, 5, 5, 5, 40])).toEqual([0, 9]);
  });

  it("is not a stretch in which all are far, nor noise", () => {
    const stretch = [...new Array(9).fill(5), ...new Array(20).fill(40), ...new Array(9).fill(5)];
    expect(far(stretch)).toEqual([]);
    expect(far([0, 0, 2, 0, 0])).toEqual([]);
  });

  it("is in any case what is far enough", () => {
    expect(far([20, 20, 25, 20], 25)).toEqual([2]);
    expect(far([])).toEqual([]);
  });
});

describe("the scale of a spark", () => {
  it("begins at zero, and reaches up to the threshold", () => {
    expect(sparkRange(40, 80, {}, [90])).toEqual([0, 90]);
    expect(sparkRange(40, 80, {}, [90, 150])).toEqual([0, 150]);
    expect(sparkRange(40, 80, {}, [90, 1_000])).toEqual([0, 90]);
    expect(sparkRange(-5, 80, {})).toEqual([-5, 80]);
    expect(sparkRange(0, 0, {})).toEqual([0, 1]);
  });

  it("is what the metric declares", () => {
    expect(sparkRange(40, 80, { min: 20, max: 100 }, [90])).toEqual([20, 100]);
  });

  it("of the values alone is never less than what is asked for, so that noise stays flat", () => {
    expect(sparkRange(50, 51, { least: 14 })).toEqual([43.5, 57.5]);
    expect(sparkRange(10, 90, { least: 14 })).toEqual([10, 90]);
    expect(sparkRange(3, 3, { least: 0 })).toEqual([2, 4]);
  });
});
