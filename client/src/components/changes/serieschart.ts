/** The chart of a series on the page: where it is, and how it gets there. */
import { createMemo } from "solid-js";
import { seriesKey } from "../../link/protocol";
import type { Panel } from "../../types.gen";
import { useStores } from "../context";
import { leavesOf, metricsOf, type Plotted, targetOf } from "../layout";

/** A series, by its metric and labels. */
interface Named {
  name: string;
  labels: Readonly<Record<string, string>>;
}

const isPlotted = (panel: Panel): panel is Plotted => panel.type !== "card" && panel.type !== "row";

/** @param covered whether the board must be uncovered first. */
export function useSeriesChart({ name, labels }: Named, covered: () => boolean) {
  const key = seriesKey(name, labels);
  const { board, pins, sections, view } = useStores();
  /** A chart comes before a table of the same metric, and the board's before a pinned one. */
  const panel = createMemo<Plotted | undefined>(() => {
    const all = [...board.groups().flatMap(leavesOf), ...pins.panels()].filter(isPlotted);
    const own = all.filter((one) => metricsOf(one).includes(name));
    return own.find(({ type }) => type === "chart") ?? own[0];
  });

  /** Unfold its section, scroll to it, and highlight the series. */
  function reveal(): void {
    const shown = panel();
    if (shown === undefined) return;
    const section = sections.all().findLast(({ panels }) => panels.includes(shown));
    const path = section?.path ?? "";
    if (shown.type === "chart") sections.go(path, { chart: name, series: key }, key);
    else sections.go(path, targetOf(shown), "label" in shown ? labels[shown.label ?? ""] : undefined);
  }

  return {
    isThere: () => panel() !== undefined,
    /** Whether there can be one: the metric may have left the board. */
    isPossible: () => panel() !== undefined || board.metric(name) !== undefined,
    /** Go to its panel. A metric without one gets a chart at the top of the page. */
    show(): void {
      if (panel() === undefined) {
        const title = board.metric(name)?.title ?? name;
        pins.toggle({ type: "chart", metrics: [name], title });
      }
      // The board, or the new panel, is there with the next frame.
      const go = () => requestAnimationFrame(reveal);
      if (covered()) view.leave(go);
      else go();
    },
  };
}
