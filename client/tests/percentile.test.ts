/** Percentiles of a few values. */
import { describe, expect, it } from "vitest";
import { percentiles } from "../src/window/percentile";

describe("percentiles", () => {
  it("lie between the values beside them, without those that are missing", () => {
    expect(percentiles([40, Number.NaN, 10, 30, 20, 50], [0, 0.5, 0.875, 1])).toEqual([10, 30, 45, 50]);
  });

  it("are none of no values", () => {
    expect(percentiles([Number.NaN], [0.95, 0.99])).toEqual([Number.NaN, Number.NaN]);
  });
});
