/** Which of many series have colours and in what order they are, and where the labels of lines stand. */
import { describe, expect, it } from "vitest";
import { automaticRange, closeRange, logPlaces, logRange } from "../src/chart/axis";
import { Eight } from "../src/chart/eight";
import { pushApart } from "../src/chart/labels";

const keys = Array.from({ length: 12 }, (_, i) => `s${i}`);
/** The first is the highest. */
const falling = (key: string): number => 100 - Number(key.slice(1));
const raised =
  (one: string, to = 1_000) =>
  (key: string): number =>
    key === one ? to : falling(key);

describe("the eight highest", () => {
  it("have the eight colours at once, in the order of their values", () => {
    const { order, colors } = new Eight().update(keys, falling, 0, false);
    expect(order).toEqual(keys);
    expect([...colors]).toEqual(keys.slice(0, 8).map((key, i) => [key, i]));
  });

  it("give a colour to another only after it has been among them for ten seconds", () => {
    const eight = new Eight();
    eight.update(keys, falling, 0, false);
    expect(eight.update(keys, raised("s11"), 1_000, false).colors.has("s11")).toBe(false);
    expect(eight.update(keys, raised("s11"), 10_999, false).colors.has("s11")).toBe(false);
    const { colors } = eight.update(keys, raised("s11"), 11_000, false);
    expect(colors.get("s11")).toBe(7);
    expect(colors.has("s7")).toBe(false);
    expect(colors.get("s0")).toBe(0);
  });

  it("begin to count anew when it was lower in between", () => {
    const eight = new Eight();
    eight.update(keys, falling, 0, false);
    eight.update(keys, raised("s11"), 1_000, false);
    eight.update(keys, falling, 6_000, false);
    eight.update(keys, raised("s11"), 7_000, false);
    expect(eight.update(keys, raised("s11"), 12_000, false).colors.has("s11")).toBe(false);
  });

  it("free the colour of a series that has gone for the next", () => {
    const eight = new Eight();
    eight.update(keys, falling, 0, false);
    const left = keys.filter((key) => key !== "s2");
    eight.update(left, falling, 1_000, false);
    expect(eight.update(left, falling, 11_000, false).colors.get("s8")).toBe(2);
  });

  it("change their order every five seconds at most, and not while someone points at them", () => {
    const eight = new Eight();
    const before = eight.update(keys, falling, 0, false).order;
    expect(eight.update(keys, raised("s5"), 4_000, false).order).toBe(before);
    expect(eight.update(keys, raised("s5"), 6_000, true).order).toBe(before);
    expect(eight.update(keys, raised("s5"), 6_000, false).order[0]).toBe("s5");
  });

  it("are all while there are no more, in the order in which they came, and keep their colours when more come", () => {
    const eight = new Eight();
    const few = ["z", "a", "m"];
    const { order, colors } = eight.update(few, () => 1, 0, false);
    expect(order).toEqual(few);
    expect([...colors]).toEqual([
      ["z", 0],
      ["a", 1],
      ["m", 2],
    ]);
    expect(eight.update(["z", "m"], () => 1, 0, false).colors.get("m")).toBe(2);
    expect(eight.update(["z", "m", "new"], () => 1, 0, false).colors.get("new")).toBe(1);
    const many = [...keys, "z", "m"];
    expect(
      eight.update(many, (key) => (key === "m" ? 500 : falling(key)), 1_000, false).colors.get("m"),
    ).toBe(2);
  });

  it("stay the same objects while nothing changes", () => {
    const eight = new Eight();
    const before = eight.update(keys, falling, 0, false);
    const after = eight.update(keys, falling, 60_000, false);
    expect(after.order).toBe(before.order);
    expect(after.colors).toBe(before.colors);
  });

  it("show a series that is new at the end, and one that has gone no more, before the order is due", () => {
    const eight = new Eight();
    eight.update(keys, falling, 0, false);
    const changed = [...keys.filter((key) => key !== "s0"), "s99"];
    const { order } = eight.update(changed, raised("s99"), 1_000, false);
    expect(order[0]).toBe("s1");
    expect(order.at(-1)).toBe("s99");
  });

  it("have no place for what has no value before those that have one", () => {
    const value = (key: string) => (key === "s9" ? 1 : Number.NaN);
    const { order } = new Eight().update(keys, value, 0, false);
    expect(order[0]).toBe("s9");
  });
});

