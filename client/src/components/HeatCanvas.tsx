/**
 * The canvas of a heat map, described for screen readers. It draws in turn with the charts, only while it is in
 * view, and shows the same moment.
 */
import { type Accessor, createEffect, createSignal, on, onCleanup } from "solid-js";
import { bucketsOf } from "../chart/buckets";
import {
  type BucketSet,
  bucketSets,
  type Cells,
  cellAt,
  cellText,
  fullestRow,
  shareText,
} from "../chart/heat";
import { HeatPlot } from "../chart/heatplot";
import { colorsOf } from "../chart/palette";
import type { Heatmap } from "../types.gen";
import { useBeat } from "./beat";
import { useStores } from "./context";
import { useDrawing, usePinched } from "./drawing";
import HeatReading from "./HeatReading";
import { useSeldom } from "./seldom";
import { useStale } from "./stale";
import { TimeCanvas } from "./TimeCanvas";

/** The buckets of a heat map's series, read again when the window has changed. */
export function useBucketSets(panel: Heatmap): () => readonly BucketSet[] {
  const { stats } = useStores();
  let known: { window: unknown; version: number; sets: readonly BucketSet[] } | null = null;
  return () => {
    const { window } = stats;
    const series = stats.seriesOf(bucketsOf(panel.metric));
    if (known?.window !== window || known.version !== window.version) {
      const ring = (key: string) => window.ring(key);
      const sets = bucketSets(series, panel.labels ?? {}, ring, (key) => window.bandOf(key)?.counts);
      known = { window, version: window.version, sets };
    }
    return known.sets;
  };
}

/** Over all columns, the row with the highest share. */
function sayWhole(cells: Cells, unit: string): string {
  const rows = cells.edges.length - 1;
  const sums = new Float64Array(Math.max(0, rows));
  let total = 0;
  cells.columns.forEach((column, i) => {
    total += column.total || 0;
    for (let row = 0; row < rows; row++) sums[row] += cells.rates[i * rows + row];
  });
  if (!(total > 0)) return "no values";
  const row = sums.indexOf(Math.max(...sums));
  return `most values ${cellText(cells, row, unit)}, ${shareText(sums[row] / total)} of all`;
}

/**
 * @param props.onDrawn receives the plot after each drawing.
 * @param props.onKey receives the keys that the canvas does not handle; returns whether it handled one.
 */
export function HeatCanvas(props: {
  panel: Heatmap;
  live: Accessor<boolean>;
  onDrawn: (plot: HeatPlot) => void;
  onKey?: (key: string) => boolean;
}) {
  const { connection, cursor, stats, theme } = useStores();
  const { metric, title, unit = "" } = props.panel;
  let element!: HTMLDivElement;
  let plot: HeatPlot | null = null;
  const sets = useBucketSets(props.panel);
  const stale = useStale(metric);
  const beat = useBeat(props.live);
  /** The row at the cursor. */
  const [row, setRow] = createSignal<number | null>(null);
  const [drawn, setDrawn] = createSignal(0, { equals: false });
  const isStale = () => stale() !== "" || (connection.tried() && !connection.live());
  const pinched = usePinched(() => element);

  function draw(): void {
    const { window } = stats;
    const range = pinched() ?? { from: window.until - window.spanMs, to: window.until };
    plot ??= new HeatPlot(element);
    plot.draw({
      ring: window,
      version: window.version,
      intervalMs: window.intervalMs,
      spanMs: range.to - range.from,
      until: range.to,
      sets: sets(),
      unit,
      stale: isStale(),
      colors: colorsOf(theme.shown()),
    });
    setDrawn(0);
    props.onDrawn(plot);
  }

  useDrawing(() => element, props.live, draw, isStale);
  createEffect(on(pinched, () => props.live() && draw(), { defer: true }));
  createEffect(() => {
    const [time, chosen] = [cursor.time(), row()];
    if (props.live()) plot?.moveCursor(time, chosen);
  });
  onCleanup(() => plot?.destroy());

  const description = useSeldom(
    () => {
      drawn();
      return beat();
    },
    () => {
      if (plot === null) return null;
      const { cells } = plot;
      const newest = cells.columns.length - 1;
      const row = newest < 0 ? null : fullestRow(cells, newest);
      const latest =
        row === null
          ? ""
          : `Latest: ${cellText(cells, row, unit)}, ${shareText(cellAt(cells, newest, row).share)}`;
      const whole = `Over all times: ${sayWhole(cells, unit)}`;
      return [`${title}, heat map`, whole, latest].filter(Boolean).join(". ");
    },
    title,
  );

  return (
    <TimeCanvas
      label={description()}
      ref={(found) => {
        element = found;
      }}
      axis={() => plot?.timeAxis ?? null}
      drawn={drawn}
      live={props.live}
      reading={(drawing) => (
        <HeatReading
          drawing={drawing}
          plot={() => plot as HeatPlot}
          unit={unit}
          onRow={setRow}
          onKey={props.onKey}
        />
      )}
    />
  );
}
