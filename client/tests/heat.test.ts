import { describe, expect, it } from "vitest";
import {
  type BucketSet,
  bucketSets,
  cellAt,
  cellsOf,
  edgesOf,
  everyOf,
  fullestRow,
  rowText,
  shareText,
} from "../src/chart/heat";
import type { Ring } from "../src/chart/reduce";
import { series } from "./world";

const NO = Number.NaN;
const MORE = Number.POSITIVE_INFINITY;
const LESS = Number.NEGATIVE_INFINITY;

/** One tick a second, the first at 1 s, with the values of each bucket. */
function buckets(values: Record<string, number[]>): BucketSet {
  const sorted = Object.entries(values)
    .map(([bound, column]) => [bound === "+Inf" ? MORE : Number(bound), column] as const)
    .sort(([one], [other]) => one - other);
  return {
    bounds: sorted.map(([bound]) => bound),
    values: sorted.map(([, column]) => Float64Array.from(column)),
    counts: sorted.map(() => undefined),
  };
}

function ticks(count: number, oldest = 0): Ring {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) times[(oldest + i) % count] = (i + 1) * 1000;
  return { times, oldest, ticks: count };
}

const cells = (sets: BucketSet[], count: number, columnMs = 1000, most = 20) =>
  cellsOf(ticks(count), sets, { intervalMs: 1000, columnMs, most });

/** The shares of each column, from the lowest row up, in per cent. */
const shares = (found: ReturnType<typeof cells>) =>
  found.columns.map((_, column) =>
    found.edges.slice(1).map((_, row) => Math.round(cellAt(found, column, row).share * 100)),
  );

describe("the buckets of a histogram", () => {
  const ring = (key: string) => (key.includes("gone") ? undefined : new Float64Array(1));
  const counts = (key: string) => (key.includes("+Inf") ? Float64Array.of(9) : undefined);

  it("are sets of series that differ only in their bound", () => {
    const all = ["20", "+Inf", "10"].flatMap((le) =>
      ["/", "/x"].map((route) => series("took.buckets", { route, le })),
    );
    expect(bucketSets(all, {}, ring, counts).map(({ bounds }) => bounds)).toEqual([
      [10, 20, MORE],
      [10, 20, MORE],
    ]);
    const [found] = bucketSets(all, { route: "/x" }, ring, counts);
    expect(found.counts).toEqual([undefined, undefined, Float64Array.of(9)]);
    expect(bucketSets(all, { route: "/y" }, ring, counts)).toHaveLength(0);
  });

  it("have a bound and values", () => {
    const all = [
      series("took.buckets", {}),
      series("took.buckets", { le: "much" }),
      series("took.buckets", { le: "1", route: "gone" }),
    ];
    expect(bucketSets(all, {}, ring, counts)).toEqual([]);
  });
});

describe("the rows", () => {
  it("reach from the lowest to the highest bucket with values", () => {
    const set = buckets({ "5": [0, 0], "10": [0, 0], "20": [1, 0], "50": [0, 2], "100": [0, 0] });
    expect(edgesOf(ticks(2), [set], 20)).toEqual([10, 20, 50]);
  });

  it("have no end where the buckets have none", () => {
    expect(edgesOf(ticks(1), [buckets({ "5": [1], "+Inf": [1] })], 20)).toEqual([LESS, 5, MORE]);
  });

  it("are none without values", () => {
    expect(edgesOf(ticks(1), [buckets({ "5": [0], "10": [NO] })], 20)).toEqual([]);
    expect(edgesOf(ticks(0), [], 20)).toEqual([]);
    const none = cells([buckets({ "5": [0], "10": [NO] })], 1);
    expect([none.columns[0].total, none.most, fullestRow(none, 0)]).toEqual([0, 0, null]);
  });

  it("are merged where there are too many, at round bounds", () => {
    const bounds = [4, 5, 6, 8, 10, 12, 15, 20];
    const set = buckets(Object.fromEntries(bounds.map((bound) => [bound, [1]])));
    expect(edgesOf(ticks(1), [set], 4)).toEqual([LESS, 4, 6, 10, 15, 20]);
    expect(everyOf([0.3, 1, 3, 10, 30], 2)).toEqual([1, 3]);
    expect(everyOf([0.3, 0.6], 2)).toEqual([0]);
  });
});

