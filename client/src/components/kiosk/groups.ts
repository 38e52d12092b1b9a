/**
 * How a board's series lie on a wall: groups of cells in columns of about the same height. The more series, the
 * smaller the cells. Pure: a board's groups and the size of the wall in, columns out.
 */
import type { Series } from "../../link/protocol";
import { type Group, leavesOf, metricsOf, type RowGroup } from "../layout";

export interface CellGroup {
  title: string;
  /** The path of the section; empty for panels outside any section. */
  path: string;
  series: readonly Series[];
}

/** The part of a group that lies in one column. */
export interface Part extends CellGroup {
  /** Whether it continues from the previous column. */
  continued: boolean;
  /** How many cells the whole group has. */
  total: number;
}

/** A size of cells. The style sheet has the same sizes. */
export interface CellSize {
  /** `full`: name, line and value. `line`: name and value in one line. `number`: the value. `dot`: nothing. */
  name: "full" | "line" | "number" | "small" | "dot";
  /** The least width, and the height, in rem. */
  width: number;
  height: number;
  /** The height of a group's heading, and what surrounds its cells, in rem. */
  heading: number;
}

/** From large to small. */
const SIZES: readonly CellSize[] = [
  { name: "full", width: 11.5, height: 3.625, heading: 2.875 },
  { name: "line", width: 11.5, height: 1.75, heading: 2.375 },
  { name: "number", width: 3.125, height: 1.8125, heading: 3 },
  { name: "small", width: 2.625, height: 1.4375, heading: 3 },
  { name: "dot", width: 1.625, height: 1, heading: 3 },
];
/** With more cells abreast, a name and its value are too far from each other. */
const MOST_ABREAST = 2;
/** The space between columns and between groups, in rem. */
const GAP = 1;
/** What surrounds the cells of a group at the sides, in rem. */
const SIDES = 1;
/** A heading with fewer rows below it moves to the next column. */
const LEAST_ROWS = 3;

/** The metrics of all panels, in order, but for tables, which have too many rows for a wall. */
function shownIn(groups: readonly Group[], isOpen: (row: RowGroup) => boolean): string[] {
  return groups.flatMap((group) => {
    if (group.type === "row") return isOpen(group) ? shownIn(group.groups, isOpen) : [];
    return leavesOf(group).flatMap((panel) => (panel.type === "table" ? [] : metricsOf(panel)));
  });
}

/** @param isOpen whether a section is open; a folded one is left out. */
export function cellGroups(
  groups: readonly Group[],
  isOpen: (row: RowGroup) => boolean,
  seriesOf: (metric: string) => readonly Series[],
): CellGroup[] {
  const found: CellGroup[] = [];
  const known = new Set<string>();
  const take = (path: string, title: string, inside: readonly Group[]): void => {
    const fresh = shownIn(inside, isOpen).filter((name) => !known.has(name) && known.add(name));
    const series = fresh.flatMap((name) => [...seriesOf(name)]);
    if (series.length === 0) return;
    const last = found.at(-1);
    // Neighbouring panels outside any section form one group.
    if (path === "" && last?.path === "")
      found[found.length - 1] = { ...last, series: [...last.series, ...series] };
    else found.push({ title, path, series });
  };
  for (const group of groups) {
    if (group.type !== "row") take("", "", [group]);
    else if (isOpen(group)) take(group.title === "" ? "" : group.path, group.title, group.groups);
  }
  return found;
}

/** From this share of its limit on, a value warms its cell. */
const WARM_FROM = 0.55;

/** How warm the cell of a value is, 0 to 100: nothing far from its limit, most at the limit or beyond. */
export function heatOf(value: number, limit: number | undefined): number {
  const share = limit === undefined || !(limit > 0) ? 0 : value / limit;
  return Math.round(100 * Math.min(1, Math.max(0, (share - WARM_FROM) / (1 - WARM_FROM) || 0)));
}

/** The size of the wall that is left for the cells. */
export interface Room {
  /** In rem. */
  width: number;
  height: number;
  columns: number;
}

export interface Laid {
  size: CellSize;
  /** How many cells lie abreast in a column. */
  abreast: number;
  columns: Part[][];
}

/** Lay groups in the largest cells in which all of them fit; in the smallest if they fit in none. */
export function laid(groups: readonly CellGroup[], { width, height, columns }: Room): Laid {
  const inColumn = (width - GAP * (columns - 1)) / columns - SIDES;
  const all = SIZES.map((size) => {
    const fit = Math.max(1, Math.floor(inColumn / size.width));
    const abreast = size.width > 10 ? Math.min(MOST_ABREAST, fit) : fit;
    return { size, abreast, columns: columnsOf(groups, columns, abreast) };
  });
  return (
    all.find((one) => Math.max(...one.columns.map((parts) => heightOf(parts, one))) <= height) ??
    all[all.length - 1]
  );
}

function heightOf(parts: readonly Part[], { size, abreast }: Laid): number {
  const cells = parts.reduce((sum, { series }) => sum + Math.ceil(series.length / abreast) * size.height, 0);
  return cells + parts.length * size.heading + Math.max(0, parts.length - 1) * GAP;
}

/** Spread groups over columns, in order and as evenly as possible, and split them where needed. */
export function columnsOf(groups: readonly CellGroup[], columns: number, abreast = MOST_ABREAST): Part[][] {
  const rowsOf = (cells: number): number => Math.ceil(cells / abreast);
  const all: Part[][] = [[]];
  /** The rows still to place, and the rows free in this column. */
  let rest = groups.reduce((sum, { series }) => sum + rowsOf(series.length) + 1, 0);
  let room = Math.ceil(rest / columns);
  const next = (): void => {
    room = Math.ceil(rest / (columns - all.length));
    all.push([]);
  };
  for (const group of groups) {
    let at = 0;
    while (at < group.series.length) {
      const left = rowsOf(group.series.length - at);
      const isEmpty = all[all.length - 1].length === 0;
      if (all.length < columns && !isEmpty && room - 1 < Math.min(left, LEAST_ROWS)) next();
      const taken = all.length === columns ? left : Math.max(1, Math.min(left, room - 1));
      const series = group.series.slice(at, at + taken * abreast);
      all[all.length - 1].push({ ...group, series, continued: at > 0, total: group.series.length });
      at += series.length;
      room -= taken + 1;
      rest -= taken + (at < group.series.length ? 0 : 1);
      if (at < group.series.length) next();
    }
  }
  return all;
}
