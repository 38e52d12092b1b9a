/** All items that the search covers: firing alerts, metrics, series by label, rows, texts and sections. */
import { createMemo } from "solid-js";
import { SEVERITIES } from "../../alerts/entries";
import { meaningOf, statesByMetric } from "../../chart/states";
import { formatLabels, formatText } from "../../format";
import { type Series, seriesKey } from "../../link/protocol";
import type { Panel, Severity, TextNode } from "../../types.gen";
import type { Searched } from "../../window/find";
import { useStores } from "../context";
import { leavesOf, metricsOf, targetOf } from "../layout";
import { namedSeries } from "../seriesNames";
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

/** Panels with a row for each series or label, which can be filtered. */
const HAVE_ROWS: ReadonlySet<string> = new Set(["table", "bars", "states"]);

const plain = (node: TextNode): string =>
  typeof node === "string" ? node : (node.content ?? []).map(plain).join("");

export function useSearched(): readonly Found[] {
  const { alerts, board, comparison, sections, stats } = useStores();
  const showAlert = useShowAlert();

  const panels = createMemo(() => board.groups().flatMap(leavesOf));
  const states = createMemo(() => statesByMetric(panels()));

  function newest(key: string, unit: string): string {
    stats.drawn();
    const { last, min, max } = stats.window.statsOf(key);
    if (Number.isNaN(last)) return "";
    const named = states().get(key.split("{", 1)[0]);
    if (named !== undefined) return meaningOf(named, { low: last, high: last }, unit).text;
    return formatText(last, unit, [min, max]);
  }

  /** Find the panel that shows a series: its card, otherwise a chart or table of its metric. */
  function panelOf(name: string, key: string): string {
    if (panels().some((panel) => panel.type === "card" && panel.metric === name)) return key;
    const plotted = panels().find((panel) => metricsOf(panel).includes(name));
    return plotted === undefined ? key : metricsOf(plotted).join(" ");
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

  /** The metrics whose series are listed as rows. */
  const inRows = () =>
    new Set(panels().flatMap((panel) => (HAVE_ROWS.has(panel.type) ? metricsOf(panel) : [])));

  const labelled = createMemo<readonly Item[]>(() => {
    const listed = inRows();
    const others = (board.board()?.metrics ?? []).filter(({ name }) => !listed.has(name));
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

  /** The rows of a panel: for each its text, what else is shown of it, and its series. */
  function rowsOf(panel: Panel): { text: string; detail: string; key: string }[] {
    if (panel.type === "table") {
      const { metrics, label, also = [], title } = panel;
      return stats.seriesOf(metrics[0]).flatMap(({ key, labels }) => {
        const detail = [...also.map((name) => labels[name] ?? ""), title].filter(Boolean).join(" · ");
        return labels[label] === undefined ? [] : [{ text: labels[label], detail, key }];
      });
    }
    if (panel.type !== "bars" && panel.type !== "states") return [];
    const metrics = panel.type === "bars" ? panel.metrics : [panel.metric];
    const named = namedSeries(metrics.flatMap(stats.seriesOf), (name) => board.metric(name)?.title ?? name);
    return named.map(({ name, series }) => ({ text: name, detail: panel.title, key: series.key }));
  }

  const rows = createMemo<readonly Item[]>(() =>
    panels().flatMap((panel) => {
      const [first] = metricsOf(panel);
      const target = metricsOf(panel).join(" ");
      const found = rowsOf(panel).map(({ text, detail, key }): [string, Item] => [
        `${text} ${detail}`,
        {
          ...{ id: `row ${target} ${key}`, text, detail },
          value: () => newest(key, board.metric(first)?.unit ?? ""),
          go: () => sections.go(sections.of(first) ?? "", target, text),
        },
      ]);
      return [...new Map(found).values()];
    }),
  );

  const texts = createMemo<readonly Item[]>(() =>
    panels().flatMap((panel) => {
      if (panel.type !== "text" || panel.title === "") return [];
      const path = sections.all().findLast((section) => section.panels.includes(panel))?.path;
      return [
        {
          ...{ id: `text ${panel.title}`, text: panel.title, more: panel.content.map(plain).join(" ") },
          go: () => sections.go(path ?? "", targetOf(panel)),
        },
      ];
    }),
  );

  const titled = createMemo<readonly Item[]>(() =>
    sections.all().map(({ path, title, note, severity }) => ({
      ...{ id: `section ${path}`, text: title, detail: note, more: path },
      ...{ severity: severity(), go: () => sections.go(path) },
    })),
  );

  const actions: readonly Item[] = [
    {
      ...{ id: "action changes", text: "What changed?", more: "compare before" },
      ...{ detail: "the time on the page against the time before", go: comparison.openPage },
    },
  ];

  return [
    { title: "Firing", items: firing },
    { title: "Metrics", items: metrics },
    { title: "Rows", items: rows },
    { title: "Series", items: labelled },
    { title: "Texts", items: texts },
    { title: "Sections", items: titled },
    { title: "Actions", items: () => actions },
  ];
}