describe("a cell", () => {
  it("has the share of its bucket at its time", () => {
    const found = cells([buckets({ "10": [1, 0], "20": [3, 2], "50": [0, 2] })], 2);
    expect(shares(found)).toEqual([
      [25, 75, 0],
      [0, 50, 50],
    ]);
    expect(found.columns.map(({ from, to, time, total }) => [from, to, time, total])).toEqual([
      [500, 1500, 1000, 4],
      [1500, 2500, 2000, 4],
    ]);
    expect(found.most).toBe(0.75);
    expect(fullestRow(found, 0)).toBe(1);
    expect(cellAt(found, 1, 2).rate).toBe(2);
  });

  it("adds up the series of a histogram", () => {
    const one = buckets({ "10": [3], "20": [0] });
    const other = buckets({ "10": [0], "20": [1] });
    expect(shares(cells([one, other], 1))).toEqual([[75, 25]]);
  });

  it("spreads a bucket that covers several rows", () => {
    const fine = buckets({ "10": [0], "15": [1], "20": [1] });
    const coarse = buckets({ "10": [0], "20": [2] });
    expect(shares(cells([fine, coarse], 1))).toEqual([[50, 50]]);
    const late = buckets({ "12": [2], "+Inf": [0] });
    // Its 2 are in the rows up to 10 and up to 12, and one of the others in those up to 12 and up to 15.
    expect(shares(cells([fine, late], 1))).toEqual([[25, 38, 13, 25]]);
  });

  it("counts a bucket from the next lower bound that has a value at its tick", () => {
    // After the first tick, the sender has coarser buckets.
    const set = buckets({ "10": [0, 0], "15": [1, NO], "20": [3, 4] });
    expect(shares(cells([set], 2))).toEqual([
      [25, 75],
      [50, 50],
    ]);
  });

  it("is in a merged row with its neighbours", () => {
    const set = buckets({ "4": [0], "5": [1], "6": [1], "8": [1], "10": [1], "20": [4] });
    const found = cells([set], 1, 1000, 3);
    expect(found.edges).toEqual([4, 6, 10, 20]);
    expect(shares(found)).toEqual([[25, 25, 50]]);
  });

  it("has no share where nothing was observed, and none is known in a gap", () => {
    const found = cells([buckets({ "10": [1, 0, NO], "20": [1, 0, NO] })], 3);
    expect(shares(found)).toEqual([
      [50, 50],
      [0, 0],
      [0, 0],
    ]);
    expect(found.columns.map(({ total }) => total)).toEqual([2, 0, NO]);
  });

  it("is the same wherever the ring begins", () => {
    const values = [Float64Array.of(1, 0), Float64Array.of(0, 1)];
    const set = { bounds: [10, 20], values, counts: [undefined, undefined] };
    const found = cellsOf(ticks(2, 1), [set], { intervalMs: 1000, columnMs: 1000, most: 20 });
    expect(shares(found)).toEqual([
      [0, 100],
      [100, 0],
    ]);
  });
});

describe("a column of several ticks", () => {
  const set = buckets({ "10": [8, 0, 1, 1], "20": [0, 2, 1, NO] });

  it("has the shares of all their values", () => {
    const found = cells([set], 4, 2000);
    expect(found.columns.map(({ from, to, time }) => [from, to, time])).toEqual([
      [0, 2000, 1000],
      [2000, 4000, 3000],
      [4000, 6000, 4000],
    ]);
    expect(shares(found)).toEqual([
      [100, 0],
      [25, 75],
      [100, 0],
    ]);
    // A rate is per second, not the sum over the ticks.
    expect(found.columns.map(({ total }) => total)).toEqual([8, 2, 1]);
    expect(cellAt(found, 1, 0).rate).toBeCloseTo(0.5);
  });

  it("stays the same as time goes on", () => {
    const later = cellsOf({ ...ticks(4), oldest: 1, ticks: 3 }, [set], {
      ...{ intervalMs: 1000, columnMs: 2000, most: 20 },
    });
    expect(shares(later)).toEqual([
      [25, 75],
      [100, 0],
    ]);
  });
});

describe("a column of averages", () => {
  it("has the shares of all values, also of a bucket that appeared meanwhile", () => {
    // Ten ticks with 2 values each, then in five of them 4 in another bucket.
    const values = [Float64Array.of(2), Float64Array.of(4)];
    const counts = [Float64Array.of(10), Float64Array.of(5)];
    const found = cells([{ bounds: [10, 20], values, counts }], 1);
    expect(shares(found)).toEqual([[50, 50]]);
    expect(found.columns[0].total).toBe(4);
  });

  it("weighs each by its ticks", () => {
    const set = {
      bounds: [10, 20],
      values: [Float64Array.of(1, 0), Float64Array.of(0, 1)],
      counts: [Float64Array.of(9, 3), Float64Array.of(9, 3)],
    };
    expect(shares(cells([set], 2, 5000))).toEqual([[75, 25]]);
  });
});

describe("the texts", () => {
  it("name a row by its ends", () => {
    expect(rowText([100, 150], "ms")).toBe("100–150 ms");
    expect(rowText([0.8, 1], "s")).toBe("800 ms–1 s");
    expect(rowText([2.5, 3], "ms")).toBe("2.5–3 ms");
    expect(rowText([0, 5], "%")).toBe("0–5 %");
    expect(rowText([1, 2], "")).toBe("1–2");
    expect(rowText([LESS, 5], "ms")).toBe("up to 5 ms");
    expect(rowText([10, MORE], "s")).toBe("over 10 s");
    expect(rowText([LESS, MORE], "s")).toBe("all values");
  });

  it("show a small share as some", () => {
    expect([0, 0.004, 0.01, 0.246, 1].map(shareText)).toEqual(["0 %", "< 1 %", "1 %", "25 %", "100 %"]);
  });
});
