/** Sections: the titled rows of a board, with what fires in each, and the way to them. */
import { createRoot, createSignal } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import type { Episode } from "../src/alerts/episodes";
import { arrange, type Group } from "../src/components/layout";
import { createRowsStore, type RowsStore } from "../src/stores/rows";
import { createSectionsStore, type SectionsStore, type Target } from "../src/stores/sections";
import type { Panel, Severity } from "../src/types.gen";
import { alert } from "./world";

const card = (metric: string): Panel => ({ type: "card", metric, title: metric });
const row = (title: string, ...panels: Panel[]): Panel => ({ type: "row", title, panels });
const firing = (metric: string, severity: Severity): Episode => ({
  alert: alert(`${metric} ${severity}`, { metric, severity }),
  ...{ state: "firing", grouped: false, began: 0, fired: 0, ended: Number.POSITIVE_INFINITY },
});
const forgetful = { load: () => [], save: () => {} };

describe("sections", () => {
  const [groups, setGroups] = createSignal<readonly Group[]>([]);
  const [episodes, setEpisodes] = createSignal<readonly Episode[]>([]);
  let rows: RowsStore;
  let revealed: Target[];
  let sections: SectionsStore;
  const show = (...panels: Panel[]) => setGroups((before) => arrange(panels, before));

  beforeEach(() => {
    setGroups([]);
    setEpisodes([]);
    revealed = [];
    rows = createRoot(() => createRowsStore(forgetful, forgetful));
    sections = createRoot(() =>
      createSectionsStore({ groups }, { firing: episodes }, rows, (target) => revealed.push(target)),
    );
  });

  it("are the titled rows in their order, those in a row after it", () => {
    show(card("a"), row("", row("Disk", card("b"), row("Space", card("c")))), row("Disk", card("d")));
    expect(sections.all().map(({ path, depth }) => [path, depth])).toEqual([
      ["Disk", 0],
      ["Disk / Space", 1],
      ["Disk (2)", 0],
    ]);
    expect(["a", "b", "c", "d"].map(sections.of)).toEqual([undefined, "Disk", "Disk / Space", "Disk (2)"]);
  });

  it("say what fires in them, the worst and how much", () => {
    show(row("Disk", card("b"), row("Space", card("c"))), row("Net", card("d")));
    setEpisodes([
      firing("b", "info"),
      firing("c", "critical"),
      firing("c", "warning"),
      firing("x", "critical"),
    ]);
    expect(sections.all().map((one) => [one.title, one.severity(), one.firing()])).toEqual([
      ["Disk", "critical", 3],
      ["Space", "critical", 2],
      ["Net", undefined, 0],
    ]);
    setEpisodes([]);
    expect(sections.all().map((one) => one.severity())).toEqual([undefined, undefined, undefined]);
  });

  it("are the same while they have the same panels", () => {
    show(row("Disk", card("b")), row("Net", card("d")));
    const [disk, net] = sections.all();
    show(row("Disk", card("b")), row("Net", card("d"), card("e")));
    expect(sections.all()[0]).toBe(disk);
    expect(sections.all()[1]).not.toBe(net);
    setEpisodes([firing("e", "warning")]);
    expect(sections.all()[1].severity()).toBe("warning");
  });

  it("are opened with all that they are in before they are shown", () => {
    show(row("Disk", row("Space", card("c"))));
    for (const path of ["Disk", "Disk / Space"]) rows.setOpen({ path, folded: false }, false);
    sections.go("Disk / Space", "c");
    expect(["Disk", "Disk / Space"].map((path) => rows.isOpen({ path, folded: false }))).toEqual([
      true,
      true,
    ]);
    sections.go("Disk");
    sections.go("Disk", { chart: "used", series: 'used{mount="/"}' });
    const chart = { chart: "used", series: 'used{mount="/"}' };
    expect(revealed).toEqual([{ panel: "c" }, { section: "Disk" }, chart]);
  });

  it("tell the row that was asked for once, to all tables of its metrics that are there", async () => {
    sections.go("", "cpu rss", "worker-1");
    expect(["cpu", "cpu rss", "cpu rss"].map(sections.takeRow)).toEqual([undefined, "worker-1", "worker-1"]);
    await Promise.resolve();
    expect(sections.takeRow("cpu rss")).toBeUndefined();
  });
});
