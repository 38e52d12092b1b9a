/** What changed: the server's answer or why there is none, the lines of the rows in sight, and the words. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { changePaths } from "../src/comparing/line";
import {
  averagesOf,
  countOf,
  factorOf,
  noneLeft,
  wayOf,
  whatIsMissing,
  whyNothing,
} from "../src/comparing/words";
import { createChangeLinesStore, type Values } from "../src/stores/changelines";
import { createChangesStore } from "../src/stores/changes";
import { type Comparison, withBefore } from "../src/time/comparison";
import type { ChangesAnswer, HistoryTier, SeriesChange } from "../src/types.gen";
import { historyBytes, TestClock } from "./world";

const MINUTE = 60_000;
const DAY = 86_400_000;
const NOON = Date.parse("2026-11-29T12:00:00Z");
const BOTH = withBefore({ from: NOON, to: NOON + 10 * MINUTE });
const APART: Comparison = { after: BOTH.after, before: { from: NOON - 60 * MINUTE, to: NOON - 50 * MINUTE } };

const change = (more: Partial<SeriesChange> = {}): SeriesChange => ({
  ...{ name: "cpu", labels: {}, unit: "%", score: 0.9 },
  ...{ before: 10, after: 20, factor: 2, ...more },
});

const answer = (more: Partial<ChangesAnswer> = {}): ChangesAnswer => ({
  ...{ from: "", to: "", baseline_from: "", baseline_to: "", tier: "raw" },
  ...{ compared: 106, changed: 1, changes: [change()], ...more },
});

/** A server that answers when the test says so. */
class Server {
  asked: { url: URL; signal: AbortSignal; answer: (said: Response | Error) => void }[] = [];

  get = (path: string, signal: AbortSignal): Promise<Response> =>
    new Promise((resolve, reject) => {
      const url = new URL(path, "http://board/");
      signal.addEventListener("abort", () => reject(signal.reason));
      this.asked.push({
        url,
        signal,
        answer: (said) => (said instanceof Error ? reject(said) : resolve(said)),
      });
    });

  /** Answer the last question, and wait until that has had its effect. */
  async answer(said: Response | Error): Promise<void> {
    this.asked.at(-1)?.answer(said);
    await settled();
  }
}

const settled = () => new Promise((resolve) => setTimeout(resolve));
const json = (said: unknown, status = 200, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(said), { status, headers });

describe("what changed", () => {
  let clock: TestClock;
  let server: Server;
  let store: ReturnType<typeof createChangesStore>;

  beforeEach(() => {
    clock = new TestClock();
    server = new Server();
    store = createRoot(() => createChangesStore({ clock, get: server.get }));
    store.ask(APART);
  });

  it("is asked of the server, with both ranges", async () => {
    expect(store.found()).toEqual({ state: "loading", note: "" });
    const [{ url }] = server.asked;
    expect([url.pathname, Object.fromEntries(url.searchParams)]).toEqual([
      "/api/changes",
      {
        ...{ from: "2026-11-29T12:00:00Z", to: "2026-11-29T12:10:00Z", limit: "500" },
        ...{ baseline_from: "2026-11-29T11:00:00Z", baseline_to: "2026-11-29T11:10:00Z" },
      },
    ]);
    await server.answer(json(answer()));
    expect(store.found()).toEqual({ state: "found", answer: answer() });
  });

  it("is of the last question only", async () => {
    store.ask(BOTH);
    const [first, second] = server.asked;
    expect(first.signal.aborted).toBe(true);
    second.answer(json(answer({ compared: 2 })));
    await settled();
    expect(store.found()).toMatchObject({ answer: { compared: 2 } });
  });

  it.each([
    [json({ error: "this board keeps no history" }, 404), "This board keeps no history."],
    [json({ error: "" }, 500), "The server answered 500."],
    [new Response("<html>", { status: 502 }), "The server answered 502."],
    [new TypeError("Failed to fetch"), "The server can't be reached."],
    [new DOMException("", "TimeoutError"), "The server did not answer in time."],
    [new Response("<html>"), "The server's answer can't be read."],
    [json({ compared: 1, changed: 1 }), "The server's answer can't be read."],
    [json(null), "The server's answer can't be read."],
  ])("says why there is no answer, and can be asked again: %#", async (said, message) => {
    await server.answer(said);
    expect(store.found()).toEqual({ state: "failed", message });
    clock.pass(60_000);
    expect(server.asked).toHaveLength(1);
    store.retry();
    await server.answer(json(answer()));
    expect(store.found().state).toBe("found");
  });

  it("is asked for again when a busy server says so, but not for ever", async () => {
    const busy = () => json({ error: "busy" }, 503, { "Retry-After": "2" });
    await server.answer(busy());
    expect(store.found()).toEqual({ state: "loading", note: "The server is busy. Asking again in 2 s." });
    clock.pass(1999);
    expect(server.asked).toHaveLength(1);
    for (let tries = 2; tries <= 5; tries++) {
      clock.pass(2000);
      expect(server.asked).toHaveLength(tries);
      await server.answer(busy());
    }
    expect(store.found()).toEqual({ state: "failed", message: "Busy." });
  });

  it("asks nothing more once it is stopped", async () => {
    await server.answer(json({ error: "busy" }, 503, { "Retry-After": "1" }));
    store.stop();
    clock.pass(60_000);
    expect(server.asked).toHaveLength(1);
  });
});

