/**
 * How panels lie on the page: cards that follow each other flow in one grid, charts and tables in another, and a
 * row keeps its own together under its title. Pure: a board's panels in, groups out. Given the groups before, a
 * panel that is as it was keeps its object and a group that has some of its panels still keeps its id, so that
 * what is on the page stays there while others come and go.
 *
 *   before   cards 1 (a b)   charts 2 (a b)
 *   after    cards 1 (a b c) charts 2 (a b c)   row 3 "nginx" (…)
 */
import type { Card, Chart, Panel, Row, Table } from "../types.gen";

export type Plotted = Chart | Table;

/** A row of panels; with a title it is a section, which begins folded or open. */
export interface RowGroup {
  type: "row";
  id: number;
  title: string;
  /** The titles of the row and of those around it, joined. No two rows with a title have the same. */
  path: string;
  note: string;
  folded: boolean;
  groups: readonly Group[];
}

export type Group =
  | { type: "cards"; id: number; panels: readonly Card[] }
  | { type: "charts"; id: number; panels: readonly Plotted[] }
  | RowGroup;

/** The metrics that a panel shows. */
export function metricsOf(panel: Panel): readonly string[] {
  if (panel.type === "row") return panel.panels.flatMap(metricsOf);
  return panel.type === "card" ? [panel.metric] : panel.metrics;
}

/** Panels that were there, by what they say; each is given once. */
class Pool {
  private readonly panels = new Map<string, Panel[]>();

  constructor(groups: readonly Group[]) {
    for (const panel of groups.flatMap(leavesOf)) {
      const content = JSON.stringify(panel);
      const same = this.panels.get(content);
      if (same === undefined) this.panels.set(content, [panel]);
      else same.push(panel);
    }
  }

  take<T extends Panel>(panel: T): T {
    return (this.panels.get(JSON.stringify(panel))?.shift() as T | undefined) ?? panel;
  }
}

/** The groups of a board's panels, as much as can be those before. */
export function arrange(panels: readonly Panel[], before: readonly Group[] = []): Group[] {
  return identified(grouped(panels, new Pool(before), new Set(), ""), before);
}

/** A path that no row has yet: the second "Disk" is "Disk (2)". */
function uniquePath(around: string, title: string, taken: Set<string>): string {
  const plain = [around, title].filter(Boolean).join(" / ");
  if (title === "") return plain;
  let path = plain;
  for (let number = 2; taken.has(path); number++) path = `${plain} (${number})`;
  taken.add(path);
  return path;
}

/** Neighbours of one kind belong together. The ids are given afterwards. */
function grouped(panels: readonly Panel[], pool: Pool, taken: Set<string>, around: string): Group[] {
  const groups: Group[] = [];
  for (const panel of panels) {
    const last = groups.at(-1);
    if (panel.type === "row") {
      const { title = "", note = "", folded = false } = panel as Row & { note?: string; folded?: boolean };
      const path = uniquePath(around, title, taken);
      const inner = grouped(panel.panels, pool, taken, path);
      groups.push({ type: "row", id: 0, title, path, note, folded, groups: inner });
    } else if (panel.type === "card") {
      const card = pool.take(panel);
      if (last?.type === "cards") (last.panels as Card[]).push(card);
      else groups.push({ type: "cards", id: 0, panels: [card] });
    } else {
      const plotted = pool.take(panel);
      if (last?.type === "charts") (last.panels as Plotted[]).push(plotted);
      else groups.push({ type: "charts", id: 0, panels: [plotted] });
    }
  }
  return groups;
}

/** The panels of a group and of all in it, in order. */
export function leavesOf(group: Group): Panel[] {
  return group.type === "row" ? group.groups.flatMap(leavesOf) : [...group.panels];
}

/** Ids are unique among neighbours, and one that was given up is not given again at once. */
function identified(groups: readonly Group[], before: readonly Group[]): Group[] {
  const free = [...before];
  let next = Math.max(0, ...before.map(({ id }) => id));
  return groups.map((group) => {
    const place = free.findIndex((other) => goesOn(group, other));
    const [old] = place === -1 ? [] : free.splice(place, 1);
    const id = old?.id ?? ++next;
    if (group.type !== "row") return { ...group, id };
    return { ...group, id, groups: identified(group.groups, old?.type === "row" ? old.groups : []) };
  });
}

/** A row with a title is known by it, all else by a panel that is still there. */
function goesOn(group: Group, old: Group): boolean {
  if (group.type === "row" && old.type === "row" && (group.title !== "" || old.title !== "")) {
    return group.title === old.title;
  }
  if (group.type !== old.type) return false;
  const leaves = new Set(leavesOf(old));
  return leavesOf(group).some((panel) => leaves.has(panel));
}
