/** Panels lie where they lay: a group goes on with its id, a panel with its object, while others come and go. */
import { describe, expect, it } from "vitest";
import { arrange, type Group, metricsOf, type Plotted, spansOf, targetOf } from "../src/components/layout";
import type { Card, Chart, Panel, Table } from "../src/types.gen";

const card = (metric: string): Card => ({ type: "card", metric, title: metric });
const chart = (metric: string): Chart => ({ type: "chart", metrics: [metric], title: metric });
const table = (metric: string): Table => ({ type: "table", metrics: [metric], label: "pid", title: metric });
const row = (title: string, ...panels: Panel[]): Panel => ({ type: "row", title, panels });

const bars: Plotted = { type: "bars", metrics: ["disk"], title: "Disk", beside: "full_in" };
const states: Plotted = { type: "states", metric: "up", states: [], title: "Up" };
const text: Plotted = { type: "text", content: ["a"], title: "On call" };

const ids = (groups: readonly Group[]) => groups.map(({ id }) => id);
const panelsOf = (group: Group): readonly Panel[] => (group.type === "row" ? [] : group.panels);

/** The same board, as it comes anew over the wire. */
const again = (panels: Panel[], before: readonly Group[]) => arrange(structuredClone(panels), before);

describe("a panel", () => {
  it("shows metrics, those beside others too", () => {
    expect([card("a"), chart("a"), bars, states, text].map(metricsOf)).toEqual([
      ["a"],
      ["a"],
      ["disk", "full_in"],
      ["up"],
      [],
    ]);
    expect(metricsOf(row("r", bars, row("", states)))).toEqual(["disk", "full_in", "up"]);
  });

  it("is found by its metrics, or by its title", () => {
    expect([chart("a"), bars, states, text].map(targetOf)).toEqual(["a", "disk full_in", "up", "On call"]);
  });
});

describe("panels", () => {
  it("lie in runs: cards, then charts with tables, and rows by themselves", () => {
    const plotted = [chart("a"), table("b"), bars, states, text];
    const groups = arrange([card("a"), card("b"), ...plotted, row("r", card("c")), card("d")]);
    expect(groups.map(({ type }) => type)).toEqual(["cards", "charts", "row", "cards"]);
    expect(groups.slice(0, 2).map((group) => panelsOf(group).length)).toEqual([2, 5]);
    expect(new Set(ids(groups)).size).toBe(4);
  });

  it("are the same when the same board comes again", () => {
    const panels = [card("a"), chart("a"), row("r", card("c"), card("c"))];
    const before = arrange(panels);
    const after = again(panels, before);
    expect(after).toEqual(before);
    expect(panelsOf(after[0])[0]).toBe(panelsOf(before[0])[0]);
  });

  it("stay in their group when others come before, between and after them", () => {
    const before = arrange([card("b"), chart("b")]);
    const after = again([card("a"), card("b"), card("c"), chart("a"), chart("b")], before);
    expect(ids(after)).toEqual(ids(before));
    expect(panelsOf(after[0])[1]).toBe(panelsOf(before[0])[0]);
    expect(panelsOf(after[1])[1]).toBe(panelsOf(before[1])[0]);
  });

  it("stay when others go", () => {
    const before = arrange([card("a"), card("b"), chart("a"), row("r", card("x"))]);
    const after = again([card("b"), row("r", card("x"))], before);
    expect(ids(after)).toEqual([before[0].id, before[2].id]);
    expect(panelsOf(after[0])).toEqual([card("b")]);
  });

  it("stay in a row that is known by its title, wherever it is put and whatever else it gets", () => {
    const before = arrange([row("r", card("x"), chart("x")), row("s", card("y"))]);
    const after = again([row("new", card("n")), row("s", card("z")), row("r", card("w"), card("x"))], before);
    expect(ids(after).slice(1)).toEqual([before[1].id, before[0].id]);
    expect(ids(before)).not.toContain(after[0].id);
    const [r, was] = [after[2], before[0]];
    if (r.type !== "row" || was.type !== "row") throw new Error("no rows");
    expect(ids(r.groups)).toEqual([was.groups[0].id]);
    expect(panelsOf(r.groups[0])[1]).toBe(panelsOf(was.groups[0])[0]);
  });

  it("stay in a row without a title that still has one of them", () => {
    const before = arrange([row("", card("a")), row("", chart("a"))]);
    const after = again([row("", card("a"), card("b")), row("", chart("a"), chart("b"))], before);
    expect(ids(after)).toEqual(ids(before));
    expect(ids(again([row("", card("n"))], before))[0]).toBeGreaterThan(2);
  });

  it("that say something else are others", () => {
    const before = arrange([chart("a")]);
    const after = again([{ ...chart("a"), stacked: true }], before);
    expect(panelsOf(after[0])[0]).toEqual({ ...chart("a"), stacked: true });
    expect(after[0].id).not.toBe(before[0].id);
  });

  it("that are there twice are two", () => {
    const before = arrange([card("a"), card("a")]);
    const after = again([card("a"), card("a"), card("a")], before);
    expect(new Set(panelsOf(after[0])).size).toBe(3);
    expect(panelsOf(after[0]).slice(0, 2)).toEqual(panelsOf(before[0]));
  });
});

