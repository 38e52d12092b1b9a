/**
 * The board's titled rows, in order, with the firing alerts of each. It can also go to a section: unfold it
 * with its parents, and reveal it. It must not know an element.
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
  /** The joined titles of the row and its parents; unique. */
  path: string;
  title: string;
  note: string;
  /** Whether it starts folded. */
  folded: boolean;
  /** How many sections enclose it. */
  depth: number;
  panels: readonly Panel[];
  /** The worst severity firing on its metrics, and the number of those alerts. */
  severity(): Severity | undefined;
  firing(): number;
}

/**
 * The target to reveal on the page: a section, the panel with this `data-metric`, or the chart of a metric, in
 * its absence the panel of a series.
 */
export type Target = { section: string } | { panel: string } | { chart: string; series: string };

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

/** The rows from the outermost to the one with a path; empty if there is no such row. */
function chainTo(groups: readonly Group[], path: string): RowGroup[] {
  for (const group of groups) {
    if (group.type !== "row") continue;
    if (group.title !== "" && group.path === path) return [group];
    const inner = chainTo(group.groups, path);
    if (inner.length > 0) return [group, ...inner];
  }
  return [];
}

/** @param reveal shows a target on the page, called after its sections are unfolded. */
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
     * Return the row requested in a table with these metrics, undefined for none; of `chart NAME` the series
     * requested in the charts of a metric. The request is then cleared, but all that ask in the same task get it.
     */
    takeRow(panel: string): string | undefined {
      const found = wanted();
      if (found?.panel !== panel) return undefined;
      queueMicrotask(() => setWanted((now) => (now === found ? null : now)));
      return found.row;
    },
    /** The worst severity firing in a section. */
    severityOf: (path: string): Severity | undefined => counts().get(path)?.severity,
    /** The innermost section that shows a metric, undefined if none does. */
    of: (metric: string): string | undefined => sectionsOf().get(metric)?.at(-1),
    /**
     * Unfold a section and reveal it, its panel or chart, or a row or series of that. The path "" is the page
     * itself.
     */
    go(path: string, panel?: string | { chart: string; series: string }, row?: string): void {
      const within = typeof panel === "object" ? `chart ${panel.chart}` : panel;
      setWanted(within === undefined || row === undefined ? null : { panel: within, row });
      for (const row of chainTo(board.groups(), path)) if (row.title !== "") rows.setOpen(row, true);
      reveal(panel === undefined ? { section: path } : typeof panel === "string" ? { panel } : panel);
    },
  };
}

export type SectionsStore = ReturnType<typeof createSectionsStore>;
