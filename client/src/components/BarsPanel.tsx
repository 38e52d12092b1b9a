/**
 * The newest value of each series as a bar, the highest first, with the threshold of a rule as a notch. Rows
 * change places seldom. Off screen it costs nothing.
 */
import "../styles/tables.css";
import "../styles/bars.css";
import { createEffect, createMemo, createSignal, For, Index, Show } from "solid-js";
import { type Extent, formatBeside, formatCount, formatText } from "../format";
import { seriesKey } from "../link/protocol";
import type { Bars } from "../types.gen";
import { kept } from "../window/kept";
import { planOfSeries, type Sorting } from "../window/table";
import { useStores } from "./context";
import { useInView } from "./inView";
import { metricsOf, targetOf } from "./layout";
import { Name } from "./Name";
import { PanelHead } from "./PanelHead";
import { SeverityShape } from "./SeverityShape";
import { namedSeries } from "./seriesNames";
import { useLimits, useSeverity } from "./severity";
import { useStale } from "./stale";
import { MOST_ROWS, shareOf, useColumns, useTableView } from "./tableView";

const LIMIT = 10;
const HIGHEST_FIRST: Sorting = { of: "metric", at: 0, descending: true };

/** `full in` for the title "Full in"; an abbreviation stays. */
const lowered = (title: string): string =>
  title.replace(/^\p{Lu}(?=\p{Ll})/u, (letter) => letter.toLowerCase());