describe("the widths of charts and tables", () => {
  const charts = (count: number) => Array.from({ length: count }, (_, i) => chart(`c${i}`));
  const spans = (panels: Plotted[], wide: number[] = []) =>
    spansOf(
      panels,
      panels.map((_, place) => wide.includes(place)),
    );
  const twelve = (panels: Plotted[], wide?: number[]) => spans(panels, wide).map((span) => span.twelve);

  it("fill every row, up to three abreast, the fuller rows first", () => {
    expect([1, 2, 3, 4, 5, 7].map((count) => twelve(charts(count)))).toEqual([
      [12],
      [6, 6],
      [4, 4, 4],
      [6, 6, 6, 6],
      [4, 4, 4, 6, 6],
      [4, 4, 4, 6, 6, 6, 6],
    ]);
  });

  it("are on a tablet two abreast, on a wall up to five", () => {
    expect(spans(charts(3)).map(({ two }) => two)).toEqual([1, 1, 2]);
    expect([5, 6, 7].map((count) => spans(charts(count)).map(({ sixty }) => sixty))).toEqual([
      [12, 12, 12, 12, 12],
      [20, 20, 20, 20, 20, 20],
      [15, 15, 15, 15, 20, 20, 20],
    ]);
  });

  it("are the whole row for those that need it, and the others fill the rows around them", () => {
    expect(twelve(charts(4), [1])).toEqual([12, 12, 6, 6]);
    expect(spans(charts(3), [0, 1]).map(({ two, sixty }) => [two, sixty])).toEqual([
      [2, 30],
      [2, 30],
      [2, 60],
    ]);
  });

  it("are what three panels would like where that is a row", () => {
    const several: Plotted = { type: "chart", metrics: ["a", "b"], title: "both" };
    const bars: Plotted = { type: "table", metrics: ["a"], label: "l", title: "bars" };
    expect(twelve([several, chart("c"), bars])).toEqual([5, 4, 3]);
    expect(twelve([chart("a"), chart("b"), bars])).toEqual([4, 4, 4]);
  });
});

describe("rows with titles", () => {
  it("have a path that no other has, and begin as the board says", () => {
    const folded = { ...row("Disk", card("b")), note: "2 devices", folded: true } as Panel;
    const groups = arrange([row("Disk", row("Space", card("a"))), folded]);
    const rows = groups.filter((group) => group.type === "row");
    expect(rows.map(({ path, note, folded }) => [path, note, folded])).toEqual([
      ["Disk", "", false],
      ["Disk (2)", "2 devices", true],
    ]);
    expect(rows[0].groups[0]).toMatchObject({ path: "Disk / Space" });
  });
});
