/**
 * A chart with its title, its legend and its table. The plot is created when it first comes into view and
 * follows the ticks only while it is visible.
 */
import { createEffect, createMemo, createSignal, Show, untrack } from "solid-js";
import type { Plot } from "../chart/plot";
import { formatCount, formatTicks, formatValue } from "../format";
import type { Chart } from "../types.gen";
import { ChartCanvas } from "./ChartCanvas";
import { useStores } from "./context";
import { useInView } from "./inView";
import { Legend } from "./Legend";
import { onDemand } from "./LoadedPart";
import type { Line } from "./lines";
import { PanelHead } from "./PanelHead";
import { usePicture } from "./picture";
import { useSeverity } from "./severity";

const RankedTable = onDemand((parts) => parts.RankedTable, { fallback: () => <div class="ranked" /> });
const DataTable = onDemand((parts) => parts.DataTable);

/** Nobody reads a table with more columns. */
const COLUMNS = 40;

/** The newest value of a chart's only line. */
function Now(props: { line: Line; live: () => boolean }) {
  const { stats } = useStores();
  const text = createMemo<{ number: string; unit: string }>(
    (before) => {
      if (!props.live()) return before;
      stats.drawn();
      const { last, min, max } = stats.window.statsOf(props.line.key);
      return formatValue(last, props.line.unit, [min, max], stats.window.isWhole(props.line.key));
    },
    { number: "", unit: "" },
    { equals: (a, b) => a.number === b.number && a.unit === b.unit },
  );
  return (
    <span class="line-value" classList={{ stale: props.line.stale !== "" }}>
      {text().number}
      <Show when={text().unit !== "" && text().unit !== props.line.unit}> {text().unit}</Show>
    </span>
  );
}

export function ChartPanel(props: { chart: Chart }) {
  const { board, past, sections, view } = useStores();
  let section!: HTMLElement;
  const inView = useInView(() => section, props.chart.metrics);
  const [asTable, setAsTable] = createSignal(false);
  const [filter, setFilter] = createSignal("");
  /** Whether the lines are listed below, because their labels do not fit at the line ends. */
  const [listed, setListed] = createSignal(false);
  const [axis, setAxis] = createSignal(
    { min: 0, max: 1 },
    { equals: (a, b) => a.min === b.min && a.max === b.max },
  );
  const looked = () => inView() && !asTable();
  const picture = usePicture(props.chart, looked);
  // A range without values empties the picture of the one before.
  const live = () => looked() && (all().length > 0 || past.window() !== null);
  const { all, many, common } = picture.all;
  const severity = useSeverity(() => [...all().map(({ key }) => key), ...props.chart.metrics]);

  createEffect(() => {
    const wanted = props.chart.metrics.map((name) => sections.takeRow(`chart ${name}`)).find(Boolean);
    const { chosen, choose } = picture.standout;
    if (wanted !== undefined && !untrack(chosen)?.has(wanted)) choose(wanted, false);
  });

  const unit = picture.unit;
  /** The title without its unit, which stands beside it. */
  const title = () => props.chart.title.replace(` (${unit()})`, "");
  const details = () =>
    [
      unit(),
      many() ? `${formatCount(all().length)} series` : "",
      axis().min > 0 && !asTable() ? `axis from ${formatTicks([axis().min], unit())[0]}` : "",
    ]
      .filter(Boolean)
      .join(" · ");
  /** Which lines are stale; named unless all of them are. */
  const stale = createMemo(() => {
    const found = all().filter((line) => line.stale !== "");
    if (found.length === 0) return { whole: false, note: "" };
    const [first] = found;
    const whole = found.length === all().length;
    const which = found.length === 1 ? first.short : `${found.length} of ${all().length}`;
    return { whole, note: whole ? first.stale : `${which} ${first.stale}` };
  });
  const limit = createMemo(() => picture.thresholds().toSorted((a, b) => b.value - a.value)[0]);
  const isEnlarged = () => view.shown()?.type === "chart";
  const enlarge = () => view.show({ type: "chart", id: props.chart.metrics.join(",") });

  function onDrawn(plot: Plot): void {
    setAxis(plot.axis);
    setListed(picture.labelled() && !plot.hasLabels);
    picture.describeSeldom();
  }

  return (
    <section
      class="chart"
      classList={{ ranked: many(), stale: stale().whole }}
      ref={section}
      data-metric={props.chart.metrics.join(" ")}
    >
      <PanelHead
        panel={props.chart}
        title={title()}
        severity={severity()}
        details={details()}
        common={common()}
        stale={stale().note}
        onEnlarge={enlarge}
        items={[
          { text: `Show as ${asTable() ? "chart" : "table"}`, run: () => setAsTable((shown) => !shown) },
        ]}
      >
        <Show when={many() && !asTable()}>
          <input
            class="chart-filter"
            type="search"
            placeholder="Filter"
            aria-label={`Filter the series of ${props.chart.title}`}
            value={filter()}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </Show>
        <Show when={all().length === 1 && all()[0]}>{(line) => <Now line={line()} live={inView} />}</Show>
      </PanelHead>
      <div class="chart-body">
        <div class="chart-area">
          <Show
            when={!asTable()}
            fallback={
              // biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access
              <section class="table-scroll" tabIndex={0} aria-label={`${props.chart.title}, table`}>
                <DataTable
                  title={props.chart.title}
                  lines={picture.lines().slice(0, COLUMNS)}
                  all={all().length}
                  live={inView}
                />
              </section>
            }
          >
            <ChartCanvas
              picture={picture}
              live={live}
              onDrawn={onDrawn}
              onFocus={picture.describe}
              onKey={(key) => {
                // The chart keeps the focus until its enlarged one has loaded.
                if (key === "e") isEnlarged() ? view.close() : enlarge();
                return key === "e";
              }}
            />
          </Show>
        </div>
        <Show when={many() && !asTable()}>
          <RankedTable
            title={props.chart.title}
            lines={all()}
            drawn={picture.lines().length}
            what={picture.all.what()}
            unit={unit()}
            full={() => props.chart.max ?? board.metric(props.chart.metrics[0])?.max ?? axis().max}
            limit={limit()}
            filter={filter()}
            standout={picture.standout}
            live={live}
            onHold={picture.hold}
          />
        </Show>
        <Show when={listed() && !asTable()}>
          <Legend lines={all()} standout={picture.standout} live={live} />
        </Show>
      </div>
    </section>
  );
}
