/** Numbers as a person reads them, axes that hold still, and messages that may be anything. */

import { describe, expect, it } from "vitest";
import { axisPlaces, nextRange, roundUp, timePlaces } from "../src/chart/axis";
import { extentOf } from "../src/extent";
import {
  axisStep,
  formatAverage,
  formatBeside,
  formatDuration,
  formatLabels,
  formatLine,
  formatText,
  formatTicks,
  formatUntil,
  formatValue,
} from "../src/format";
import { parseAlert, parseServerMessage, seriesKey } from "../src/link/protocol";
import { alert } from "./world";

describe("values", () => {
  it.each([
    [41.52, "%", "41.5 %"],
    [0, "%", "0.0 %"],
    [100, "%", "100.0 %"],
    [Number.NaN, "ms", "–"],
    [23.45, "°C", "23.5 °C"],
    [-3, "°C", "-3.0 °C"],
    [0.0042, "", "0.0042"],
    [1.5, "", "1.5"],
    [3, "", "3"],
    [12_345, "", "12,345"],
    [1_234_567, "", "1.2 M"],
  ])("%f %s reads %s", (value, unit, text) => {
    expect(formatText(value, unit)).toBe(text);
  });

  it.each([
    [3, "", "3.0"],
    [0, "processes", "0.0"],
    [2.25, "jobs", "2.3"],
    [1_234, "", "1,234"],
    [41.52, "%", "41.5"],
    [Number.NaN, "", "–"],
  ])("an average of %f %s reads %s", (value, unit, text) => {
    expect(formatAverage(value, unit).number).toBe(text);
  });

  it.each([
    [0, "B", "0.0 B"],
    [900, "B", "900.0 B"],
    [1536, "B", "1.5 KiB"],
    [5 * 1024 ** 3, "B/s", "5.0 GiB/s"],
    [1536, "bytes", "1.5 KiB"],
    [2048, "MiB", "2.0 GiB"],
    [0.5, "MiB", "512.0 KiB"],
    [1500, "MB", "1.5 GB"],
    [1500, "kB/s", "1.5 MB/s"],
    [25_000_000, "bit/s", "25.0 Mbit/s"],
    [2_400, "MHz", "2.4 GHz"],
    [800, "MHz", "800.0 MHz"],
    [50, "Hz", "50.0 Hz"],
    [3_200_000_000, "Hz", "3.2 GHz"],
  ])("of bytes, bits and Hertz: %f %s reads %s", (value, unit, text) => {
    expect(formatText(value, unit)).toBe(text);
  });

  it.each([
    [0, "s", "0.0 s"],
    [42e-9, "s", "42.0 ns"],
    [250e-6, "s", "250.0 µs"],
    [0.25, "s", "250.0 ms"],
    [1, "s", "1.0 s"],
    [90, "s", "90.0 s"],
    [300, "s", "5.0 min"],
    [3 * 3_600, "s", "3.0 h"],
    [3 * 86_400 + 4 * 3_600 + 1_800, "s", "3 d 4 h"],
    [-3 * 86_400, "s", "-3 d 0 h"],
    [1_500 * 86_400, "s", "1,500 d 0 h"],
    [0.25, "ms", "250.0 µs"],
    [12.5, "ms", "12.5 ms"],
    [1_250, "ms", "1,250 ms"],
    [12_500, "ms", "12.5 s"],
    [600_000, "ms", "10.0 min"],
    [0, "ms", "0.0 ms"],
    [12.5, "µs", "12.5 µs"],
    [125_000, "us", "125.0 ms"],
    [800, "ns", "800.0 ns"],
    [2_500_000, "ns", "2.5 ms"],
    [12, "h", "12.0 h"],
    [5, "min", "5.0 min"],
    [1.5, "d", "36.0 h"],
    [12.5, "d", "12.5 d"],
  ])("of time: %f %s reads %s", (value, unit, text) => {
    expect(formatText(value, unit)).toBe(text);
  });

  it.each([
    [412, "processes", "412 processes"],
    [411.75, "processes", "411.8 processes"],
    [99_999, "requests", "99,999 requests"],
    [2_500_000, "connections", "2.5 M connections"],
    [12, "/s", "12.0 /s"],
    [1_234_567, "/s", "1.2 M/s"],
    [37.25, "req/s", "37.3 req/s"],
    [1_234_567, "req/s", "1.2 M req/s"],
  ])("of things and rates: %f %s reads %s", (value, unit, text) => {
    expect(formatText(value, unit)).toBe(text);
  });

  it("has axes in one unit", () => {
    expect(formatTicks([0, 50, 100], "%")).toEqual(["0", "50%", "100%"]);
    expect(formatTicks([0, 0.5, 1], "")).toEqual(["0", "0.5", "1.0"]);
    expect(formatTicks([0, 2000, 4000], "")).toEqual(["0", "2,000", "4,000"]);
  });

  it("have labels that say where the line is", () => {
    expect(formatTicks([-5, -2.5, 0, 2.5, 5], "ms")).toEqual(["-5.0", "-2.5", "0", "2.5", "5.0"]);
    expect(formatTicks([0, 0.25, 0.5], "")).toEqual(["0", "0.25", "0.50"]);
    expect(formatTicks([0.1, 0.2, 0.1 + 0.2], "")).toEqual(["0.1", "0.2", "0.3"]);
    expect(formatTicks([0, 512, 1024, 1536], "B")).toEqual(["0", "0.5Ki", "1.0Ki", "1.5Ki"]);
  });

  it("have axes of time that step as a clock does, and others in their own unit", () => {
    expect([0.4, 8, 21, 250, 50_000].map((least) => axisStep(least, "s"))).toEqual([
      0.5, 10, 30, 300, 86_400,
    ]);
    expect([400, 600].map((least) => axisStep(least, "B/s"))).toEqual([512, 1024]);
    expect([400, 600, 2.2].map((least) => axisStep(least, "req/s"))).toEqual([500, 1000, 2.5]);
    expect(formatTicks([0, 300, 600], "s")).toEqual(["0", "5 min", "10 min"]);
    expect(formatTicks([0, 86_400, 2 * 86_400], "s")).toEqual(["0", "1 d", "2 d"]);
    expect(formatTicks([0, 1000, 2000], "ms")).toEqual(["0", "1,000", "2,000"]);
    expect(formatTicks([0, 1000, 2000], "MHz")).toEqual(["0", "1 GHz", "2 GHz"]);
  });

  it.each([
    // value, min, max, unit, and how they read
    [0.99994, 0.99991, 0.99998, "", "0.99994", "0.99991", "0.99998"],
    [41.523, 41.52, 41.53, "%", "41.52 %", "41.52 %", "41.53 %"],
    [50, 10, 90, "%", "50.0 %", "10.0 %", "90.0 %"],
    [0.04212, 0.04211, 0.04214, "", "0.04212", "0.04211", "0.04214"],
    [123_456, 123_456, 123_457, "", "123.456 k", "123.456 k", "123.457 k"],
    [20_000_001, 20_000_000, 20_000_001, "", "20,000,001", "20,000,000", "20,000,001"],
    [1_795_000_012, 1_795_000_000, 1_795_000_059, "", "1,795,000,012", "1,795,000,000", "1,795,000,059"],
    [
      2 ** 53,
      2 ** 53 - 1,
      2 ** 53,
      "",
      "9,007,199,254,740,992",
      "9,007,199,254,740,991",
      "9,007,199,254,740,992",
    ],
    [33.3e9, 1e9, 1e12, "events", "33.3 G events", "1.0 G events", "1.0 T events"],
    [
      16 * 1024 ** 3,
      16 * 1024 ** 3,
      16 * 1024 ** 3 + 61_440,
      "B",
      "16,384.00 MiB",
      "16,384.00 MiB",
      "16,384.06 MiB",
    ],
    [5 * 1024 ** 3, 900, 5 * 1024 ** 3, "B", "5.0 GiB", "900.0 B", "5.0 GiB"],
    [1.00001, 1.00001, 1.00002, "s", "1,000.01 ms", "1,000.01 ms", "1,000.02 ms"],
    [273_600, 273_540, 273_600, "s", "3 d 4 h 0 min", "3 d 3 h 59 min", "3 d 4 h 0 min"],
    [273_600.5, 273_600.25, 273_600.5, "s", "273,600.5 s", "273,600.3 s", "273,600.5 s"],
    [273_605, 273_601, 273_606, "s", "3 d 4 h 0 min 5 s", "3 d 4 h 0 min 1 s", "3 d 4 h 0 min 6 s"],
    [7_230, 7_200, 7_259, "s", "2.01 h", "2.00 h", "2.02 h"],
    [-0.00002, -0.00004, 0.00001, "", "-0.00002", "-0.00004", "0.00001"],
    // What arithmetic adds is no difference.
    [0.3, 0.3, 0.1 + 0.2, "", "0.3", "0.3", "0.3"],
    [5, 5, 5, "ms", "5.0 ms", "5.0 ms", "5.0 ms"],
    [1e-300, 1e-300, 1.5e-300, "", "1.0e-300", "1.0e-300", "1.5e-300"],
    [1e300, 1e300, 1.01e300, "ms", "1.00e300 ms", "1.00e300 ms", "1.01e300 ms"],
  ])("%f beside %f and %f %s has digits enough to tell those apart", (value, low, high, unit, ...texts) => {
    expect([value, low, high].map((one) => formatText(one, unit, [low, high]))).toEqual(texts);
  });

  it("differ in text wherever they differ, at every size and in every unit", () => {
    for (const unit of ["", "%", "B", "MiB", "ms", "s", "min", "req/s", "events", "Hz", "°C"]) {
      for (let power = -12; power <= 15; power++) {
        for (const share of [1e-9, 1e-6, 3e-4, 0.01, 0.5]) {
          const low = 1.2345 * 10 ** power;
          const high = low * (1 + share);
          const [one, other] = [low, high].map((value) => formatText(value, unit, [low, high]));
          expect(one, `${low} and ${high} ${unit}`).not.toBe(other);
        }
      }
    }
  });

  it.each([
    [-0, "", "0"],
    [-0, "%", "0.0 %"],
    [Number.POSITIVE_INFINITY, "ms", "∞ ms"],
    [Number.NEGATIVE_INFINITY, "", "-∞"],
    [1e300, "", "1.0e300"],
    [1e300, "%", "1.0e300 %"],
    [-1e300, "s", "-1.0e300 s"],
    [1e-300, "B", "1.0e-300 B"],
    [2 ** 53, "", "9.0 P"],
    [999.96e9, "events", "1.0 T events"],
    [1023.96, "B", "1.0 KiB"],
  ])("%f %s reads %s, however far out it is", (value, unit, text) => {
    expect(formatText(value, unit)).toBe(text);
  });

  it("have an extent of those that are numbers", () => {
    expect(extentOf([3, undefined, Number.NaN, 1])).toEqual([1, 3]);
    expect(formatText(5, "ms", extentOf([]))).toBe("5.0 ms");
  });

  it("say the unit beside another value only where it is another unit", () => {
    expect(formatBeside(41.5, "%", "%")).toBe("41.5");
    expect(formatBeside(900, "B", "KiB")).toBe("900.0 B");
    // 33.3 G events, and 999.9 of what?
    expect(formatBeside(999.9e9, "events", formatValue(33.3e9, "events").unit)).toBe("999.9 G events");
    expect(formatBeside(Number.NaN, "ms", "ms")).toBe("–");
    expect(formatBeside(7_200, "s", "")).toBe("2.0 h");
  });

  it.each([
    [12_000, "12 s"],
    [180_000, "3 min"],
    [7_500_000, "2 h 5 min"],
    [4 * 86_400_000, "4 d"],
  ])("%i ms is %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe("labels", () => {
  it("are told as they are, and in a chart as short as they are clear", () => {
    expect(formatLabels({ core: "3", host: "a" })).toBe("core=3, host=a");
    expect(formatLine({ core: "3", host: "a" })).toBe("core=3, host=a");
    expect(formatLine({ mode: "user" })).toBe("user");
    expect(formatLine({ span: "15m" })).toBe("15m");
    expect(formatLine({ core: "3" })).toBe("core=3");
    expect(formatLine({ address: "10.0.0.1:80" })).toBe("address=10.0.0.1:80");
    expect(formatLine({ mode: "" })).toBe("mode=");
    expect(formatLine({})).toBe("");
  });
});

describe("an axis", () => {
  it("of percent is from 0 to 100", () => {
    expect(nextRange(null, 20, 60, { unit: "%" })).toEqual({ min: 0, max: 100 });
  });

  it("grows at once, and shrinks only when half of it is empty", () => {
    const first = nextRange(null, 0, 90, { unit: "ms" });
    expect(first.max).toBeGreaterThanOrEqual(90);
    expect(nextRange(first, 0, 70, { unit: "ms" })).toEqual(first);
    expect(nextRange(first, 0, 500, { unit: "ms" }).max).toBeGreaterThanOrEqual(500);
    expect(nextRange(first, 0, 10, { unit: "ms" }).max).toBeLessThan(first.max);
  });

  it("keeps the ends that are declared, and is never empty", () => {
    expect(nextRange(null, 3, 4, { unit: "", min: -1, max: 8 })).toEqual({ min: -1, max: 8 });
    const empty = nextRange(null, Number.NaN, Number.NaN, { unit: "" });
    expect(empty.max).toBeGreaterThan(empty.min);
  });

  it("has places at round values, as many as there is room for, and labels that differ", () => {
    expect(axisPlaces(0, 100, 4.2, "%")).toEqual([0, 25, 50, 75, 100]);
    expect(axisPlaces(-5, 5, 4, "ms")).toEqual([-5, -2.5, 0, 2.5, 5]);
    expect(axisPlaces(0, 0.3, 3, "")).toEqual([0, 0.1, 0.2, 0.3]);
    for (const [low, high] of [
      [0.9999, 1],
      [0, 1e300],
      [0, 3e-300],
      [1_795_000_000, 1_795_000_060],
      [2 ** 53 - 8, 2 ** 53],
    ]) {
      const places = axisPlaces(low, high, 4, "");
      const labels = formatTicks(places, "");
      expect(places.length, `${low} to ${high}`).toBeLessThan(9);
      expect(new Set(labels).size, labels.join(" ")).toBe(labels.length);
    }
  });

  it("of time has places that are round by the clock", () => {
    const noon = new Date(2026, 0, 31, 12, 0, 7).getTime();
    const clock = (low: number, room: number) =>
      timePlaces(noon - low, noon, room).map((time) => new Date(time).toTimeString().slice(0, 8));
    expect(clock(59_000, 4)).toEqual(["11:59:15", "11:59:30", "11:59:45", "12:00:00"]);
    expect(clock(4 * 3_600_000, 4)).toEqual(["09:00:00", "10:00:00", "11:00:00", "12:00:00"]);
    expect(timePlaces(noon - 120, noon + 10, 2)).toEqual([noon - 100, noon]);
  });

  it("does not go beyond what a number can be", () => {
    expect(nextRange(null, 0, 1.7e308, { unit: "" }).max).toBeLessThan(Number.POSITIVE_INFINITY);
  });

  it("is round", () => {
    expect([7, 11, 130, 4100].map((value) => roundUp(value))).toEqual([8, 15, 150, 5000]);
    expect(roundUp(1500, true)).toBe(2048);
  });
});

describe("the wire", () => {
  it.each([
    "",
    "{",
    "null",
    "5",
    "[]",
    "{}",
    '{"type":5}',
    '{"type":"constructor"}',
    '{"type":"series"}',
    '{"type":"pong"}',
  ])("takes %s for nothing", (text) => {
    expect(parseServerMessage(text)).toBeNull();
    expect(parseAlert(text)).toBeNull();
  });

  it("tells an alert from a heartbeat", () => {
    expect(parseAlert(JSON.stringify(alert("a")))?.id).toBe("a");
    expect(parseAlert('{"type":"heartbeat","timestamp":"T"}')).toBeNull();
  });

  it("has one key for one set of labels", () => {
    expect(seriesKey("cpu")).toBe("cpu");
    expect(seriesKey("cpu", {})).toBe("cpu");
    expect(seriesKey("cpu", { a: "1" })).not.toBe(seriesKey("cpu", { a: "2" }));
  });
});

describe("a time to come", () => {
  const noon = new Date(2026, 0, 31, 12, 0, 30).getTime();

  it("is said to the minute, with the day where that is another", () => {
    expect(formatUntil(noon + 3_600_000, noon)).toBe("13:00");
    expect(formatUntil(noon + 86_400_000, noon)).toBe("Feb 1, 12:00");
  });
});
