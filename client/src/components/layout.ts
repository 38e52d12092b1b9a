/**
 * How panels lie on the page: neighbouring cards share a grid, as do charts and tables, and a row keeps its
 * panels under its title. Pure: a board's panels in, groups out. Compared with the previous groups, an
 * unchanged panel keeps its object, and a group that still has one of its panels keeps its id. So the page
 * keeps its elements while other panels come and go.
 *
 *   before   cards 1 (a b)   charts 2 (a b)
 *   after    cards 1 (a b c) charts 2 (a b c)   row 3 "nginx" (…)
 */
import type { Card, Panel, Row } from "../types.gen";

/** A panel that shares a grid with charts. */
export type Plotted = Exclude<Panel, Card | Row>;

/** How many rows a table shows by default. */
export const TABLE_ROWS = 10;

/** A row of panels. With a title it is a section, which starts folded or open. */
export interface RowGroup {
  type: "row";
  id: number;
  title: string;
  /** The joined titles of the row and the rows around it. Unique among rows with a title. */
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
  if ("metric" in panel) return [panel.metric];
  if (!("metrics" in panel)) return [];
  return "beside" in panel && panel.beside ? [...panel.metrics, panel.beside] : panel.metrics;
}

/** What a panel's element is found by: its metrics, or the title of one without any. */
export const targetOf = (panel: Plotted): string => metricsOf(panel).join(" ") || panel.title;

/** The previous panels by content. Each is handed out once. */
class Pool {
  readonly #panels = new Map<string, Panel[]>();

  constructor(groups: readonly Group[]) {
    for (const panel of groups.flatMap(leavesOf)) {
      const content = JSON.stringify(panel);
      const same = this.#panels.get(content);
      if (same === undefined) this.#panels.set(content, [panel]);
      else same.push(panel);
    }
  }

  take<T extends Panel>(panel: T): T {
    return (this.#panels.get(JSON.stringify(panel))?.shift() as T | undefined) ?? panel;
  }
}

/** Group a board's panels, reusing the previous groups where possible. */
export function arrange(panels: readonly Panel[], before: readonly Group[] = []): Group[] {
  return identified(grouped(panels, new Pool(before), new Set(), ""), before);
}

/** Return a path that no row has yet: the second "Disk" becomes "Disk (2)". */
function uniquePath(around: string, title: string, taken: Set<string>): string {
  const plain = [around, title].filter(Boolean).join(" / ");
  if (title === "") return plain;
  let path = plain;
  for (let number = 2; taken.has(path); number++) path = `${plain} (${number})`;
  taken.add(path);
  return path;
}

/** Group neighbours of the same kind. The ids are assigned later. */
function grouped(panels: readonly Panel[], pool: Pool, taken: Set<string>, around: string): Group[] {
  const groups: Group[] = [];
  for (const panel of panels) {
    const last = groups.at(-1);
    if (panel.type === "row") {
      const { title = "", note = "", folded = false } = panel;
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

/** The panels of a group, nested ones included, in order. */
export function leavesOf(group: Group): Panel[] {
  return group.type === "row" ? group.groups.flatMap(leavesOf) : [...group.panels];
}

/** Assign ids that are unique among neighbours. A freed id is not reused at once. */
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

/** Whether a group continues an old one: the same title for a titled row, otherwise a common panel. */
function goesOn(group: Group, old: Group): boolean {
  if (group.type === "row" && old.type === "row" && (group.title !== "" || old.title !== "")) {
    return group.title === old.title;
  }
  if (group.type !== old.type) return false;
  const leaves = new Set(leavesOf(old));
  return leavesOf(group).some((panel) => leaves.has(panel));
}

/** How many columns a panel spans: of two on a tablet, of twelve on a laptop, of sixty on a wall. */
export interface Span {
  two: number;
  twelve: number;
  sixty: number;
}

/** How many of the panels lie in each row: as evenly as possible, the fuller rows first. */
export function rowCounts(count: number, most: number): number[] {
  const rows = Math.ceil(count / most);
  return Array.from({ length: rows }, (_, row) => Math.floor(count / rows) + (row < count % rows ? 1 : 0));
}

/** For each panel, its columns if its row shares them evenly. */
const even = (count: number, most: number, columns: number): number[] =>
  rowCounts(count, most).flatMap((inRow) => Array<number>(inRow).fill(columns / inRow));

/** The preferred columns of a panel, of twelve. */
function wish(panel: Plotted): number {
  if (panel.type === "table") return panel.metrics.length === 1 && !panel.also?.length ? 3 : 5;
  return panel.type === "chart" && panel.metrics.length > 1 ? 5 : 4;
}

/** Give a row of three its preferred columns if they add up to twelve. */
function fitted(panels: readonly Plotted[]): number[] {
  let end = 0;
  return rowCounts(panels.length, 3).flatMap((inRow) => {
    end += inRow;
    const wishes = panels.slice(end - inRow, end).map(wish);
    const fits = inRow === 3 && wishes.reduce((sum, one) => sum + one, 0) === 12;
    return fits ? wishes : Array<number>(inRow).fill(12 / inRow);
  });
}

/**
 * Set the widths of a group's panels so that no row has a gap.
 *
 * @param wide for each panel, whether it needs the whole width of a laptop.
 */
export function spansOf(panels: readonly Plotted[], wide: readonly boolean[]): Span[] {
  const spans: Span[] = [];
  for (let start = 0; start < panels.length; ) {
    let end = start;
    while (end < panels.length && wide[end] === wide[start]) end++;
    const run = panels.slice(start, end);
    const two = wide[start] ? even(run.length, 1, 2) : even(run.length, 2, 2);
    const twelve = wide[start] ? even(run.length, 1, 12) : fitted(run);
    const sixty = even(run.length, wide[start] ? 2 : 5, 60);
    for (let i = 0; i < run.length; i++) spans.push({ two: two[i], twelve: twelve[i], sixty: sixty[i] });
    start = end;
  }
  return spans;
}
