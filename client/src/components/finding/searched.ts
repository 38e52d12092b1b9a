/** All items that the search covers: firing alerts, metrics, series by label, table rows and sections. */
import { createMemo } from "solid-js";
import { SEVERITIES } from "../../alerts/entries";
import { formatLabels, formatText } from "../../format";
import { type Series, seriesKey } from "../../link/protocol";
import type { Severity, Table } from "../../types.gen";
import type { Searched } from "../../window/find";
import { useStores } from "../context";
import { leavesOf } from "../layout";
import { useShowAlert } from "../showAlert";

export interface Item extends Searched {
  id: string;
  severity?: Severity;
  /** The series that its spark shows. */
  series?: string;
  /** The newest value. */
  value?: () => string;
  go: () => void;
  /** The chart that Ctrl+Enter enlarges. */
  chart?: string;
}

export interface Found {
  title: string;
  items: () => readonly Item[];
}

export function useSearched(): readonly Found[] {
  const { alerts, board, sections, stats } = useStores();
  const showAlert = useShowAlert();

  function newest(key: string, unit: string): string {
    stats.drawn();
    const { last, min, max } = stats.window.statsOf(key);
    return Number.isNaN(last) ? "" : formatText(last, unit, [min, max]);
  }

  const panels = createMemo(() => board.groups().flatMap(leavesOf));
  const tables = () => panels().filter((panel): panel is Table => panel.type === "table");

  /** Find the panel that shows a series: its card, otherwise a chart or table of its metric. */
  function panelOf(name: string, key: string): string {
    if (panels().some((panel) => panel.type === "card" && panel.metric === name)) return key;
    const plotted = panels().find((panel) => "metrics" in panel && panel.metrics.includes(name));
    return plotted !== undefined && "metrics" in plotted ? plotted.metrics.join(" ") : key;
  }

  const goTo = (name: string, key: string) => () => sections.go(sections.of(name) ?? "", panelOf(name, key));

  const firing = createMemo<readonly Item[]>(() =>
    [...alerts.firing()]
      .sort((one, other) => SEVERITIES.indexOf(one.alert.severity) - SEVERITIES.indexOf(other.alert.severity))
      .map((episode) => {
        const { alert } = episode;
        const { id, message, metric = "", labels, severity } = alert;
        const key = seriesKey(metric, labels);
        return {
          ...{ id: `alert ${id}`, text: message, more: `${metric} ${formatLabels(labels ?? {})}`, severity },
          ...{ value: () => newest(key, board.unitOf(alert)), go: () => showAlert(episode), chart: metric },
        };
      }),
  );

  const metrics = createMemo<readonly Item[]>(() =>
    (board.board()?.metrics ?? []).map(({ name, title, unit }) => {
      const only = () => {
        const series = stats.seriesOf(name);
        return series.length === 1 ? series[0].key : undefined;
      };
      const key = only();
      return {
        ...{ id: `metric ${name}`, text: title, more: name, chart: name },
        ...{ series: key, value: () => (key === undefined ? "" : newest(key, unit)) },
        go: goTo(name, key ?? name),
      };
    }),
  );

  /** The metrics whose series are listed as table rows. */
  const inTables = () => new Set(tables().flatMap(({ metrics }) => metrics));

  const labelled = createMemo<readonly Item[]>(() => {
    const tabled = inTables();
    const others = (board.board()?.metrics ?? []).filter(({ name }) => !tabled.has(name));
    return others.flatMap(({ name, title, unit }) =>
      stats
        .seriesOf(name)
        .filter(({ labels }) => Object.keys(labels).length > 0)
        .map(({ key, labels }: Series) => ({
          ...{ id: `series ${key}`, text: formatLabels(labels), detail: title, more: name },
          ...{ series: key, value: () => newest(key, unit), go: goTo(name, key), chart: name },
        })),
    );
  });

  const tableRows = createMemo<readonly Item[]>(() =>
    tables().flatMap(({ metrics: [first, ...others], label, also = [], title }) => {
      const panel = [first, ...others].join(" ");
      const unit = board.metric(first)?.unit ?? "";
      const rows = new Map<string, Item>();
      for (const { key, labels } of stats.seriesOf(first)) {
        const text = labels[label];
        if (text === undefined) continue;
        const detail = [...also.map((name) => labels[name] ?? ""), title].filter(Boolean).join(" · ");
        rows.set(`${text} ${detail}`, {
          ...{ id: `row ${panel} ${key}`, text, detail },
          value: () => newest(key, unit),
          go: () => sections.go(sections.of(first) ?? "", panel, text),
        });
      }
      return [...rows.values()];
    }),
  );

  const titled = createMemo<readonly Item[]>(() =>
    sections.all().map(({ path, title, note, severity }) => ({
      ...{ id: `section ${path}`, text: title, detail: note, more: path },
      ...{ severity: severity(), go: () => sections.go(path) },
    })),
  );

  return [
    { title: "Firing", items: firing },
    { title: "Metrics", items: metrics },
    { title: "Table rows", items: tableRows },
    { title: "Series", items: labelled },
    { title: "Sections", items: titled },
  ];
}
