/** Panels that are pinned to the top: in the order in which that was done, and also after the board has changed. */
import { createRoot, createSignal } from "solid-js";
import { describe, expect, it } from "vitest";
import { arrange, type Group, type Plotted } from "../src/components/layout";
import { createPinsStore } from "../src/stores/pins";
import type { Panel } from "../src/types.gen";

const chart = (metric: string): Plotted => ({ type: "chart", metrics: [metric], title: metric });
const row = (title: string, ...panels: Panel[]): Panel => ({ type: "row", title, panels });

describe("pins", () => {
  it("are kept, and show what the board has of them", () => {
    let saved: string[] = [];
    const memory = {
      load: () => saved,
      save: (next: string[]) => {
        saved = next;
      },
    };
    const [groups, setGroups] = createSignal<readonly Group[]>([]);
    const show = (...panels: Panel[]) => setGroups((before) => arrange(panels, before));
    const make = () => createRoot(() => createPinsStore(memory, { groups, metric: () => undefined }));
    show(chart("a"), row("b", chart("b"), chart("c")));
    const pins = make();
    pins.toggle(chart("c"));
    pins.toggle(chart("a"));
    expect(pins.panels()).toEqual([chart("c"), chart("a")]);
    show(row("b", chart("b"), chart("c")), chart("d"));
    expect(make().panels()).toEqual([chart("c")]);
    expect([pins.isPinned(chart("a")), pins.isPinned(chart("d"))]).toEqual([true, false]);
    pins.toggle(chart("c"));
    expect(pins.panels()).toEqual([]);
    show(chart("a"));
    expect(make().panels()).toEqual([chart("a")]);
  });

  it("are of any kind that shares a grid with charts", () => {
    const [groups, setGroups] = createSignal<readonly Group[]>([]);
    const states: Plotted = { type: "states", metric: "up", states: [], title: "Up" };
    const text: Plotted = { type: "text", content: ["a"], title: "On call" };
    setGroups(arrange([states, text]));
    const pins = createRoot(() =>
      createPinsStore({ load: () => [], save: () => {} }, { groups, metric: () => undefined }),
    );
    pins.toggle(text);
    pins.toggle(states);
    expect(pins.panels()).toEqual([text, states]);
  });

  it("may be charts that the board does not have, of metrics that it has", () => {
    const saved = [
      JSON.stringify(["chart", ["x"], "X"]),
      JSON.stringify(["table", ["x"], "X"]),
      "damaged",
      "1",
      '["chart", 1]',
    ];
    const [metrics, setMetrics] = createSignal<readonly string[]>([]);
    const metric = (name: string) =>
      metrics().includes(name) ? { name, unit: "", title: "", kind: "gauge" as const } : undefined;
    const memory = { load: () => saved, save: () => {} };
    const pins = createRoot(() => createPinsStore(memory, { groups: () => [], metric }));
    expect(pins.panels()).toEqual([]);
    setMetrics(["x"]);
    const [added, ...others] = pins.panels();
    expect([added, others]).toEqual([{ type: "chart", metrics: ["x"], title: "X" }, []]);
    // The same object, so that the page keeps its element.
    setMetrics(["x", "y"]);
    expect(pins.panels()[0]).toBe(added);
    expect(pins.isPinned(added)).toBe(true);
  });
});
