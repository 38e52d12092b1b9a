/** A table's rows: one for each value of the label, the highest first, and in an order that can be read. */
import { describe, expect, it } from "vitest";
import { highest } from "../src/chart/choice";
import { byLabel, matching, ordered, planOf, planOfSeries, present, valuesOf } from "../src/window/table";
import { series } from "./world";

const none = Number.NaN;
const whole = (value: number) => value.toFixed(0);
const nowhere = () => undefined;

describe("the rows of a table", () => {
  const cpu = ["10", "9", "x"].map((pid) => series("cpu", { pid }));
  const memory = ["9", "7"].map((pid) => series("memory", { pid }));
  const plan = planOf([[...cpu, series("cpu")], memory], ["pid"]);
  const newest = (key: string) =>
    ({ [cpu[0].key]: 1, [cpu[1].key]: 2, [memory[0].key]: 30, cpu: 99 })[key] ?? none;

  it("are the values of the label, by name as people sort them; a series without it has none", () => {
    expect(plan.texts).toEqual([["7"], ["9"], ["10"], ["x"]]);
  });

  it("have the newest value of each metric, or none", () => {
    const values = valuesOf(plan, newest, [false, false]);
    expect(values.map((column) => Array.from(column))).toEqual([
      [none, 2, 1, none],
      [none, 30, none, none],
    ]);
  });

  it("that have no value now are left out", () => {
    const values = valuesOf(plan, newest, [false, false]);
    expect(present(plan, values).map((row) => plan.texts[row][0])).toEqual(["9", "10"]);
  });

  it("are told apart by further labels, sorted and found by each", () => {
    const people = [
      ["worker", "root"],
      ["Web", "app"],
      ["worker", "app"],
      ["db", ""],
    ].map(([name, user]) => series("cpu", user === "" ? { name } : { name, user }));
    const plan = planOf([people], ["name", "user"]);
    const names = (rows: readonly number[]) => rows.map((row) => plan.texts[row].join(" "));
    const all = [...plan.keys.keys()];
    expect(names(all)).toEqual(["db ", "Web app", "worker app", "worker root"]);
    expect(new Set(plan.keys).size).toBe(4);
    expect(names(byLabel(plan, all, 1))).toEqual(["db ", "Web app", "worker app", "worker root"]);
    expect(names(matching(plan, all, " WO"))).toEqual(["worker app", "worker root"]);
    expect(names(matching(plan, all, "root"))).toEqual(["worker root"]);
    expect(matching(plan, all, " ")).toBe(all);
  });

  it.each([
    [true, 12],
    [false, 7],
  ])("of several series add up rates: %s", (adds, value) => {
    const both = ["GET", "PUT"].map((method) => series("hits", { route: "/", method }));
    const values = valuesOf(planOf([both], ["route"]), (key) => (key.includes("GET") ? 7 : 5), [adds]);
    expect(Array.from(values[0])).toEqual([value]);
  });
});

describe("the order of a table", () => {
  const all = (values: Float64Array) => [...values.keys()];
  const order = (
    list: number[],
    descending = true,
    limit = 10,
    before: (row: number) => number | undefined = nowhere,
  ) =>
    ordered(
      list.map((_, i) => i),
      Float64Array.from(list),
      descending,
      limit,
      whole,
      before,
    );

  it("is by value, either way, with those without one last", () => {
    expect(order([3, none, 9, 6])).toEqual([2, 3, 0, 1]);
    expect(order([3, none, 9, 6], false)).toEqual([0, 3, 2, 1]);
  });

  it("is by name where it is asked for", () => {
    const values = Float64Array.of(1, 2, 3);
    expect(ordered(all(values), null, false, 2, whole, nowhere)).toEqual([0, 1]);
    expect(ordered(all(values), null, true, 2, whole, nowhere)).toEqual([2, 1]);
  });

  it("has only the highest, or the lowest", () => {
    expect(order([5, 1, 9, 7, 3], true, 2)).toEqual([2, 3]);
    expect(order([5, 1, 9, 7, 3], false, 2)).toEqual([1, 4]);
  });

  it("of values that read the same is by name at first, and then stays as it was", () => {
    expect(order([7.1, 7.4, 9, 7.3])).toEqual([2, 0, 1, 3]);
    const places = [3, 1, 0, 2];
    expect(order([7.4, 7.1, 9, 7.3], true, 10, (row) => places[row])).toEqual([2, 1, 3, 0]);
  });

  it("keeps a row that reads as the last one shown, rather than one that is higher by less than is seen", () => {
    const places = new Map([
      [0, 0],
      [3, 1],
    ]);
    expect(order([9, 7.4, 7.3, 7.1, 2], true, 2, (row) => places.get(row))).toEqual([0, 3]);
    expect(order([9, 8.4, 7.3, 7.1, 2], true, 2, (row) => places.get(row))).toEqual([0, 1]);
  });

  it("does not read every one of ten thousand values that are the same or too low", () => {
    let reads = 0;
    const values = Float64Array.from({ length: 10_000 }, (_, row) =>
      row < 3 ? 50 + row : row % 2 ? 0 : 0.001 * row,
    );
    const read = (value: number) => {
      reads++;
      return value.toFixed(1);
    };
    expect(ordered(all(values), values, true, 3, read, nowhere)).toEqual([2, 1, 0]);
    expect(ordered([...Array(10_000).keys()], new Float64Array(10_000), true, 2, read, nowhere)).toEqual([
      0, 1,
    ]);
    expect(reads).toBeLessThan(60);
  });
});

describe("the lines of a chart with many series", () => {
  const scores: Record<string, number> = { a: 5, b: 9, c: none, d: 7, e: 7, f: 1 };
  const choose = (limit: number, before: string[] = []) =>
    highest(Object.keys(scores), (item) => scores[item], limit, before);

  it("are all where they can be told apart", () => {
    expect(choose(6)).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  it("are the highest, the highest first; what has no value is the lowest", () => {
    expect(choose(4)).toEqual(["b", "d", "e", "a"]);
    expect(choose(5)).toContain("f");
  });

  it("keep their places, and one that is new takes a place that became free", () => {
    expect(choose(3, ["e", "f", "b"])).toEqual(["e", "d", "b"]);
  });

  it("are of equals those that were there", () => {
    expect(choose(2, ["e", "b"])).toEqual(["e", "b"]);
    expect(choose(2)).toEqual(["b", "d"]);
  });
});

describe("the rows of a bar list", () => {
  const disks = ["/", "/var"].map((mount) => series("disk", { mount }));

  it("are the series, each with the other metric's value for its labels", () => {
    const beside = [series("full_in", { mount: "/var" }), series("full_in", { mount: "/old" })];
    const plan = planOfSeries(disks, ["root", "var"], beside);
    const newest = (key: string) =>
      ({ [disks[0].key]: 50, [disks[1].key]: 70, [beside[0].key]: 3600, [beside[1].key]: 9 })[key] ?? none;
    expect(plan.texts).toEqual([["root"], ["var"]]);
    expect(valuesOf(plan, newest, [false, false]).map((column) => [...column])).toEqual([
      [50, 70],
      [none, 3600],
    ]);
  });

  it("may have nothing beside them", () => {
    expect(planOfSeries(disks, ["root", "var"], null).columns).toHaveLength(1);
  });
});
