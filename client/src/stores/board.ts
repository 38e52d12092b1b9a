/**
 * The board's declarations, and the problems its owner must fix. When a new board arrives, unchanged
 * declarations stay the same objects, so that only changes are redrawn. It must not know values.
 */
import { createMemo, createSignal } from "solid-js";
import { arrange, type Group, leavesOf, metricsOf } from "../components/layout";
import type { FeedEvent } from "../link/feed";
import type { Alert, BoardInfo, MetricInfo, Problem, RuleInfo } from "../types.gen";
import { keptByContent } from "../window/kept";

export function createBoardStore() {
  const [board, setBoard] = createSignal<BoardInfo | null>(null);
  const [problems, setProblems] = createSignal<readonly Problem[]>([]);

  const infos = createMemo<readonly MetricInfo[]>(
    (before) => keptByContent(before, board()?.metrics ?? []),
    [],
  );
  const rules = createMemo<readonly RuleInfo[]>((before) => keptByContent(before, board()?.rules ?? []), []);
  const groups = createMemo<readonly Group[]>((before) => arrange(board()?.panels ?? [], before), []);
  const metrics = createMemo(() => new Map(infos().map((info) => [info.name, info])));

  /** When the values of each metric went stale: the time of its earliest problem. */
  const stale = createMemo(() => {
    const found = new Map<string, number>();
    for (const { metrics = [], since } of problems()) {
      const time = Date.parse(since);
      for (const name of metrics) if (!((found.get(name) ?? Number.NaN) <= time)) found.set(name, time);
    }
    return found;
  });

  /** The rules with a drawable threshold, by metric. */
  const thresholds = createMemo(() => {
    const found = new Map<string, RuleInfo[]>();
    for (const rule of rules()) {
      if (typeof rule.threshold !== "number" || !comparesPlainly(rule)) continue;
      const name = rule.metric ?? "";
      const others = found.get(name);
      if (others === undefined) found.set(name, [rule]);
      else others.push(rule);
    }
    return found;
  });

  /** Whether an alert's value and threshold are on its metric's own scale. */
  function isPlain(alert: Alert): boolean {
    const rule = rules().find(({ name }) => name === alert.rule);
    return rule === undefined || comparesPlainly(rule);
  }

  const showProblems = (after: readonly Problem[]) => setProblems((before) => keptByContent(before, after));

  function apply(event: FeedEvent): void {
    if (event.type === "board") {
      setBoard(event.board);
      showProblems(event.board.problems ?? []);
    }
    if (event.type === "problems") showProblems(event.problems);
    if (event.type === "snapshot" && event.board !== null) {
      setBoard(event.board);
      showProblems(event.problems);
    }
  }

  return {
    apply,
    /** Null until the server has answered once. */
    board,
    /** The panels in page order. A group that continues keeps its id, an unchanged panel its object. */
    groups,
    problems,
    /** When a metric's values went stale, milliseconds since 1970; undefined while they are current. */
    staleSince: (metric: string): number | undefined => stale().get(metric),
    /** The first metric on the page; undefined while the board has none. */
    firstMetric: (): string | undefined =>
      groups().flatMap(leavesOf).flatMap(metricsOf)[0] ?? infos()[0]?.name,
    title: () => board()?.title ?? "Live Dashboard",
    metric: (name: string): MetricInfo | undefined => metrics().get(name),
    /** The rules with a drawable threshold on a chart of these metrics. */
    thresholdsOf: (names: readonly string[]): RuleInfo[] =>
      names.flatMap((name) => thresholds().get(name) ?? []),
    isPlain,
    /** The unit of an alert's value: its metric's unit if the rule compares on that scale, else empty. */
    unitOf: (alert: Alert): string => (isPlain(alert) ? (metrics().get(alert.metric ?? "")?.unit ?? "") : ""),
  };
}

/** Matches conditions on another scale than the metric's. */
const OTHER_SCALE = / [-+*/] |\b(rate|change|stddev|count|anomaly|absent)\b|\btotal\(/;

/** Whether a rule compares a metric, or a stat on the metric's own scale: not a ratio of two, nor a count. */
export function comparesPlainly({ condition, metric = "" }: RuleInfo): boolean {
  const [first] = condition
    .replace(metric, "")
    .replaceAll(/"[^"]*"/g, "")
    .split(/ [&|] /);
  return !OTHER_SCALE.test(first);
}

export type BoardStore = ReturnType<typeof createBoardStore>;
