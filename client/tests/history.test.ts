import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { createHistoryStore, sayKept } from "../src/stores/history";
import type { Health, HistoryHealth } from "../src/types.gen";

const NOW = Date.parse("2026-03-01T00:00:00.000Z");
const DAY = 86_400_000;

function kept(rawDays: number | null, minuteDays: number | null, hourDays: number | null): HistoryHealth {
  const tier = (days: number | null) => ({
    oldest: days === null ? null : new Date(NOW - days * DAY).toISOString(),
    bytes: 1,
  });
  return {
    ...{ raw: tier(rawDays), minutes: tier(minuteDays), hours: tier(hourDays) },
    ...{ file_bytes: 312 * 2 ** 20, series: 9, queued: 0, dropped: 0, lost: 0 },
  };
}

const healthWith = (history: HistoryHealth | null) => ({ history }) as Health;

const options = {
  now: () => NOW,
  windowMs: () => 60_000,
  strip: { load: () => false, save: () => {} },
};

describe("what is kept", () => {
  it.each([
    [
      "each tier that reaches further back",
      kept(7, 90, 400),
      "every tick for 7 d, every minute for 90 d, every hour for 400 d · 312.0 MiB",
    ],
    ["no tier that begins with the ticks", kept(1.5, 1.51, 1.54), "every tick for 36 h · 312.0 MiB"],
    ["a tier alone", kept(null, null, 3), "every hour for 3 d · 312.0 MiB"],
    ["nothing where nothing is kept yet", kept(null, null, null), ""],
  ])("says %s", (_, history, said) => {
    expect(sayKept(history, NOW)).toBe(said);
  });

  it("is asked for, and stays when the server does not answer", async () => {
    const answers = [
      () => Promise.resolve(healthWith(kept(2, null, null))),
      () => Promise.reject(new Error("gone")),
      () => Promise.resolve(healthWith(null)),
    ];
    const store = createRoot(() =>
      createHistoryStore({ ...options, load: () => (answers.shift() as (typeof answers)[number])() }),
    );
    expect(store.kept()).toBe("");
    await store.refresh();
    expect(store.kept()).toBe("every tick for 2 d · 312.0 MiB");
    await store.refresh();
    expect(store.kept()).toBe("every tick for 2 d · 312.0 MiB");
    await store.refresh();
    expect(store.kept()).toBe("");
  });
});

describe("the tiers", () => {
  async function storeWith(history: HistoryHealth | null, remembered = false) {
    const saved: boolean[] = [];
    const strip = { load: () => remembered, save: (on: boolean) => saved.push(on) };
    const store = createRoot(() =>
      createHistoryStore({ ...options, strip, load: async () => healthWith(history) }),
    );
    const before = store.hasStrip();
    await store.refresh();
    return { store, saved, before };
  }

  it("are those that reach further back than finer ones, and say since when", async () => {
    const { store } = await storeWith(kept(7, 90, 90.01));
    expect(store.tiers().map(({ what }) => what)).toEqual(["tick", "minute"]);
    expect(store.oldest()).toBe(NOW - 90 * DAY);
    expect(store.keptFor()).toBe("every tick for 7 d, every minute for 90 d");
    expect(store.hasNone()).toBe(false);
  });

  it("are worth a strip, which is remembered for the next visit", async () => {
    const { store, saved, before } = await storeWith(kept(7, null, null));
    expect(before).toBe(false);
    expect(store.hasStrip()).toBe(true);
    expect(saved).toEqual([true]);
  });

  it("are no strip while there is little more than the window", async () => {
    const { store, saved } = await storeWith(kept(100 / 86_400, null, null));
    expect(store.hasStrip()).toBe(false);
    expect(saved).toEqual([false]);
  });

  it("have its room on the page before it is known, if there was a strip before", async () => {
    const { store, saved, before } = await storeWith(null, true);
    expect(before).toBe(true);
    expect(store.hasStrip()).toBe(false);
    expect(store.hasNone()).toBe(true);
    expect(saved).toEqual([false]);
    expect(store.oldest()).toBeNaN();
  });
});
