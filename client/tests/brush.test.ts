/** The brush: which range is chosen, and when it ends. */
import { createRoot, createSignal } from "solid-js";
import { describe, expect, it } from "vitest";
import { type BrushStore, createBrushStore } from "../src/stores/brush";
import type { Range, Shown } from "../src/time/range";

interface World {
  brush: BrushStore;
  show: (range: Range) => void;
}

function world(): World {
  const [range, setRange] = createSignal<Range>({ from: 0, to: 100 });
  const shown = (): Shown => ({ follows: false, ...range() });
  return createRoot(() => ({ brush: createBrushStore({ range, shown }), show: setRange }));
}

const chart = {};

describe("the brush", () => {
  it("is a range with the drawing on which it was made", () => {
    const { brush } = world();
    expect([brush.range(), brush.at(), brush.zoomed()]).toEqual([null, null, false]);
    brush.set({ range: { from: 20, to: 40 }, at: chart, zoomed: false });
    expect(brush.range()).toEqual({ from: 20, to: 40 });
    expect(brush.at()).toBe(chart);
  });

  it("stays while the page shows a part of it", () => {
    const { brush, show } = world();
    brush.set({ range: { from: 20, to: 40 }, at: chart, zoomed: false });
    show({ from: 39, to: 60 });
    expect(brush.range()).toEqual({ from: 20, to: 40 });
    show({ from: 40, to: 60 });
    expect(brush.range()).toBeNull();
  });

  it("of a zoom ends with the zoom", () => {
    const { brush, show } = world();
    show({ from: 20, to: 40 });
    brush.set({ range: { from: 20, to: 40 }, at: chart, zoomed: true });
    show({ from: 0, to: 100 });
    expect(brush.range()).toBeNull();
  });

  it("can be ended once", () => {
    const { brush } = world();
    brush.set({ range: { from: 20, to: 40 }, at: null, zoomed: false });
    expect([brush.clear(), brush.clear()]).toEqual([true, false]);
  });

  it("has a draft beside it, which changes nothing", () => {
    const { brush } = world();
    brush.setDraft({ mode: "zoom", range: { from: 1, to: 2 }, at: chart });
    expect(brush.draft()?.at).toBe(chart);
    expect(brush.range()).toBeNull();
    brush.setDraft(null);
    expect(brush.draft()).toBeNull();
  });
});
