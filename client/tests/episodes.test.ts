/** Of each alert the newest is known, however it was told; so many of one rule that they are one stay together. */
import { beforeEach, describe, expect, it } from "vitest";
import { Episodes, GROUP_ABOVE } from "../src/alerts/episodes";
import { alert, at } from "./world";

describe("the episodes", () => {
  let episodes: Episodes;
  const states = () => Object.fromEntries(episodes.all.map(({ alert, state }) => [alert.id, state]));
  const grouped = () => episodes.all.filter((episode) => episode.grouped).map((episode) => episode.alert.id);
  const disks = (count: number, more = {}) =>
    Array.from({ length: count }, (_, i) => alert(`d${i}`, { rule: "disk", ...more }));

  beforeEach(() => {
    episodes = new Episodes(3);
  });

  it("returns what is new and fires, once", () => {
    const fresh = () =>
      episodes
        .take([alert("a"), alert("b"), alert("b", { resolved: at(2) })], false)
        .map((episode) => episode.alert.id);
    expect(fresh()).toEqual(["a"]);
    expect(fresh()).toEqual([]);
  });

  it("names the host of an alert that came from one, once", () => {
    episodes.take(
      [alert("a", { host: "web-1", message: "CPU" }), alert("b", { host: "web-1", message: "web-1: CPU" })],
      false,
    );
    expect(episodes.all.map((episode) => episode.alert.message)).toEqual(["web-1: CPU", "web-1: CPU"]);
  });

  it("does not fire again what was resolved, when the beginning is replayed", () => {
    episodes.take([alert("a", { resolved: at(9) }), alert("a")], false);
    expect(states()).toEqual({ a: "resolved" });
  });

  it("loses what fired and is not among all that fire, and nothing that is over", () => {
    episodes.take([alert("old"), alert("over", { resolved: at(2) }), alert("still")], false);
    episodes.take([alert("still"), alert("new")], true);
    expect(states()).toEqual({ old: "lost", over: "resolved", still: "firing", new: "firing" });
    episodes.take([alert("old", { resolved: at(5) })], false);
    expect(states().old).toBe("resolved");
  });

  it("keeps all that fires and the newest of what is over", () => {
    const over = [1, 2, 3, 4, 5].map((i) => alert(`o${i}`, { timestamp: at(i), resolved: at(9) }));
    episodes.take([alert("f", { timestamp: at(0) }), ...over], false);
    expect(Object.keys(states()).sort()).toEqual(["f", "o3", "o4", "o5"]);
  });

  it("groups what one rule fires of more series than can be read, and not less", () => {
    episodes.take(disks(GROUP_ABOVE), false);
    expect(grouped()).toEqual([]);
    episodes.take([alert("more", { rule: "disk" }), alert("other", { rule: "cpu" })], false);
    expect(grouped()).toHaveLength(GROUP_ABOVE + 1);
  });

  it("keeps a group together while its alerts end, though only so many that are over are kept", () => {
    episodes.take(disks(20), false);
    episodes.take(disks(20, { resolved: at(9) }), false);
    expect(grouped()).toHaveLength(20);
  });

  it("groups by metric where a server gives no rule", () => {
    episodes.take(
      Array.from({ length: 6 }, (_, i) => alert(`d${i}`, { metric: i < 3 ? "disk" : "cpu" })),
      false,
    );
    expect(grouped()).toEqual([]);
    episodes.take(
      Array.from({ length: 6 }, (_, i) => alert(`e${i}`, { metric: "disk" })),
      false,
    );
    expect(grouped()).toHaveLength(9);
  });

  it("knows when the rule became true where it is told, else when it fired", () => {
    episodes.take(
      [alert("a", { timestamp: at(9), started: at(4) }), alert("b", { timestamp: at(9) })],
      false,
    );
    expect(episodes.all.map(({ began, fired }) => [began, fired])).toEqual([
      [4_000, 9_000],
      [9_000, 9_000],
    ]);
  });
});
