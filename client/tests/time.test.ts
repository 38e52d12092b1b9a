import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createTimeStore, type TimeStore } from "../src/stores/time";
import { parseSpan, readAddress, writeAddress, writeSpan } from "../src/time/range";
import { TestClock } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");

describe("the address", () => {
  it.each(["90s", "1m", "15m", "24h", "7d", "30d"])("keeps the span %s", (text) => {
    expect(writeSpan(parseSpan(text))).toBe(text);
  });

  it.each(["", "5", "-5m", "0m", "1.5h", "5 m", "99999d", "1e3s"])("knows no span %j", (text) => {
    expect(parseSpan(text)).toBeNaN();
  });

  it("keeps a range in UTC, and what else is in it", () => {
    const shown = { follows: false, from: NOON - 60_000, to: NOON + 250 } as const;
    const search = writeAddress("?kiosk&range=1h", shown);
    expect(search).toBe("?kiosk&from=2026-01-31T11:59:00Z&to=2026-01-31T12:00:00.250Z");
    expect(readAddress(search)).toEqual(shown);
  });

  it("says nothing of the board's own window", () => {
    expect(writeAddress("?from=x&to=y", { follows: true, spanMs: null })).toBe("");
    expect(readAddress("")).toEqual({ follows: true, spanMs: null });
  });

  it.each([
    "?from=2026-01-31T12:00:00Z",
    "?from=b&to=c",
    "?from=2026-01-31T12:00:00Z&to=2026-01-31T11:00:00Z",
    "?range=soon",
  ])("follows now for %s", (search) => expect(readAddress(search)).toEqual({ follows: true, spanMs: null }));
});

describe("the time on the page", () => {
  let clock: TestClock;
  let newest: number;
  let search: string;
  let time: TimeStore;

  const begin = (address = "") => {
    search = address;
    time = createRoot(() =>
      createTimeStore({
        clock,
        address: {
          search: () => search,
          replace: (next) => {
            search = next;
          },
        },
        now: {
          drawn: () => newest,
          newest: () => newest,
          oldest: () => newest - 59_003.5,
          intervalMs: () => 1000,
          windowMs: () => 59_000,
        },
      }),
    );
  };

  beforeEach(() => {
    clock = new TestClock();
    newest = NOON;
    begin();
  });

  it("follows the board's own window at first", () => {
    expect(time.isOwn()).toBe(true);
    expect(time.range()).toEqual({ from: NOON - 59_000, to: NOON });
  });

  it("follows another span, which the address keeps", () => {
    time.follow(3_600_000);
    expect(search).toBe("?range=1h");
    begin(search);
    expect(time.isOwn()).toBe(false);
    expect(time.range()).toEqual({ from: NOON - 3_600_000, to: NOON });
  });

  it("stands still at what is on the page, and goes on live with the same span", () => {
    time.follow(300_000);
    time.pause();
    newest += 60_000;
    expect(time.range()).toEqual({ from: NOON - 300_000, to: NOON + 1 });
    time.live();
    expect(time.range()).toEqual({ from: NOON - 240_000, to: NOON + 60_000 });
  });

  it("stands still at every tick of the board's own window, which are not exactly an interval apart", () => {
    time.pause();
    expect(time.range()).toEqual({ from: NOON - 59_004, to: NOON + 1 });
  });

  it("moves a range that reaches into the future back, and makes a short one longer", () => {
    time.stand({ from: NOON, to: NOON + 600_000 });
    expect(time.range()).toEqual({ from: NOON + 1 - 600_000, to: NOON + 1 });
    time.stand({ from: NOON - 60_000, to: NOON - 59_999 });
    expect(time.range()).toEqual({ from: NOON - 61_999, to: NOON - 59_999 });
  });

  it("steps by half a range, and beyond now follows it again", () => {
    time.stand({ from: NOON - 120_000, to: NOON - 60_000 });
    time.step(-1);
    expect(time.range()).toEqual({ from: NOON - 150_000, to: NOON - 90_000 });
    for (let i = 0; i < 3; i++) time.step(1);
    expect(time.range().to).toBe(NOON);
    time.step(1);
    expect(time.follows()).toBe(true);
  });

  it("goes back through the ranges before, and then no further", () => {
    time.follow(3_600_000);
    time.stand({ from: NOON - 600_000, to: NOON - 300_000 });
    time.stand({ from: NOON - 500_000, to: NOON - 400_000 });
    expect(time.back()).toBe(true);
    expect(time.range()).toEqual({ from: NOON - 600_000, to: NOON - 300_000 });
    time.back();
    expect(search).toBe("?range=1h");
    time.back();
    expect(time.isOwn()).toBe(true);
    expect(time.back()).toBe(false);
  });

  it("replays at a multiple of its own speed, and goes live when it has caught up", () => {
    time.stand({ from: NOON - 180_000, to: NOON - 120_000 });
    time.play(60);
    clock.pass(1000);
    expect(time.range().to).toBeGreaterThan(NOON - 66_000);
    expect(time.range().to).toBeLessThanOrEqual(NOON - 60_000);
    expect(time.spanMs()).toBe(60_000);
    clock.pass(1200);
    expect(time.isOwn()).toBe(true);
    expect(time.speed()).toBe(0);
  });

  it("stops a replay, and keeps in the address where", () => {
    time.stand({ from: NOON - 180_000, to: NOON - 120_000 });
    time.play(10);
    clock.pass(1000);
    time.play(0);
    const here = time.range();
    clock.pass(1000);
    expect(time.range()).toEqual(here);
    begin(search);
    expect(time.range()).toEqual(here);
  });
});
