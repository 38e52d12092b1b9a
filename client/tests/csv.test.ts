/** A chart as CSV. */
import { describe, expect, it } from "vitest";
import { csvOf } from "../src/chart/csv";

describe("a chart as CSV", () => {
  it("has a row for each tick and an empty field where there is no value", () => {
    const lines = [
      { label: "user", values: [1.5, Number.NaN] },
      { label: "system", values: [0, 2] },
    ];
    expect(csvOf([0, 1_000], lines)).toBe(
      "time,user,system\r\n1970-01-01T00:00:00.000Z,1.5,0\r\n1970-01-01T00:00:01.000Z,,2\r\n",
    );
  });

  it("has the extremes and the number of values of each bucket", () => {
    const gap = Number.NaN;
    const buckets = { lows: [1, gap], highs: [9, gap], counts: [60, gap] };
    expect(csvOf([0, 60_000], [{ label: "user", values: [3.5, gap], buckets }])).toBe(
      "time,user min,user max,user avg,user count\r\n" +
        "1970-01-01T00:00:00.000Z,1,9,3.5,60\r\n1970-01-01T00:01:00.000Z,,,,\r\n",
    );
  });

  it("has no name that a spreadsheet takes for a formula, and numbers as they are", () => {
    const lines = ["=1+1", "+1", "-x", "@a,b", "a=b"].map((label) => ({ label, values: [-1] }));
    expect(csvOf([0], lines)).toBe(
      "time,'=1+1,'+1,'-x,\"'@a,b\",a=b\r\n1970-01-01T00:00:00.000Z,-1,-1,-1,-1,-1\r\n",
    );
  });

  it("quotes what would be taken for something else", () => {
    expect(csvOf([], [{ label: 'a "b", c', values: [] }])).toBe('time,"a ""b"", c"\r\n');
  });
});
