/** The contents of a chart, read from the stores: its lines, axis, rules and their firing times. */
import { type Accessor, createMemo, createSignal } from "solid-js";
import type { Scale, Threshold } from "../chart/scene";
import { shadesOf } from "../chart/shade";
import { formatText, formatTicks } from "../format";
import type { Chart } from "../types.gen";
import type { Picture } from "./ChartCanvas";
import { useStores } from "./context";
import { type Lines, useLines } from "./lines";
import { createStandout } from "./standout";

/** With more lines, a screen reader would talk for minutes. */
const DESCRIBED = 8;
const DESCRIBE_EVERY_MS = 10_000;

export interface ChartPicture extends Picture {
  lines: Lines["drawn"];
  all: Lines;
  hold: (held: boolean) => void;
  /** Update the description for screen readers. */
  describe: () => void;
  /** Update the description if it is old. */
  describeSeldom: () => void;
}

/** @param live whether the chart is drawn. */
export function usePicture(
  chart: Chart,
  live: Accessor<boolean>,
  scale: Accessor<Scale> = () => "automatic",
): ChartPicture {
  const { alerts, board, connection, stats } = useStores();
  const standout = createStandout();
  const [held, hold] = createSignal(false);
  const all = useLines(chart, live, held, standout.chosen);
  const [description, setDescription] = createSignal("");
  let described = Number.NEGATIVE_INFINITY;

  const unit = () => chart.unit || board.metric(chart.metrics[0])?.unit || (all.all()[0]?.unit ?? "");
  const only = () => (chart.metrics.length === 1 ? board.metric(chart.metrics[0]) : undefined);

  function describe(): void {
    described = connection.time();
    const lines = all.drawn().slice(0, DESCRIBED);
    const parts = lines.map(({ key, label, stale, unit: own }) => {
      const { last, min, max, avg } = stats.window.statsOf(key);
      const [l, lo, hi, a] = [last, min, max, avg].map((value) => formatText(value, own, [min, max]));
      const note = stale && `, ${stale}`;
      return `${label}${note}: latest ${l}, min ${lo}, max ${hi}, average ${a}`;
    });
    const count = all.all().length;
    const rest = count > DESCRIBED ? `The highest ${DESCRIBED} of ${count} series` : "";
    setDescription([`${chart.title}, line chart`, rest, ...parts].filter(Boolean).join(". "));
  }

  const thresholds = createMemo<readonly Threshold[]>((before) => {
    const next = board.thresholdsOf(chart.metrics).map(
      ({ threshold, severity }): Threshold => ({
        value: threshold as number,
        severity,
        label: `${formatTicks([threshold as number], unit())[0].replace(/%$/, "")} ${severity}`,
      }),
    );
    return JSON.stringify(before) === JSON.stringify(next) ? before : next;
  }, []);

  const shades = createMemo(() => {
    if (!live()) return [];
    const drawn = new Set(all.drawn().map(({ key }) => key));
    return shadesOf(chart.metrics.flatMap(alerts.episodesOf), drawn);
  });

  return {
    title: chart.title,
    lines: all.drawn,
    all,
    unit,
    limits: createMemo(() => ({ min: chart.min ?? only()?.min, max: chart.max ?? only()?.max })),
    stacked: chart.stacked ?? false,
    thresholds,
    shades,
    scale,
    labelled: () => !all.many() && all.all().length > 1,
    standout,
    description,
    hold,
    describe,
    describeSeldom: () => {
      if (connection.time() - described > DESCRIBE_EVERY_MS) describe();
    },
  };
}
