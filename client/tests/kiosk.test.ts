/** The groups of a wall: what is in them, and how they lie in columns. */
import { describe, expect, it } from "vitest";
import { type CellGroup, cellGroups, columnsOf, heatOf, laid } from "../src/components/kiosk/groups";
import { arrange } from "../src/components/layout";
import type { Panel } from "../src/types.gen";
import { series } from "./world";

const card = (metric: string): Panel => ({ type: "card", metric, title: metric });
const chart = (...metrics: string[]): Panel => ({ type: "chart", metrics, title: metrics[0] });
const table = (metric: string): Panel => ({ type: "table", metrics: [metric], label: "pid", title: metric });
const row = (title: string, ...panels: Panel[]): Panel => ({ type: "row", title, panels });

describe("the groups of a wall", () => {
  const groupsOf = (panels: Panel[], folded: string[] = []) =>
    cellGroups(
      arrange(panels),
      ({ path }) => !folded.includes(path),
      (metric) => (metric === "core" ? ["0", "1"].map((core) => series(metric, { core })) : [series(metric)]),
    ).map(({ title, series }) => [title, series.map(({ key }) => key)]);

  it("are the sections with each of their series once, and what is in none", () => {
    expect(
      groupsOf([
        card("a"),
        row("", chart("a", "b")),
        row("CPU", chart("core"), table("process"), card("a")),
        card("c"),
      ]),
    ).toEqual([
      ["", ["a", "b"]],
      ["CPU", ['core{core="0"}', 'core{core="1"}']],
      ["", ["c"]],
    ]);
  });

  it("have bars and states, but no table and no text", () => {
    const bars: Panel = { type: "bars", metrics: ["disk"], title: "Disk" };
    const states: Panel = { type: "states", metric: "up", states: [], title: "Up" };
    const text: Panel = { type: "text", content: ["a"], title: "On call" };
    expect(groupsOf([bars, table("process"), text, states])).toEqual([["", ["disk", "up"]]]);
  });

  it("leave out what is folded, and have inner sections in them", () => {
    expect(
      groupsOf([row("Disk", card("a"), row("Space", card("b"))), row("Own", card("c"))], ["Own"]),
    ).toEqual([["Disk", ["a", "b"]]]);
    expect(groupsOf([row("Disk", card("a"), row("Space", card("b")))], ["Disk / Space"])).toEqual([
      ["Disk", ["a"]],
    ]);
  });
});

describe("the columns of a wall", () => {
  const group = (title: string, count: number): CellGroup => ({
    ...{ title, path: title },
    series: Array.from({ length: count }, (_, i) => series(`${title}${i}`)),
  });
  const shape = (groups: CellGroup[], columns: number) =>
    columnsOf(groups, columns).map((parts) =>
      parts.map(({ title, series, continued }) => `${continued ? "…" : ""}${title} ${series.length}`),
    );

  it("have one group each where that is even", () => {
    const groups = ["a", "b", "c"].map((title) => group(title, 40));
    expect(shape(groups, 3)).toEqual([["a 40"], ["b 40"], ["c 40"]]);
  });

  it("are as even as can be where it is not", () => {
    const rows = columnsOf(
      Array.from({ length: 5 }, (_, i) => group(`g${i}_`, 20)),
      4,
    ).map((parts) => parts.reduce((sum, part) => sum + part.series.length / 2 + 1, 0));
    expect(rows).toEqual([11, 15, 15, 16]);
  });

  it("share what is in one group", () => {
    expect(shape([group("a", 200)], 5).map((parts) => parts.length)).toEqual([1, 1, 1, 1, 1]);
    expect(
      columnsOf([group("a", 200)], 5)
        .flat()
        .flatMap((part) => part.series),
    ).toHaveLength(200);
  });

  it("do not leave a heading alone at their foot", () => {
    expect(shape([group("a", 8), group("b", 8)], 2)).toEqual([["a 8"], ["b 8"]]);
    expect(shape([group("a", 14), group("b", 20)], 2)).toEqual([["a 14"], ["b 20"]]);
  });

  it("are as many as are asked for at most, and have every cell once", () => {
    for (let columns = 1; columns <= 5; columns++) {
      for (const counts of [[1], [3, 1, 90, 2], [40, 41, 1, 7, 7, 7], []]) {
        const groups = counts.map((count, i) => group(`g${i}_`, count));
        const all = columnsOf(groups, columns);
        expect(all.length).toBeLessThanOrEqual(columns);
        const keys = all.flat().flatMap((part) => part.series.map(({ key }) => key));
        expect(keys).toEqual(groups.flatMap((one) => one.series.map(({ key }) => key)));
      }
    }
  });
});

describe("the cells of a wall", () => {
  const group = (title: string, count: number): CellGroup => ({
    ...{ title, path: title },
    series: Array.from({ length: count }, (_, i) => series(`${title}${i}`)),
  });
  // 1920 x 1080 and 2560 x 1440 pixels, without the head and the band.
  const small = { width: 117, height: 53, columns: 4 };
  const large = { width: 157, height: 76, columns: 5 };

  it.each([
    [80, "full", "full"],
    [200, "line", "full"],
    [600, "number", "number"],
    [1_000, "small", "number"],
    [3_000, "dot", "dot"],
    [100_000, "dot", "dot"],
  ])("of %d series are as large as they can be: %s, and %s on a larger wall", (count, onSmall, onLarge) => {
    const groups = Array.from({ length: 5 }, (_, i) => group(`g${i}_`, count / 5));
    expect([laid(groups, small).size.name, laid(groups, large).size.name]).toEqual([onSmall, onLarge]);
    const cells = laid(groups, small).columns.flat();
    expect(cells.reduce((sum, { series }) => sum + series.length, 0)).toBe(count);
  });

  it("have a place on a wall that has not been measured, or has no groups", () => {
    expect(laid([group("a", 3)], { width: 0, height: 0, columns: 1 }).columns).toHaveLength(1);
    expect(laid([], small).size.name).toBe("full");
  });

  it("are warmer the nearer the value is to its limit", () => {
    expect([0, 50, 55, 77.5, 100, 200].map((value) => heatOf(value, 100))).toEqual([0, 0, 0, 50, 100, 100]);
    expect([heatOf(50, undefined), heatOf(50, 0), heatOf(Number.NaN, 100)]).toEqual([0, 0, 0]);
  });
});