export default function BarsPanel(props: { panel: Bars; pinned: boolean }) {
  const { alerts, board, sections, stats, view: views } = useStores();
  const { metrics, title, beside = "" } = props.panel;
  const least = props.panel.limit ?? LIMIT;
  let section!: HTMLElement;
  let pointed = false;
  const inView = useInView(() => section, metricsOf(props.panel));
  const [filter, setFilter] = createSignal("");
  const [all, setAll] = createSignal(false);
  const titleOf = (name: string) => board.metric(name)?.title ?? name;
  const named = createMemo(() => namedSeries(metrics.flatMap(stats.seriesOf), titleOf));
  const plan = createMemo(() =>
    planOfSeries(
      named().map(({ series }) => series),
      named().map(({ name }) => name),
      beside === "" ? null : stats.seriesOf(beside),
    ),
  );
  const byKey = createMemo(() => new Map(named().map((one) => [one.series.key, one])));
  const ends = () => ({ max: props.panel.max ?? board.metric(metrics[0])?.max });
  const shownMetrics = beside === "" ? metrics.slice(0, 1) : [metrics[0], beside];
  const columns = useColumns(shownMetrics);
  /** The unit of the bars' values stands in the title. */
  const write = (value: number, unit: string, extent: Extent, column: number) => {
    if (column === 0) return formatBeside(value, unit, unit, extent);
    return Number.isNaN(value) ? "" : formatText(value, unit, extent);
  };
  const view = useTableView(
    { metrics: shownMetrics, plan, limits: ends },
    columns,
    {
      ...{ sorting: () => HIGHEST_FIRST, filter, limit: () => (all() ? MOST_ROWS : least) },
      ...{ held: () => pointed, live: inView },
    },
    write,
  );
  const keys = createMemo<readonly string[]>(
    (before) =>
      kept(
        before,
        view().rows.map(({ key }) => key),
      ),
    [],
  );
  /** The most rows so far, up to the limit, so that the page below does not move. */
  const height = createMemo<number>((before) => Math.max(before, Math.min(least, keys().length)), 1);
  /** The longest texts so far. Otherwise every tick would move the bars. */
  const widths = createMemo<readonly number[]>(
    (before) =>
      [0, 1, 2].map((at) => {
        const lengths = view().rows.map(({ short, cells }) => [short, ...cells][at]?.length ?? 0);
        return Math.max(before[at] ?? 0, ...lengths);
      }),
    [],
  );
  const besideTitle = () => lowered(titleOf(beside));
  const severity = useSeverity(() => [
    ...metricsOf(props.panel),
    ...metricsOf(props.panel).flatMap((name) => stats.seriesOf(name).map(({ key }) => key)),
  ]);
  const limits = useLimits(metrics[0], severity);
  /** The places of the thresholds on the scale. */
  const notches = createMemo<readonly number[]>(
    (before) =>
      kept(
        before,
        limits()
          .map(({ value }) => shareOf(value, view().scale))
          .filter((share) => share > 0 && share < 1),
      ),
    [],
  );
  const stale = useStale(metrics[0]);
  const severityOf = (key: string) => {
    const labels = byKey().get(key)?.series.labels;
    return (
      alerts.severityOf(key) ?? (beside === "" ? undefined : alerts.severityOf(seriesKey(beside, labels)))
    );
  };
  const enlarge = () => views.show({ type: "chart", id: metrics.join(",") });
  const unit = () => columns()[0].unit;

  createEffect(() => {
    const wanted = sections.takeRow(targetOf(props.panel));
    if (wanted !== undefined) setFilter(named().length > least ? wanted : "");
  });

  return (
    <section
      class="chart bars"
      classList={{ stale: stale() !== "" }}
      ref={section}
      data-metric={targetOf(props.panel)}
      data-chart={metrics.join(",")}
    >
      <PanelHead
        panel={props.panel}
        title={title.replace(` (${unit()})`, "")}
        severity={severity()}
        details={unit()}
        stale={stale()}
        onEnlarge={enlarge}
      >
        <Show when={named().length > least}>
          <input
            class="chart-filter"
            type="search"
            placeholder="Filter"
            aria-label={`Filter ${title}`}
            value={filter()}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </Show>
      </PanelHead>
      <section
        class="bars-scroll"
        classList={{ all: all() }}
        tabIndex={all() ? 0 : undefined}
        aria-label={props.pinned ? `${title}, pinned` : title}
        style={{ "--rows": height() }}
        onPointerEnter={() => {
          pointed = true;
        }}
        onPointerLeave={() => {
          pointed = false;
        }}
      >
        <table class="bars-table">
          <caption class="visually-hidden">{`${title}, newest values, the highest first`}</caption>
          <colgroup>
            <col class="bars-name" style={{ "--width": `${widths()[0]}ch` }} />
            <col />
            <col style={{ width: `${widths()[1] + 2}ch` }} />
            <Show when={beside}>
              <col class="bars-beside" style={{ width: `${besideTitle().length + widths()[2] + 2}ch` }} />
            </Show>
          </colgroup>
          <tbody>
            {/* Keyed by place: a tick changes only texts and moves no element. */}
            <Index each={keys()}>
              {(key, place) => {
                const row = () => view().rows[place];
                const zero = () => shareOf(0, view().scale);
                const bar = () => row()?.bar ?? zero();
                return (
                  <tr data-severity={severityOf(key())}>
                    <th scope="row">
                      <Show when={severityOf(key())}>{(worst) => <SeverityShape severity={worst()} />}</Show>
                      <Name text={row()?.texts[0] ?? ""} short={row()?.short} />
                    </th>
                    <td class="bars-cell">
                      <span class="bars-bar" aria-hidden="true">
                        <span
                          style={{
                            left: `${Math.min(bar(), zero()) * 100}%`,
                            width: `${Math.abs(bar() - zero()) * 100}%`,
                          }}
                        />
                        <For each={notches()}>{(share) => <i style={{ left: `${share * 100}%` }} />}</For>
                      </span>
                    </td>
                    <td class="bars-value">{row()?.cells[0]}</td>
                    <Show when={beside}>
                      <td class="bars-beside">
                        <Show when={row()?.cells[1]}>
                          {besideTitle()} {row()?.cells[1]}
                        </Show>
                      </td>
                    </Show>
                  </tr>
                );
              }}
            </Index>
          </tbody>
        </table>
        <Show when={keys().length === 0}>
          <p class="no-rows">{filter() === "" ? "No current values" : `No series matches “${filter()}”`}</p>
        </Show>
      </section>
      <Show when={named().length > least}>
        <div class="table-foot">
          <span class="table-count">{`${view().rows.length} of ${formatCount(view().matching)}`}</span>
          <Show when={all() || view().matching > least}>
            <button type="button" class="link" onClick={() => setAll((shown) => !shown)}>
              {all() ? "Fewer" : "All"}
            </button>
          </Show>
        </div>
      </Show>
    </section>
  );
}