describe("the labels at the lines' ends", () => {
  it("stand where their lines end when there is room", () => {
    expect(pushApart([10, 90, 50], 16, 0, 100)).toEqual([10, 90, 50]);
  });

  it("are pushed apart evenly around where they would like to be", () => {
    expect(pushApart([50, 50], 16, 0, 100)).toEqual([42, 58]);
    expect(pushApart([50, 52, 51], 16, 0, 100)).toEqual([35, 67, 51]);
  });

  it("keep within the plot", () => {
    expect(pushApart([0, 0, 0], 16, 0, 100)).toEqual([0, 16, 32]);
    expect(pushApart([100, 100], 16, 0, 100)).toEqual([84, 100]);
  });

  it("never overlap and keep the order of the lines, whatever these are", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    for (let round = 0; round < 300; round++) {
      const wanted = Array.from({ length: 1 + Math.floor(random() * 8) }, () => random() * 140 - 20);
      const places = pushApart(wanted, 12, 0, 100);
      const order = [...wanted.keys()].sort((a, b) => wanted[a] - wanted[b] || a - b);
      for (let i = 0; i < order.length; i++) {
        expect(places[order[i]]).toBeGreaterThanOrEqual(-1e-6);
        expect(places[order[i]]).toBeLessThanOrEqual(100 + 1e-6);
        if (i > 0) expect(places[order[i]] - places[order[i - 1]]).toBeGreaterThanOrEqual(12 - 1e-6);
      }
    }
  });
});

describe("an automatic axis", () => {
  const unit = { unit: "connections" };

  it("is close around values that hardly move, at round places, and says so by where it begins", () => {
    expect(automaticRange(null, 205, 218, unit)).toEqual({ min: 200, max: 220 });
  });

  it("begins at zero where values move much, do not move, or are a percentage", () => {
    expect(automaticRange(null, 20, 100, unit).min).toBe(0);
    expect(automaticRange(null, 20, 20, unit).min).toBe(0);
    expect(automaticRange(null, 91, 94, { unit: "%" })).toEqual({ min: 0, max: 100 });
    expect(automaticRange(null, -210, -205, unit).max).toBeGreaterThanOrEqual(0);
  });

  it("does not go to and fro between the two", () => {
    const close = automaticRange(null, 205, 218, unit);
    expect(automaticRange(close, 150, 218, unit).min).toBeGreaterThan(0);
    expect(automaticRange(automaticRange(close, 20, 218, unit), 160, 218, unit).min).toBe(0);
  });

  it("stays as it is for as long as the values are in it and fill it", () => {
    const close = automaticRange(null, 205, 218, unit);
    expect(automaticRange(close, 202, 211, unit)).toBe(close);
    expect(automaticRange(close, 202, 226, unit).max).toBeGreaterThanOrEqual(226);
  });

  it("shows a twentieth of the value at least, so that noise stays small", () => {
    const { min, max } = closeRange(null, 1_000, 1_000.1, unit);
    expect(max - min).toBeGreaterThanOrEqual(50);
  });

  it("may be logarithmic, between powers of ten", () => {
    expect(logRange(0.3, 4_000)).toEqual({ min: 0.1, max: 10_000 });
    expect(logRange(5, 5)).toEqual({ min: 1, max: 10 });
    expect(logRange(0, 80)).toEqual({ min: 0.01, max: 100 });
    expect(logPlaces({ min: 0.1, max: 10_000 }, 5)).toEqual([0.1, 1, 10, 100, 1_000, 10_000]);
    expect(logPlaces({ min: 1, max: 1e9 }, 4)).toEqual([1, 1e3, 1e6, 1e9]);
  });
});
