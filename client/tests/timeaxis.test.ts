/** Which time is where on a time axis, and ranges of it. */
import { describe, expect, it } from "vitest";
import { between, isOn, overlap, placeOf, scaled, type TimeAxis, timeAt } from "../src/chart/timeaxis";

/** A hundred seconds on a hundred pixels. */
const AXIS: TimeAxis = { from: 1_000_000, to: 1_100_000, left: 40, width: 100, top: 8, height: 100 };
const at = (second: number): number => 1_000_000 + 1000 * second;
const seconds = (from: number, to: number) => ({ from: at(from), to: at(to) });

describe("a time axis", () => {
  it("has a time for each place and a place for each time", () => {
    expect(timeAt(AXIS, 65)).toBe(at(25));
    expect(placeOf(AXIS, at(25))).toBe(65);
    expect([timeAt(AXIS, 0), timeAt(AXIS, 999)]).toEqual([at(0), at(100)]);
    expect(placeOf(AXIS, at(110))).toBe(150);
  });

  it("ends where it ends", () => {
    expect([39, 40, 140, 141].map((x) => isOn(AXIS, x))).toEqual([false, true, true, false]);
    expect(isOn(AXIS, 39, 2)).toBe(true);
  });
});

describe("a range", () => {
  it("is between two times in any order", () => {
    expect(between(at(9), at(3))).toEqual(seconds(3, 9));
  });

  it("becomes longer or shorter about a time, which keeps its place", () => {
    expect(scaled(seconds(0, 100), at(25), 0.5)).toEqual(seconds(12.5, 62.5));
    expect(scaled(seconds(0, 100), at(100), 2)).toEqual(seconds(-100, 100));
  });

  it("shares no time with one that begins where it ends", () => {
    expect(overlap(seconds(0, 10), seconds(10, 20))).toBe(false);
    expect(overlap(seconds(0, 11), seconds(10, 20))).toBe(true);
  });
});