/** Buckets of a minute, from a time on. */
const buckets = (name: string, from: number, count: number, labels?: Record<string, string>) => {
  const times = Array.from({ length: count }, (_, i) => from + i * MINUTE);
  const values = times.map((_, i) => i + 1);
  const columns = [values.map((value) => value - 1), values.map((value) => value + 1), values, values];
  return historyBytes({ from, to: from + count * MINUTE, resolutionMs: MINUTE }, times, [
    { name, labels, columns },
  ]);
};

describe("the lines of the rows in sight", () => {
  let clock: TestClock;
  let server: Server;
  let store: ReturnType<typeof createChangeLinesStore>;
  const wanted = () => server.asked.map(({ url }) => url.searchParams.getAll("metrics"));
  const numbers = ({ before, after }: { before: Values; after: Values }) => [[...before.avg], [...after.avg]];

  beforeEach(() => {
    clock = new TestClock();
    server = new Server();
    store = createRoot(() => createChangeLinesStore({ clock, get: server.get }));
  });

  it("are asked for together, and once", async () => {
    store.aim(BOTH);
    store.want("cpu");
    const leave = store.want("gone");
    leave();
    store.want('disk{mount="/"}');
    clock.pass(50);
    expect(wanted()).toEqual([["cpu", 'disk{mount="/"}']]);
    const [{ url }] = server.asked;
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      ...{ from: "2026-11-29T11:50:00Z", to: "2026-11-29T12:10:00Z" },
      ...{ points: "148", format: "binary" },
    });
    expect(store.of("cpu")).toBeUndefined();
    await server.answer(new Response(buckets("cpu", NOON - 10 * MINUTE, 20)));
    const line = store.of("cpu");
    expect(line && numbers(line)).toEqual([
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      [11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    ]);
    // History has nothing of it.
    const none = store.of('disk{mount="/"}');
    expect(none && numbers(none)).toEqual([[], []]);
    clock.pass(60_000);
    store.want("cpu");
    clock.pass(60_000);
    expect(server.asked).toHaveLength(1);
  });

  it("have two answers where the ranges do not meet", async () => {
    store.aim(APART);
    store.want("cpu");
    clock.pass(50);
    // A bucket begins before the range.
    await server.answer(new Response(buckets("cpu", NOON - 60 * MINUTE - 30_000, 2)));
    await server.answer(new Response(buckets("cpu", NOON, 3)));
    const line = store.of("cpu");
    expect(line && numbers(line)).toEqual([
      [1, 2],
      [1, 2, 3],
    ]);
    expect(server.asked.map(({ url }) => url.searchParams.get("points"))).toEqual(["74", "74"]);
  });

  it("come in requests that are bounded in rows and characters", async () => {
    store.aim(BOTH);
    for (let row = 0; row < 30; row++) store.want(`metric_${row}`);
    clock.pass(50);
    await server.answer(new Response(buckets("metric_0", NOON, 3)));
    clock.pass(50);
    expect(wanted().map(({ length }) => length)).toEqual([25, 5]);
    store.aim(APART);
    store.want(`m{path="${"ä".repeat(2000)}"}`);
    clock.pass(50);
    expect(wanted().at(-1)).toHaveLength(25);
    await server.answer(new Response(buckets("metric_0", NOON, 3)));
    await server.answer(new Response(buckets("metric_0", NOON, 3)));
    clock.pass(50);
    // One that is too long for any request is still asked for, alone.
    expect(wanted().at(-1)).toHaveLength(5);
  });

  it("are asked for again after a failure, until a row says that it has none", async () => {
    store.aim(BOTH);
    store.want("cpu");
    clock.pass(50);
    await server.answer(json({ error: "busy" }, 503, { "Retry-After": "1" }));
    clock.pass(1000);
    for (let tries = 2; tries <= 4; tries++) {
      expect(server.asked).toHaveLength(tries);
      expect(store.of("cpu")).toBeUndefined();
      await server.answer(tries === 2 ? new Response("no history") : new TypeError());
      clock.pass(3000);
    }
    expect(store.of("cpu")).toBeNull();
  });

  it("are of the last ranges only", async () => {
    store.aim(BOTH);
    store.want("cpu");
    clock.pass(50);
    store.aim(APART);
    expect(server.asked[0].signal.aborted).toBe(true);
    await settled();
    clock.pass(50);
    expect(server.asked).toHaveLength(2);
    store.stop();
    await settled();
    clock.pass(60_000);
    expect(server.asked).toHaveLength(2);
  });
});

