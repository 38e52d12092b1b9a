/** What has changed, put into effect: one list out of another, and a board that is kept up by changes alone. */
import { describe, expect, it } from "vitest";
import { changedBoard, changedList } from "../src/link/changes";
import type { MetricsChanged, Panel } from "../src/types.gen";
import { board, metric } from "./world";

describe("a list that changes", () => {
  it.each([
    [["a", "b", "c"], {}, ["a", "b", "c"]],
    [["a", "b", "c"], { removed: [0, 2] }, ["b"]],
    [["a", "b"], { at: [0, 2, 4], added: ["x", "y", "z"] }, ["x", "a", "y", "b", "z"]],
    [["a", "b", "c"], { removed: [1], at: [1, 3], added: ["x", "y"] }, ["a", "x", "c", "y"]],
    [[], { at: [0, 1], added: ["x", "y"] }, ["x", "y"]],
  ])("makes of %j with %j the list %j", (before, change, after) => {
    expect(changedList<string>(before, change)).toEqual(after);
  });
});

const card = (name: string): Panel => ({ type: "card", metric: name, title: name });
const row = (title: string, ...panels: Panel[]): Panel => ({ type: "row", panels, title });
const change = (before: number, more: Partial<MetricsChanged> = {}): MetricsChanged => ({
  type: "metrics_changed",
  epoch: "e",
  before,
  revision: before + 1,
  ...more,
});

describe("a board that changes", () => {
  const before = board("e", {
    revision: 4,
    metrics: [metric("a"), metric("b")],
    panels: [row("one", card("a")), row("two", card("b"))],
  });

  it("has the metrics and panels of the change, and keeps the objects of all else", () => {
    const after = changedBoard(
      before,
      change(4, {
        removed: ["b"],
        added: [metric("c")],
        panels: { removed: [1], rows_at: [0], rows: [{ at: [1], added: [card("c")] }] },
      }),
    );
    expect(after).toEqual({
      ...before,
      revision: 5,
      metrics: [metric("a"), metric("c")],
      panels: [row("one", card("a"), card("c"))],
    });
    expect(after?.metrics[0]).toBe(before.metrics[0]);
  });

  it("is not made of one that the change is not of", () => {
    expect(changedBoard(before, change(3))).toBeNull();
    expect(changedBoard(before, change(5))).toBeNull();
    expect(changedBoard(before, change(4, { epoch: "f" }))).toBeNull();
  });
});
