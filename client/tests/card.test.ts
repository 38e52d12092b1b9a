/** The texts of a card: numbers beside each other, titles in a section, and what tells series apart. */
import { describe, expect, it } from "vitest";
import { type CardTexts, cardTexts, onlyDiffering, seen, titleIn } from "../src/components/cardText";

const stats = (last: number, min: number, max: number) => ({
  last,
  min,
  max,
  avg: (min + max) / 2,
  count: 60,
});

const line = ({ avg, min, max }: CardTexts) => `avg ${seen(avg)} min ${seen(min)} max ${seen(max)}`;

describe("the numbers of a card", () => {
  it("have one unit, which is seen once", () => {
    const texts = cardTexts(stats(20e6, 10e6, 30e6), "B/s");
    expect(texts.now).toMatchObject({ number: "19.1", unit: "MiB/s" });
    expect(texts.min).toEqual({ number: "9.5", unit: "MiB/s", ownUnit: false });
    expect(line(texts)).toBe("avg 19.1 min 9.5 max 28.6");
  });

  it("have their own units where these differ, and those are seen", () => {
    expect(line(cardTexts(stats(2 ** 34, 900, 2 ** 34), "B"))).toBe("avg 8.0 GiB min 900.0 B max 16.0 GiB");
  });

  it("have no decimals if all values are whole, except for the average", () => {
    const { now, avg, min, max } = cardTexts({ ...stats(100, 7, 100), avg: 54 }, "req/s", true);
    expect([now, avg, min, max].map(({ number }) => number)).toEqual(["100", "54.0", "7", "100"]);
    expect(cardTexts(stats(100, 7, 100), "req/s").now.number).toBe("100.0");
    expect(line(cardTexts(stats(2 ** 34, 900, 2 ** 34), "B", true))).toBe(
      "avg 8.0 GiB min 900 B max 16.0 GiB",
    );
  });

  it("do not say the metric's own unit twice", () => {
    const { avg, min } = cardTexts(stats(50, 10, 90), "%");
    expect([avg.unit, min.unit]).toEqual(["%", ""]);
  });
});

describe("the title of a card", () => {
  it("does not repeat the section's", () => {
    expect(titleIn("checkout", "Checkout API latency")).toBe("API latency");
    expect(titleIn("checkout", "checkout latency")).toBe("latency");
    expect(["Checkouts open", "checkout", "Memory"].map((title) => titleIn("checkout", title))).toEqual([
      "Checkouts open",
      "checkout",
      "Memory",
    ]);
    expect(titleIn("", "Memory")).toBe("Memory");
  });
});

describe("the labels of a card", () => {
  it("are those in which the series differ, and all of a series that is alone", () => {
    const all = [
      { host: "a", mode: "user" },
      { host: "a", mode: "idle" },
    ];
    expect(onlyDiffering(all)).toEqual([{ mode: "user" }, { mode: "idle" }]);
    expect(onlyDiffering([all[0]])).toEqual([all[0]]);
    expect(onlyDiffering([{ host: "a" }, {}])).toEqual([{ host: "a" }, {}]);
  });
});