describe("a row's line", () => {
  const values = (avg: number[], more: Partial<Values> = {}): Values => ({
    ...{ range: { from: 0, to: avg.length }, resolutionMs: 1, times: Float64Array.from(avg, (_, i) => i) },
    ...{ avg: Float64Array.from(avg), min: Float64Array.from(avg), max: Float64Array.from(avg), ...more },
  });

  it("has the values before in the left half and those after in the right one", () => {
    const paths = changePaths({ before: values([0, 0]), after: values([10, 10]) }, 100, 46);
    expect(paths?.line).toBe("M0.0 43.0L25.0 43.0M50.0 3.0L75.0 3.0");
  });

  it("has gaps where values are missing, and a dot for a single one", () => {
    const before = values([1, Number.NaN, 1, 1]);
    const apart = values([1, 1], { times: Float64Array.from([0, 3]), range: { from: 0, to: 4 } });
    const paths = changePaths({ before, after: apart }, 100, 46);
    expect(paths?.line.match(/M/g)).toHaveLength(4);
    expect(paths?.line).toContain("h0.1");
  });

  it("has the extremes around it", () => {
    const peak = { min: Float64Array.from([5, 5]), max: Float64Array.from([5, 100]) };
    const paths = changePaths({ before: values([5, 5], peak), after: values([5, 5]) }, 100, 46);
    expect(paths?.band).toContain("L25.0 3.0");
  });

  it("is flat where the values hardly differ", () => {
    const paths = changePaths({ before: values([1000, 1001]), after: values([1000, 1001]) }, 100, 46);
    expect(paths?.line).toBe("M0.0 23.1L25.0 22.9M50.0 23.1L75.0 22.9");
    expect(changePaths({ before: values([0]), after: values([0]) }, 100, 46)).not.toBeNull();
  });

  it("is none without values", () => {
    expect(changePaths({ before: values([]), after: values([Number.NaN]) }, 100, 46)).toBeNull();
  });
});

