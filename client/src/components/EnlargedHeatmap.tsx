/** One heat map in place of the board, with its table. The link in the address bar opens it again. */
import "../styles/heatmap.css";
import { createSignal } from "solid-js";
import { bucketsOf } from "../chart/buckets";
import { csvOf } from "../chart/csv";
import { cellsOf, cellText } from "../chart/heat";
import type { HeatPlot } from "../chart/heatplot";
import { formatLabels } from "../format";
import type { Heatmap } from "../types.gen";
import { useStores } from "./context";
import { EnlargedFrame } from "./EnlargedFrame";
import { HeatCanvas, useBucketSets } from "./HeatCanvas";
import { HeatScale } from "./HeatScale";
import { HeatTable } from "./HeatTable";
import { useInView } from "./inView";

/** More buckets than any histogram has. */
const MOST_ROWS = 10_000;

export default function EnlargedHeatmap(props: { panel: Heatmap }) {
  const { stats } = useStores();
  const { labels = {}, metric, title, unit = "" } = props.panel;
  let section!: HTMLElement;
  let plot: HeatPlot | null = null;
  const inView = useInView(() => section, [bucketsOf(metric)]);
  const sets = useBucketSets(props.panel);
  const [most, setMost] = createSignal(0);

  /** The values per second in each bucket. */
  function csv(): string {
    const { intervalMs } = stats.window;
    const cells = cellsOf(stats.window, sets(), {
      ...{ intervalMs, columnMs: intervalMs, most: MOST_ROWS },
    });
    const rows = Math.max(0, cells.edges.length - 1);
    const lines = Array.from({ length: rows }, (_, row) => ({
      label: `${cellText(cells, row, unit)}, values /s`,
      values: cells.columns.map(({ total }, column) =>
        Number.isNaN(total) ? Number.NaN : cells.rates[column * rows + row],
      ),
    }));
    return csvOf(
      cells.columns.map(({ time }) => time),
      lines,
    );
  }

  return (
    <EnlargedFrame
      title={title}
      unit={unit}
      details={[unit, "share of values", formatLabels(labels)].filter(Boolean).join(" · ")}
      controls={<HeatScale most={most()} />}
      name={metric}
      csv={csv}
      canvas={() => plot?.canvas ?? null}
      ref={(found) => {
        section = found;
      }}
    >
      <div class="enlarged-main">
        <div class="chart-area">
          <HeatCanvas
            panel={props.panel}
            live={inView}
            onDrawn={(drawn) => {
              plot = drawn;
              setMost(drawn.cells.most);
            }}
          />
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access */}
        <section class="table-wide" tabIndex={0} aria-label={`${title}, table`}>
          <HeatTable panel={props.panel} live={inView} />
        </section>
      </div>
    </EnlargedFrame>
  );
}
