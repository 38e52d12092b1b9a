/** A heat map with its title, its scale and its table. It follows the ticks only while it is in view. */
import "../styles/heatmap.css";
import { createMemo, createSignal, Show } from "solid-js";
import { bucketsOf, heatId } from "../chart/buckets";
import { formatCount, formatLabels } from "../format";
import type { Heatmap } from "../types.gen";
import { useStores } from "./context";
import { HeatCanvas, useBucketSets } from "./HeatCanvas";
import { HeatScale } from "./HeatScale";
import { HeatTable } from "./HeatTable";
import { useInView } from "./inView";
import { PanelHead } from "./PanelHead";
import { useSeverity } from "./severity";
import { useStale } from "./stale";

/** The percentiles of a histogram are metrics with rules of their own. */
const PARTS = ["", ".p50", ".p95", ".p99"];

export default function HeatmapPanel(props: { panel: Heatmap }) {
  const { stats, view } = useStores();
  const { metric, labels = {}, title, unit = "" } = props.panel;
  let section!: HTMLElement;
  const inView = useInView(() => section, [bucketsOf(metric)]);
  const [asTable, setAsTable] = createSignal(false);
  const [most, setMost] = createSignal(0);
  const [isEmpty, setEmpty] = createSignal(false);
  const sets = useBucketSets(props.panel);
  const stale = useStale(metric);
  const names = PARTS.map((part) => metric + part);
  const severity = useSeverity(() =>
    names.flatMap((name) => [name, ...stats.seriesOf(name).map(({ key }) => key)]),
  );
  const count = createMemo(() => {
    stats.drawn();
    return sets().length;
  });
  const details = () =>
    [unit, "share of values", count() > 1 ? `${formatCount(count())} series` : ""]
      .filter(Boolean)
      .join(" · ");
  const enlarge = () => view.show({ type: "chart", id: heatId(props.panel) });

  return (
    <section
      class="chart heatmap"
      classList={{ stale: stale() !== "" }}
      ref={section}
      data-metric={metric}
      data-chart={heatId(props.panel)}
    >
      <PanelHead
        panel={props.panel}
        severity={severity()}
        details={details()}
        common={formatLabels(labels)}
        stale={stale()}
        onEnlarge={enlarge}
        items={[
          { text: `Show as ${asTable() ? "heat map" : "table"}`, run: () => setAsTable((shown) => !shown) },
        ]}
      >
        <Show when={!asTable()}>
          <HeatScale most={most()} />
        </Show>
      </PanelHead>
      <div class="chart-body">
        <div class="chart-area">
          <Show
            when={!asTable()}
            fallback={
              // biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access
              <section class="table-scroll" tabIndex={0} aria-label={`${title}, table`}>
                <HeatTable panel={props.panel} live={inView} />
              </section>
            }
          >
            <HeatCanvas
              panel={props.panel}
              live={() => inView() && !asTable()}
              onDrawn={({ cells }) => {
                setMost(cells.most);
                setEmpty(cells.edges.length === 0);
              }}
              onKey={(key) => {
                if (key === "e") enlarge();
                return key === "e";
              }}
            />
            <Show when={isEmpty()}>
              <p class="heat-empty">No values in this time</p>
            </Show>
          </Show>
        </div>
      </div>
    </section>
  );
}
