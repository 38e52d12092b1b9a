/**
 * The board's titled rows, in order, with what fires in each. It takes the board's panels and the firing alerts, and
 * goes to a section: unfolds it and all that it is in, and has it shown. It must not know an element.
 */
import { createMemo, createSignal } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import type { Episode } from "../alerts/episodes";
import { type Group, leavesOf, metricsOf, type RowGroup } from "../components/layout";
import type { Panel, Severity } from "../types.gen";
import { kept } from "../window/kept";
import type { BoardStore } from "./board";
import type { RowsStore } from "./rows";

export interface Section {
  /** The titles of the row and of those around it, joined. No two sections have the same. */
  path: string;
  title: string;
  note: string;
  /** How it begins. */
  folded: boolean;
  /** How many sections it is in. */
  depth: number;
  panels: readonly Panel[];
  /** The worst severity that fires on a metric in it, and how many alerts do. */
  severity(): Severity | undefined;
  firing(): number;
}

/** What is to be shown on the page: a section, or the panel with this `data-metric`. */
export type Target = { section: string } | { panel: string };

interface Counted {
  severity: Severity;
  count: number;
}

function add(counts: Map<string, Counted>, key: string, { severity, count }: Counted): void {
  const before = counts.get(key);
  const worst = SEVERITIES.find((one) => one === severity || one === before?.severity) ?? severity;
  counts.set(key, { severity: worst, count: count + (before?.count ?? 0) });
}

function* titled(groups: readonly Group[], depth = 0): Generator<[RowGroup, number]> {
  for (const group of groups) {
    if (group.type !== "row") continue;
    if (group.title !== "") yield [group, depth];
    yield* titled(group.groups, group.title === "" ? depth : depth + 1);
  }
}

/** The titled rows from the outermost to the one with a path; none when there is no such row. */
function chainTo(groups: readonly Group[], path: string): RowGroup[] {
  for (const group of groups) {
    if (group.type !== "row") continue;
    if (group.title !== "" && group.path === path) return [group];
    const inner = chainTo(group.groups, path);
    if (inner.length > 0) return [group, ...inner];
  }
  return [];
}

/** @param reveal shows something on the page; what it is in has been unfolded. */
export function createSectionsStore(
  board: Pick<BoardStore, "groups">,
  alerts: { firing(): readonly Episode[] },
  rows: RowsStore,
  reveal: (target: Target) => void,
) {
  const all = createMemo<readonly Section[]>((before) => {
    const known = new Map(before.map((section) => [section.path, section]));
    const after = Array.from(titled(board.groups()), ([row, depth]): Section => {
      const { path, title, note, folded } = row;
      const old = known.get(path);
      const panels = kept(old?.panels, leavesOf(row));
      if (old?.note === note && old.folded === folded && old.depth === depth && old.panels === panels)
        return old;
      const found = () => counts().get(path);
      return {
        ...{ path, title, note, folded, depth, panels },
        severity: () => found()?.severity,
        firing: () => found()?.count ?? 0,
      };
    });
    return kept(before, after);
  }, []);

  const sectionsOf = createMemo(() => {
    const found = new Map<string, string[]>();
    for (const { path, panels } of all()) {
      for (const name of new Set(panels.flatMap(metricsOf)))
        found.set(name, [...(found.get(name) ?? []), path]);
    }
    return found;
  });

  const counts = createMemo(() => {
    const metrics = new Map<string, Counted>();
    for (const { alert } of alerts.firing()) {
      add(metrics, alert.metric ?? "", { severity: alert.severity, count: 1 });
    }
    const sections = new Map<string, Counted>();
    for (const [name, counted] of metrics) {
      for (const path of sectionsOf().get(name) ?? []) add(sections, path, counted);
    }
    return sections;
  });

  const [wanted, setWanted] = createSignal<{ panel: string; row: string } | null>(null);

  return {
    all,
    /**
     * The row that was asked for last in a table with these metrics, undefined for none. It is told once, to all such
     * tables that ask at that time.
     */
    takeRow(panel: string): string | undefined {
      const found = wanted();
      if (found?.panel !== panel) return undefined;
      queueMicrotask(() => setWanted((now) => (now === found ? null : now)));
      return found.row;
    },
    /** The worst severity that fires in a section. */
    severityOf: (path: string): Severity | undefined => counts().get(path)?.severity,
    /** The innermost section that shows a metric, undefined when none does. */
    of: (metric: string): string | undefined => sectionsOf().get(metric)?.at(-1),
    /** Unfold a section and show it, or one panel in it, or a row of that. A path of "" is the page itself. */
    go(path: string, panel?: string, row?: string): void {
      setWanted(panel === undefined || row === undefined ? null : { panel, row });
      for (const row of chainTo(board.groups(), path)) if (row.title !== "") rows.setOpen(row, true);
      reveal(panel === undefined ? { section: path } : { panel });
    },
  };
}

export type SectionsStore = ReturnType<typeof createSectionsStore>;
