/** Times in the zone of the page: the viewer's, with its time changes, and UTC. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { timePlaces } from "../src/chart/axis";
import {
  formatDateTime,
  formatMinute,
  formatPart,
  formatRange,
  formatTime,
  formatUntil,
  formatWhen,
  formatZone,
} from "../src/format";
import { formatField, parseField } from "../src/time/field";
import { midnight, setUtc, timeAt, wallClock } from "../src/time/zone";

const at = (text: string) => Date.parse(text);

beforeEach(() => {
  vi.stubEnv("TZ", "Europe/Berlin");
});
afterEach(() => {
  setUtc(false);
  vi.unstubAllEnvs();
});

describe("the zone", () => {
  it("is said as it is at that time", () => {
    expect(formatZone(at("2026-01-31T12:00:00Z"))).toBe("UTC+1");
    expect(formatZone(at("2026-07-31T12:00:00Z"))).toBe("UTC+2");
    setUtc(true);
    expect(formatZone(at("2026-07-31T12:00:00Z"))).toBe("UTC");
    expect(formatZone(at("2026-07-31T12:00:00Z"), false)).toBe("UTC+2");
  });

  it("of half an hour, west of Greenwich", () => {
    vi.stubEnv("TZ", "America/St_Johns");
    expect(formatZone(at("2026-01-31T12:00:00Z"))).toBe("UTC−3:30");
  });

  it("is that of all times on the page", () => {
    const time = at("2026-01-31T23:30:00Z");
    const texts = () => [
      formatTime(time),
      formatWhen(time, at("2026-02-01T10:00:00Z")),
      formatDateTime(time),
    ];
    expect(texts()).toEqual(["00:30:00", "00:30:00", "Sun 1 Feb 2026, 00:30:00"]);
    setUtc(true);
    expect(texts()).toEqual(["23:30:00", "Jan 31, 23:30:00", "Sat 31 Jan 2026, 23:30:00"]);
    expect(formatUntil(time, at("2026-02-01T10:00:00Z"))).toBe("Jan 31, 23:30");
    expect(formatTime(Number.NaN)).toBe("–");
  });

  it.each([
    ["2026-03-28T23:00:00Z", 23],
    ["2026-03-29T22:00:00Z", 24],
    ["2026-10-24T22:00:00Z", 25],
  ])("has a day that begins at %s and lasts %i hours", (begin, hours) => {
    expect(midnight(at(begin) + 5 * 3_600_000)).toBe(at(begin));
    expect((midnight(at(begin), 1) - at(begin)) / 3_600_000).toBe(hours);
  });

  it("finds the time of a wall clock, the first of two, and a later one for what clocks skip", () => {
    expect(timeAt(at("2026-10-25T02:30:00Z"))).toBe(at("2026-10-25T00:30:00Z"));
    expect(formatMinute(timeAt(at("2026-03-29T02:30:00Z")))).toBe("03:30");
    for (let time = at("2026-03-28T00:00:00Z"); time < at("2026-03-31T00:00:00Z"); time += 1_800_000) {
      expect(timeAt(wallClock(time)), new Date(time).toISOString()).toBe(time);
    }
  });
});

describe("a range in words", () => {
  const words = (from: string, to: string, dated?: boolean) =>
    formatRange({ from: at(from), to: at(to) }, dated);

  it("has its date once, or not at all where the day is known", () => {
    expect(words("2026-11-29T01:12:00Z", "2026-11-29T02:12:00Z")).toBe("Sun 29 Nov 02:12 – 03:12");
    expect(words("2026-11-29T01:12:00Z", "2026-11-29T02:12:00Z", false)).toBe("02:12 – 03:12");
  });

  it("has two dates if it spans days, and none for a midnight at its end", () => {
    expect(words("2026-11-28T21:00:00Z", "2026-11-29T05:00:00Z", false)).toBe(
      "Sat 28 Nov 22:00 – Sun 29 Nov 06:00",
    );
    expect(words("2026-11-28T21:00:00Z", "2026-11-28T23:00:00Z")).toBe("Sat 28 Nov 22:00 – 00:00");
  });

  it("has its date on a page of several days", () => {
    const range = { from: at("2026-11-29T01:12:00Z"), to: at("2026-11-29T02:12:00Z") };
    const [sunday, week] = ["2026-11-28T23:00:00Z", "2026-11-23T23:00:00Z"].map(at);
    expect(formatPart(range, { from: sunday, to: range.to })).toBe("02:12 – 03:12");
    expect(formatPart(range, { from: week, to: range.to })).toBe("Sun 29 Nov 02:12 – 03:12");
  });

  it("has seconds if it is short", () => {
    expect(words("2026-11-29T01:12:05Z", "2026-11-29T01:13:05Z", false)).toBe("02:12:05 – 02:13:05");
  });
});

describe("the labels of a time axis", () => {
  const texts = (from: string, to: string, room: number) =>
    timePlaces(at(from), at(to), room).map((time) => formatMinute(time));

  it("are round by the clock on both sides of a time change", () => {
    expect(texts("2026-03-28T12:00:00Z", "2026-03-29T22:00:00Z", 6)).toEqual([
      "18:00",
      "00:00",
      "06:00",
      "12:00",
      "18:00",
      "00:00",
    ]);
  });

  it("of days begin at midnight, also after a time change", () => {
    expect(new Set(texts("2026-10-22T12:00:00Z", "2026-10-28T12:00:00Z", 6))).toEqual(new Set(["00:00"]));
  });
});

describe("a field of a time", () => {
  const now = at("2026-11-29T13:32:08Z");

  it("has the time to the second, and reads it back", () => {
    expect(formatField(now)).toBe("2026-11-29 14:32:08");
    expect(parseField("2026-11-29 14:32:08", now)).toBe(now);
    setUtc(true);
    expect(formatField(now)).toBe("2026-11-29 13:32:08");
  });

  it.each([
    ["2026-11-29 2:12", "2026-11-29T01:12:00Z"],
    [" 2026-11-29T02:12:05 ", "2026-11-29T01:12:05Z"],
    ["2026-7-1", "2026-06-30T22:00:00Z"],
    ["02:12", "2026-11-29T01:12:00Z"],
    ["2026-11-29 02:12Z", "2026-11-29T02:12:00Z"],
    ["2026-11-29 02:12:00-05:00", "2026-11-29T07:12:00Z"],
    // The second 02:30 of the day on which clocks are set back.
    ["2026-10-25 02:30+01:00", "2026-10-25T01:30:00Z"],
  ])("reads %j", (text, time) => {
    expect(parseField(text, now)).toBe(at(time));
  });

  it.each([
    "",
    "now",
    "29.11.2026",
    "2026-11-29 25:00",
    "2026-11-29 02:60",
    "2026-02-30",
    "2026-13-01",
    "2:5",
    "soonZ",
  ])("reads no time in %j", (text) => expect(parseField(text, now)).toBeNaN());
});
