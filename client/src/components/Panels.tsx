/**
 * The panels in declared order. Neighbouring cards share a grid, as do charts and tables, and a titled row is
 * a section that folds. When panels come and go, the others keep their elements: groups are keyed by id,
 * panels by object.
 */
import { type Accessor, createMemo, createUniqueId, For, type JSX, Show } from "solid-js";
import type { Card, Table } from "../types.gen";
import { ChartPanel } from "./ChartPanel";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { onDemand } from "./LoadedPart";
import { type Group, type Plotted, type RowGroup, spansOf, TABLE_ROWS } from "./layout";
import { MetricCard } from "./MetricCard";
import { SeverityShape } from "./SeverityShape";
import { Skeleton } from "./Skeleton";

const AS_CHART = { fallback: () => <section class="chart" /> };
const TablePanel = onDemand((parts) => parts.TablePanel, {
  fallback: ({ table }) => <section class="table-panel" style={{ "--rows": table.limit ?? TABLE_ROWS }} />,
});
const HeatmapPanel = onDemand((parts) => parts.HeatmapPanel, AS_CHART);
const StatesPanel = onDemand((parts) => parts.StatesPanel, AS_CHART);
const BarsPanel = onDemand((parts) => parts.BarsPanel, AS_CHART);
const HostsPanel = onDemand((parts) => parts.HostsPanel, AS_CHART);
const TextPanel = onDemand((parts) => parts.TextPanel, AS_CHART);

/** A chart with more series has a ranked table beside it. */
const MANY_SERIES = 8;
/** A table with more metrics or columns takes the whole width. */
const MOST_METRICS = 3;
const MOST_COLUMNS = 5;

const isWideTable = ({ metrics, also = [] }: Table): boolean =>
  metrics.length > MOST_METRICS || metrics.length + also.length > MOST_COLUMNS;

function Cards(props: { panels: readonly Card[]; section: string }) {
  return (
    <div class="metric-cards">
      <For each={props.panels}>{(card) => <MetricCard card={card} section={props.section} />}</For>
    </div>
  );
}

/** Whether each panel needs the whole width. A panel that has needed it once keeps it. */
function useWide(panels: () => readonly Plotted[]): () => readonly boolean[] {
  const { stats } = useStores();
  const known = new WeakSet<Plotted>();
  const isWide = (panel: Plotted): boolean => {
    if (known.has(panel)) return true;
    const wide =
      panel.type === "table"
        ? isWideTable(panel)
        : panel.type === "hosts" ||
          (panel.type === "chart" &&
            panel.metrics.reduce((sum, name) => sum + stats.seriesOf(name).length, 0) > MANY_SERIES);
    if (wide) known.add(panel);
    return wide;
  };
  return () => panels().map(isWide);
}

function plotted(panel: Plotted, pinned: boolean): JSX.Element {
  switch (panel.type) {
    case "chart":
      return <ChartPanel chart={panel} />;
    case "table":
      return <TablePanel table={panel} pinned={pinned} />;
    case "heatmap":
      return <HeatmapPanel panel={panel} />;
    case "states":
      return <StatesPanel panel={panel} />;
    case "bars":
      return <BarsPanel panel={panel} pinned={pinned} />;
    case "hosts":
      return <HostsPanel panel={panel} />;
    default:
      return <TextPanel panel={panel} pinned={pinned} />;
  }
}

function Charts(props: { panels: readonly Plotted[]; pinned?: boolean }) {
  const wide = useWide(() => props.panels);
  const spans = createMemo(() => spansOf(props.panels, wide()));
  const spanOf = (place: number) => spans()[place] ?? { two: 2, twelve: 12, sixty: 60 };
  return (
    <div class="charts">
      <For each={props.panels}>
        {(panel, place) => (
          <div
            class="place"
            style={{
              "--of-two": spanOf(place()).two,
              "--of-twelve": spanOf(place()).twelve,
              "--of-sixty": spanOf(place()).sixty,
            }}
          >
            {plotted(panel, props.pinned ?? false)}
          </div>
        )}
      </For>
    </div>
  );
}

/** A row of panels. While folded, its panels are not mounted and cost nothing. */
function Row(props: { row: RowGroup }) {
  const { rows, sections } = useStores();
  const id = createUniqueId();
  const open = () => props.row.title === "" || rows.isOpen(props.row);
  return (
    <section class="row" classList={{ folded: !open() }} data-section={props.row.path}>
      <Show when={props.row.title}>
        <h2>
          <button
            type="button"
            class="row-toggle"
            aria-expanded={open()}
            aria-controls={id}
            onClick={() => rows.toggle(props.row)}
          >
            <Icon name="chevron" />
            {props.row.title}
          </button>
          <Show when={sections.severityOf(props.row.path)}>
            {(severity) => <SeverityShape severity={severity()} />}
          </Show>
          <Show when={props.row.note}>
            <span class="row-note">{props.row.note}</span>
          </Show>
        </h2>
      </Show>
      <div class="row-panels" id={id} hidden={!open()}>
        <Show when={open()}>
          <Groups groups={props.row.groups} section={props.row.title} />
        </Show>
      </div>
    </section>
  );
}

function GroupOf(props: { group: Group; section: string }) {
  return (
    <>
      <Show when={props.group.type === "cards" && props.group}>
        {(group) => <Cards panels={group().panels} section={props.section} />}
      </Show>
      <Show when={props.group.type === "charts" && props.group}>
        {(group) => <Charts panels={group().panels} />}
      </Show>
      <Show when={props.group.type === "row" && props.group}>{(group) => <Row row={group()} />}</Show>
    </>
  );
}

function Groups(props: { groups: readonly Group[]; section: string }) {
  const byId = createMemo(() => new Map(props.groups.map((group) => [group.id, group])));
  /** Follow a group by id. A removed group keeps its last value: it updates once more before it unmounts. */
  const follow = (id: number): Accessor<Group> =>
    createMemo<Group>((before) => byId().get(id) ?? before, byId().get(id) as Group);
  return (
    <For each={[...byId().keys()]}>
      {(id) => {
        const group = follow(id);
        return <GroupOf group={group()} section={props.section} />;
      }}
    </For>
  );
}

function Pinned() {
  const { pins } = useStores();
  return (
    <Show when={pins.panels().length > 0}>
      <section class="pinned" aria-labelledby="pinned">
        <h2 id="pinned">Pinned</h2>
        <Charts panels={pins.panels()} pinned />
      </section>
    </Show>
  );
}

export function Panels() {
  const { board, stats } = useStores();
  return (
    <div class="panels" id="panels" tabIndex={-1}>
      <Show when={stats.loaded() && board.board()} fallback={<Skeleton />}>
        <Pinned />
        <Groups groups={board.groups()} section="" />
      </Show>
    </div>
  );
}
