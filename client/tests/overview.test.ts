/** What the strip shows: what is asked for, when it is asked again, and what stays when an answer fails. */
import { createRoot, createSignal } from "solid-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Tier } from "../src/stores/history";
import { createOverviewStore, type OverviewStore } from "../src/stores/overview";
import { historyAnswer, TestClock } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");
const DAY = 86_400_000;
const utf8 = (value: unknown) => new TextEncoder().encode(JSON.stringify(value)).buffer as ArrayBuffer;

describe("the overview", () => {
  let clock: TestClock;
  let asked: string[];
  let fails: string;
  let overview: OverviewStore;
  let dispose: () => void;
  const [tiers, setTiers] = createSignal<readonly Tier[]>([]);
  const [range, setRange] = createSignal({ from: NOON - 60_000, to: NOON });
  const [newest, setNewest] = createSignal(NOON);

  async function get(path: string): Promise<ArrayBuffer> {
    asked.push(path);
    if (fails !== "") throw new Error(fails);
    if (path.startsWith("api/history"))
      return historyAnswer("cpu", "%", [NOON - DAY, NOON - DAY / 2], [40, 80]);
    const [began, ended] = [NOON - DAY / 2, NOON - DAY / 4].map((time) => new Date(time).toISOString());
    const spans = [
      { severity: "warning", alerts: 3, from: began, to: ended },
      { severity: "critical", alerts: 1, from: ended },
    ];
    return utf8({ spans });
  }

  const settled = () => new Promise((done) => setTimeout(done));

  beforeEach(async () => {
    clock = new TestClock();
    [asked, fails] = [[], ""];
    setTiers([
      { what: "tick", oldest: NOON - DAY },
      { what: "minute", oldest: NOON - 30 * DAY },
    ]);
    setRange({ from: NOON - 60_000, to: NOON });
    setNewest(NOON);
    dispose = createRoot((end) => {
      overview = createOverviewStore({
        ...{ clock, get, tiers, range, newest, metric: () => "cpu", seriesOf: () => 1 },
      });
      return end;
    });
    await settled();
  });
  afterEach(() => dispose());

  const outlines = () => asked.filter((path) => path.startsWith("api/history"));

  it("has the outline of the metric, over all that is kept of ticks", () => {
    expect(outlines()).toHaveLength(1);
    const query = new URLSearchParams(outlines()[0].split("?")[1]);
    expect(query.get("from")).toBe("2026-01-30T12:00:00Z");
    expect(query.get("metrics")).toBe("cpu");
    expect(overview.outline()?.averages).toMatch(/^M0.0 100/);
  });

  it("reaches back to the tier of the range on the page", async () => {
    setRange({ from: NOON - 3 * DAY, to: NOON - 2 * DAY });
    await settled();
    expect(overview.stretch().from).toBe(NOON - 30 * DAY);
    expect(outlines()[1]).toContain("from=2026-01-01");
  });

  it("shows the next tier on request, and then the first again", () => {
    overview.nextTier();
    expect(overview.tier()?.what).toBe("minute");
    overview.nextTier();
    expect(overview.tier()?.what).toBe("tick");
  });

  it("is not drawn anew with each tick", () => {
    const before = overview.stretch();
    setNewest(NOON + 1000);
    const next = overview.stretch();
    setNewest(NOON + 2000);
    expect(overview.stretch()).toBe(next);
    expect(next.to).toBeGreaterThanOrEqual(NOON + 2000);
    expect(next.to - before.to).toBeLessThan(DAY / 500);
  });

  it("is asked for again from time to time, and keeps what it had if that fails", async () => {
    fails = "history is busy";
    clock.pass(DAY / 600);
    await settled();
    expect(outlines()).toHaveLength(2);
    expect(overview.failed()).toBe("history is busy");
    expect(overview.outline()).not.toBeNull();
    fails = "";
    clock.pass(DAY / 600);
    await settled();
    expect(overview.failed()).toBe("");
  });

  it("asks for nothing while nothing is kept", async () => {
    asked = [];
    setTiers([]);
    await settled();
    expect(overview.isKnown()).toBe(false);
    clock.pass(DAY);
    expect(asked).toEqual([]);
  });

  it("has the alerts as spans, of which the last may not have ended", () => {
    expect(asked[1]).toBe("api/alerts/spans?from=2026-01-30T12%3A00%3A00Z&points=700");
    expect(overview.alerts()).toEqual([
      { severity: "warning", alerts: 3, from: NOON - DAY / 2, to: NOON - DAY / 4 },
      { severity: "critical", alerts: 1, from: NOON - DAY / 4, to: Number.POSITIVE_INFINITY },
    ]);
  });
});
