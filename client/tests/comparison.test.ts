/** Two ranges that are compared: from an alert, a range or an address, and kept by the open view. */
import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { toShow } from "../src/comparing/onpage";
import { createComparisonStore } from "../src/stores/comparison";
import type { View } from "../src/stores/view";
import {
  CHANGES,
  type Comparison,
  isJustBefore,
  ofEpisode,
  readComparison,
  withBefore,
  writeComparison,
} from "../src/time/comparison";
import type { Range } from "../src/time/range";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NOON = Date.parse("2026-11-29T12:00:00Z");

describe("a comparison's address", () => {
  const read = (address: string) => readComparison(address.slice(CHANGES.length));

  it("has one range if the other is just before it", () => {
    const both = withBefore({ from: NOON, to: NOON + 10 * MINUTE });
    expect(both.before).toEqual({ from: NOON - 10 * MINUTE, to: NOON });
    expect(writeComparison(both)).toBe("#changes=2026-11-29T12:00:00Z/2026-11-29T12:10:00Z");
    expect(read(writeComparison(both))).toEqual(both);
  });

  it("has both ranges if they are not of one length, or lie apart", () => {
    const after = { from: NOON + 500, to: NOON + MINUTE };
    for (const before of [
      { from: NOON - DAY, to: NOON - DAY + MINUTE },
      { from: NOON - 5 * MINUTE, to: NOON + 500 },
    ]) {
      expect(isJustBefore({ after, before })).toBe(false);
      expect(read(writeComparison({ after, before }))).toEqual({ after, before });
    }
  });

  it.each([
    "",
    "2026-11-29T12:00:00Z",
    "a/b",
    "2026-11-29T12:00:00Z/2026-11-29T11:00:00Z",
    "/",
    "2026-11-29/2026-11-30,x/y",
  ])("is none where it is no two times: %s", (text) => {
    expect(readComparison(text)).toBeNull();
  });
});

describe("an alert's episode", () => {
  const of = (ended: number, newest: number, began = NOON) =>
    ofEpisode({ began, ended }, { newest, intervalMs: 1000 });

  it("is compared with as much time before it, but at least 300 ticks", () => {
    const ended = NOON + 20 * MINUTE;
    expect(of(ended, NOON + DAY)).toEqual({
      after: { from: NOON, to: ended },
      before: { from: NOON - 20 * MINUTE, to: NOON },
    });
    expect(of(NOON + MINUTE, NOON + DAY).before).toEqual({ from: NOON - 5 * MINUTE, to: NOON });
  });

  it("goes up to the newest tick while it fires", () => {
    const now = NOON + 8 * MINUTE;
    expect(of(Number.POSITIVE_INFINITY, now).after).toEqual({ from: NOON, to: now + 1 });
  });

  it("is at least ten ticks, if they have been made", () => {
    expect(of(NOON + 2000, NOON + MINUTE).after.to).toBe(NOON + 10_000);
    expect(of(NOON + 2000, NOON + 4000).after.to).toBe(NOON + 4001);
    // The clock of an alert may be ahead of the newest tick.
    expect(of(Number.POSITIVE_INFINITY, NOON - 5000).after.to).toBe(NOON + 1);
  });

  it("is cut to the longest range that can be compared", () => {
    const { after, before } = of(Number.POSITIVE_INFINITY, NOON, NOON - 90 * DAY);
    expect(after).toEqual({ from: NOON + 1 - 31 * DAY, to: NOON + 1 });
    expect(before).toEqual({ from: NOON - 90 * DAY - 31 * DAY, to: NOON - 90 * DAY });
  });
});

describe("the comparison", () => {
  const page: Range = { from: NOON - MINUTE, to: NOON };

  function opened(range = page, brushed: Range | null = null) {
    let shown: View | null = null;
    const view = {
      shown: () => shown,
      show: (next: View) => {
        shown = next;
      },
      close: () => {
        shown = null;
      },
      comparison: () => shown as Comparison | null,
    };
    const options = {
      view,
      range: () => range,
      brushed: () => brushed,
      ticking: () => ({ newest: NOON, intervalMs: 1000 }),
    };
    return { store: createRoot(() => createComparisonStore(options)), shown: () => shown };
  }

  it("is of the range on the page, with its newest tick, and closes again", () => {
    const { store, shown } = opened();
    store.toggle();
    expect(shown()).toEqual({ type: "changes", ...withBefore({ from: NOON - MINUTE, to: NOON + 1 }) });
    store.toggle();
    expect(shown()).toBeNull();
  });

  it("is of the brushed range where there is one, in whole milliseconds", () => {
    const { store, shown } = opened(page, { from: 1000.4, to: 2000.2 });
    store.toggle();
    expect(shown()).toMatchObject({ after: { from: 1000, to: 2001 }, before: { from: -1, to: 1000 } });
  });

  it("is of an alert's episode", () => {
    const { store, shown } = opened();
    store.openEpisode({ began: NOON - 10 * MINUTE, ended: Number.POSITIVE_INFINITY });
    expect(shown()).toMatchObject({ type: "changes", after: { from: NOON - 10 * MINUTE, to: NOON + 1 } });
  });
});

describe("both ranges", () => {
  const both = withBefore({ from: NOON - 4 * MINUTE, to: NOON });

  it("are on the page already", () => {
    expect(toShow(both, { from: NOON - 10 * MINUTE, to: NOON - 1 }, true)).toBeNull();
    expect(toShow(both, { from: NOON - 10 * MINUTE, to: NOON + DAY }, false)).toBeNull();
  });

  it("come onto a page that follows now, which goes on", () => {
    expect(toShow(both, { from: NOON - MINUTE, to: NOON + MINUTE }, true)).toEqual({
      ...{ follows: true, spanMs: 15 * MINUTE },
    });
  });

  it("are shown with some time around them where that is too long ago, or the page stands still", () => {
    const shown = { follows: false, from: NOON - 8.8 * MINUTE, to: NOON + 0.8 * MINUTE };
    expect(toShow(both, { from: NOON + DAY - MINUTE, to: NOON + DAY }, true)).toEqual(shown);
    expect(toShow(both, { from: NOON - MINUTE, to: NOON }, false)).toEqual(shown);
  });
});
