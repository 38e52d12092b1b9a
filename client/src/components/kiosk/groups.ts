/**
 * How a board's series lie on a wall: groups of cells in columns of about the same height. Pure: a board's
 * groups in, columns out.
 */
import type { Series } from "../../link/protocol";
import { type Group, leavesOf, type RowGroup } from "../layout";

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

const ABREAST = 2;
/** A heading with fewer rows below it moves to the next column. */
const LEAST_ROWS = 3;

/** The metrics of cards and charts, in order. Tables have too many rows for a wall. */
function shownIn(groups: readonly Group[], isOpen: (row: RowGroup) => boolean): string[] {
  return groups.flatMap((group) => {
    if (group.type === "row") return isOpen(group) ? shownIn(group.groups, isOpen) : [];
    return leavesOf(group).flatMap((panel) => {
      if (panel.type === "card") return [panel.metric];
      return panel.type === "chart" ? panel.metrics : [];
    });
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

const rowsOf = (cells: number): number => Math.ceil(cells / ABREAST);

/** Spread groups over columns, in order and as evenly as possible, and split them where needed. */
export function columnsOf(groups: readonly CellGroup[], columns: number): Part[][] {
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
      const series = group.series.slice(at, at + taken * ABREAST);
      all[all.length - 1].push({ ...group, series, continued: at > 0, total: group.series.length });
      at += series.length;
      room -= taken + 1;
      rest -= taken + (at < group.series.length ? 0 : 1);
      if (at < group.series.length) next();
    }
  }
  return all;
}
