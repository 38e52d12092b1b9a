/** The strip's geometry: lines of days, the outline and its gaps, the lane, and what dragging makes of a range. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "../src/past/answer";
import { around, latest } from "../src/time/around";
import {
  centred,
  dayLines,
  mergeSpans,
  movedBy,
  outlineOf,
  resized,
  roundSpan,
  type Span,
  zoomed,
} from "../src/time/strip";
import { setUtc } from "../src/time/zone";

const at = (text: string) => Date.parse(text);
const HOUR = 3_600_000;

beforeEach(() => {
  vi.stubEnv("TZ", "Europe/Berlin");
});
afterEach(() => {
  setUtc(false);
  vi.unstubAllEnvs();
});

describe("the lines", () => {
  const lines = (from: string, to: string, most: number) => dayLines({ from: at(from), to: at(to) }, most);

  it("are at midnight of each day, also where clocks change", () => {
    const days = lines("2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z", 5);
    expect(days.map(({ text }) => text)).toEqual(["Sat 24", "Sun 25", "Mon 26", "Tue 27"]);
    expect(days.map(({ time }) => new Date(time).toISOString().slice(5, 16))).toEqual([
      "10-23T22:00",
      "10-24T22:00",
      "10-25T23:00",
      "10-26T23:00",
    ]);
  });

  it("are at midnight UTC if the page is in UTC", () => {
    setUtc(true);
    const days = lines("2026-10-23T12:00:00Z", "2026-10-27T12:00:00Z", 5);
    expect(days.map(({ time }) => time % (24 * HOUR))).toEqual([0, 0, 0, 0]);
  });

  it("are of hours where there is little time", () => {
    expect(lines("2026-10-24T15:00:00Z", "2026-10-25T12:00:00Z", 8).map(({ text }) => text)).toEqual([
      "18:00",
      "21:00",
      "Sun 25",
      "03:00",
      "06:00",
      "09:00",
      "12:00",
    ]);
  });

  it("are of weeks from Monday, months and years where there is more", () => {
    expect(lines("2026-10-01T00:00:00Z", "2026-11-15T00:00:00Z", 8).map(({ text }) => text)).toEqual([
      ...["5 Oct", "12 Oct", "19 Oct", "26 Oct", "2 Nov", "9 Nov"],
    ]);
    expect(lines("2025-11-15T00:00:00Z", "2026-03-15T00:00:00Z", 5).map(({ text }) => text)).toEqual([
      ...["Dec", "2026", "Feb", "Mar"],
    ]);
    expect(lines("2020-11-15T00:00:00Z", "2026-03-15T00:00:00Z", 8).map(({ text }) => text)).toEqual([
      ...["2021", "2022", "2023", "2024", "2025", "2026"],
    ]);
  });

  it("are never more than there is room for", () => {
    for (let hours = 1; hours < 5e5; hours *= 1.3) {
      const to = at("2026-10-25T12:00:00Z");
      expect(dayLines({ from: to - hours * HOUR, to }, 7).length, `${hours} h`).toBeLessThanOrEqual(8);
    }
  });
});

function answer(unit: string, times: number[], ...columns: [avg: number[], max: number[]][]): Answer {
  const series = columns.map(([avg, max], i) => ({
    series: { key: `cpu${i}`, name: "cpu", unit, labels: {} },
    ...{ first: 0, avg: Float64Array.from(avg), max: Float64Array.from(max), min: Float64Array.from(avg) },
    count: null,
  }));
  return { from: 0, to: 100, resolutionMs: 10, times: Float64Array.from(times), series };
}

describe("the outline", () => {
  const stretch = { from: 0, to: 100 };

  it("has the highest series, with its averages and its peaks", () => {
    const { averages, peaks, gaps } = outlineOf(
      answer(
        "ms",
        [0, 10],
        [
          [1, 4],
          [2, 4],
        ],
        [
          [2, 1],
          [3, 10],
        ],
      ),
      stretch,
    );
    expect(averages).toBe("M0.0 100L0.0 80.0L100.0 60.0H200.0V100Z");
    expect(peaks).toBe("M0.0 100L0.0 70.0L100.0 0.0H200.0V100Z");
    expect(gaps).toEqual([]);
  });

  it("ends where nothing was recorded, and begins again after it", () => {
    const { averages, gaps } = outlineOf(
      answer(
        "ms",
        [0, 10, 50],
        [
          [1, 1, 1],
          [1, 1, 1],
        ],
      ),
      stretch,
    );
    expect(gaps).toEqual([{ from: 20, to: 50 }]);
    expect(averages.match(/M/g)).toHaveLength(2);
    expect(averages).toContain("H200.0V100ZM500.0 100");
  });

  it("has a gap where the metric had no value", () => {
    const { gaps } = outlineOf(
      answer(
        "ms",
        [0, 10, 20, 30],
        [
          [1, Number.NaN, Number.NaN, 1],
          [1, 1, 1, 1],
        ],
      ),
      stretch,
    );
    expect(gaps).toEqual([{ from: 10, to: 30 }]);
  });

  it("of a low percentage stays low", () => {
    expect(outlineOf(answer("%", [0], [[5], [5]]), stretch).peaks).toContain("L0.0 90.0");
  });

  it("of nothing is empty", () => {
    expect(outlineOf(answer("%", [], [[], []]), stretch)).toEqual({ averages: "", peaks: "", gaps: [] });
  });
});

describe("the lane", () => {
  it("merges what is too near to be told apart, of one severity, critical last", () => {
    const spans: Span[] = [
      { severity: "critical", from: 5, to: 6 },
      { severity: "warning", from: 20, to: 30 },
      { severity: "warning", from: 0, to: 10 },
      { severity: "warning", from: 12, to: 13 },
    ];
    expect(mergeSpans(spans, 5)).toEqual([
      { severity: "warning", from: 0, to: 13 },
      { severity: "warning", from: 20, to: 30 },
      { severity: "critical", from: 5, to: 6 },
    ]);
  });
});

describe("a range", () => {
  const stretch = { from: 0, to: 1000 };
  const range = { from: 400, to: 500 };

  it("is moved within what is kept", () => {
    expect(movedBy(range, 50, stretch)).toEqual({ from: 450, to: 550 });
    expect(movedBy(range, -9000, stretch)).toEqual({ from: 0, to: 100 });
    expect(movedBy(range, 9000, stretch)).toEqual({ from: 900, to: 1000 });
    expect(centred(range, 700, stretch)).toEqual({ from: 650, to: 750 });
  });

  it("is zoomed about the pointer, which stays on its time", () => {
    expect(zoomed(range, 425, 0.5, stretch)).toEqual({ from: 412.5, to: 462.5 });
    expect(zoomed(range, 425, 2, stretch)).toEqual({ from: 375, to: 575 });
    expect(zoomed(range, 400, 100, stretch)).toEqual({ from: 400, to: 1000 });
  });

  it("that is elsewhere comes to the pointer", () => {
    expect(zoomed(range, 800, 0.5, stretch)).toEqual({ from: 775, to: 825 });
  });

  it("has ends that can be moved, also past each other", () => {
    expect(resized(range, "from", 450, stretch)).toEqual({ from: 450, to: 500 });
    expect(resized(range, "from", 600, stretch)).toEqual({ from: 500, to: 600 });
    expect(resized(range, "to", 9000, stretch)).toEqual({ from: 400, to: 1000 });
  });
});

describe("a dragged span", () => {
  const MINUTE = 60_000;
  it.each([
    [58 * MINUTE + 30_000, 60 * MINUTE],
    [61_500, 60_000],
    [95_400, 95_000],
    [40 * MINUTE + 20_000, 40 * MINUTE],
    [100, 1000],
  ])("of %i ms follows now with %i", (dragged, span) => {
    expect(roundSpan(dragged)).toBe(span);
  });
});

describe("around something", () => {
  const noon = at("2026-01-31T12:00:00Z");

  it("is what was before and after it", () => {
    expect(around({ from: noon, to: noon }, noon + HOUR)).toEqual({
      from: noon - HOUR / 4,
      to: noon + HOUR / 4,
    });
    expect(around({ from: noon - 8 * HOUR, to: Number.POSITIVE_INFINITY }, noon)).toEqual({
      from: noon - 10 * HOUR,
      to: noon + 2 * HOUR,
    });
  });

  it("are the last to begin, each text once", () => {
    const all = [1, 2, 3, 4].map((from) => ({
      text: from === 4 ? "disk" : `text ${from % 2}`,
      from,
      to: from,
    }));
    expect(latest(all, 2).map(({ from }) => from)).toEqual([4, 3]);
    expect(latest(all, 9).map(({ from }) => from)).toEqual([4, 3, 2]);
  });
});