describe("a change in words", () => {
  it.each([
    [{ before: 4.1, after: 38.6, factor: 9.41 }, "×9.4", "up"],
    [{ before: 41, after: 6, factor: 6 / 41 }, "÷6.8", "down"],
    [{ before: 1, after: 12.4, factor: 12.4 }, "×12", "up"],
    [{ before: 1, after: 2276, factor: 2276 }, "×2,276", "up"],
    [{ before: 1, after: 2.5e7, factor: 2.5e7 }, "×25.0M", "up"],
    [{ before: 100, after: 104, factor: 1.04 }, "+4 %", "up"],
    [{ before: 100, after: 99.4, factor: 0.994 }, "−0.6 %", "down"],
    [{ before: 3, after: 3, factor: 1 }, "≈", "up"],
    [{ before: null, after: 3, factor: null }, "new", "up"],
    [{ before: 3, after: null, factor: null }, "gone", "down"],
    [{ before: 0, after: 3, factor: null }, "from 0", "up"],
    [{ before: 3, after: 0, factor: null }, "to 0", "down"],
    [{ before: 3, after: -1, factor: null }, "±", "down"],
  ])("%o is %s, and goes %s", (numbers, text, way) => {
    expect(factorOf(change(numbers)).text).toBe(text);
    expect(factorOf(change(numbers)).said).not.toBe("");
    expect(wayOf(change(numbers))).toBe(way);
  });

  it("has the averages in one unit", () => {
    expect(averagesOf(change({ before: 4.1, after: 38.6 }), "%")).toEqual({ before: "4.1", after: "38.6 %" });
    expect(averagesOf(change({ before: null, after: 3 }), "%")).toEqual({
      before: "no value",
      after: "3.0 %",
    });
    expect(averagesOf(change({ before: 3, after: null }), "%")).toEqual({
      before: "3.0 %",
      after: "no value",
    });
    expect(averagesOf(change({ before: 500, after: 2_000_000 }), "B/s")).toEqual({
      ...{ before: "500.0 B/s", after: "1.9 MiB/s" },
    });
  });

  it("is counted", () => {
    expect(countOf(answer({ compared: 0, changed: 0, changes: [] }))).toBe("Nothing was compared");
    expect(countOf(answer({ changed: 7, changes: Array(7).fill(change()) }))).toBe(
      "7 of 106 series changed · 99 did not",
    );
    expect(countOf(answer({ changed: 3120, compared: 4000, tier: "minutes" }))).toBe(
      "3,120 of 4,000 series changed · the first 1 are listed · 880 did not · by the minute",
    );
  });
});

describe("an empty list", () => {
  const kept = { oldest: NOON - 60 * MINUTE, newest: NOON + 60 * MINUTE, intervalMs: 1000 };
  const when = (time: number) => new Date(time).toISOString().slice(11, 16);
  const why = (from: number, to: number, more = {}, tier: HistoryTier = "raw") =>
    whyNothing(
      withBefore({ from: NOON + from * MINUTE, to: NOON + to * MINUTE }),
      tier,
      { ...kept, ...more },
      when,
    );

  it("says why nothing could be compared", () => {
    expect(why(-120, -90)).toBe("This time is no longer kept: the oldest values are from 11:00.");
    expect(why(-60, -30)).toMatch(/^The time to compare with is no longer kept: .* 11:00\.$/);
    expect(why(90, 120)).toBe("This time is yet to come.");
    expect(why(0, 0.05)).toMatch(/^Too short: each of the two ranges needs 5 ticks/);
    expect(why(59.99, 70)).toMatch(/^Too early/);
    expect(why(0, 4, {}, "minutes")).toMatch(/^Too short: .* averages of minutes .* needs 5 minutes\.$/);
    expect(why(0, 240, { newest: NOON + DAY }, "hours")).toMatch(/^Too short: .* needs 5 hours\.$/);
    expect(why(0, 10)).toMatch(/^No series has 5 values in both ranges/);
    expect(why(-120, -90, { oldest: Number.NaN })).toMatch(/^No series/);
  });

  it("says what part is no longer kept", () => {
    const missing = (from: number, to: number) =>
      whatIsMissing(withBefore({ from: NOON + from * MINUTE, to: NOON + to * MINUTE }), kept, when);
    expect(missing(-40, -10)).toBe("Nothing is kept from before 11:00.");
    expect(missing(50, 70)).toBe("The end of a range is yet to come.");
    expect(missing(0, 10)).toBe("");
  });

  it("says that nothing changed, or that nothing is left of it", () => {
    expect(noneLeft(106, 0, "", "all")).toBe("Nothing changed: all 106 series are as before.");
    expect(noneLeft(1, 0, "", "all")).toBe("Nothing changed: the one series is as before.");
    expect(noneLeft(106, 7, "disk", "up")).toBe("No changed series matches “disk”.");
    expect(noneLeft(106, 7, "", "down")).toBe("Nothing went down.");
  });
});
