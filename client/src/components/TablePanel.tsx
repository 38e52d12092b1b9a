/**
 * The newest values of some metrics, a row for each value of a label: top processes, busiest routes. Off screen it
 * costs nothing. Its height is that of all the rows it may have, whatever it has at a tick.
 */
import { createMemo, createSignal, For, Index, Show } from "solid-js";
import { nextRange, type Range } from "../chart/axis";
import { extentOf, formatText, isBinary } from "../format";
import type { Table } from "../types.gen";
import { kept } from "../window/kept";
import { ordered, planOf, present, type Sorting, valuesOf } from "../window/table";
import { useStores } from "./context";
import { distinct } from "./distinct";
import { useInView } from "./inView";
import { Name } from "./Name";
import { useStale } from "./stale";

const LIMIT = 10;
/** Rows that change places more often than this cannot be read. A little less than the second of most boards. */
const SHOW_EVERY_MS = 900;

/** A table of more metrics than this takes the whole width. */
const WIDE_FROM = 3;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

interface ShownRow {
  name: string;
  /** What distinguishes it from the other rows. */
  short: string;
  cells: string[];
  /** How much of the first metric's scale its value takes, 0 to 1. */
  bar: number;
}

interface View {
  rows: ShownRow[];
  /** How many rows there are in all. */
  all: number;
}

interface Column {
  title: string;
  unit: string;
}

function useColumns(table: Table): () => readonly Column[] {
  const { board, stats } = useStores();
  return createMemo(() =>
    table.metrics.map((name) => {
      const info = board.metric(name);
      return { title: info?.title ?? name, unit: info?.unit ?? stats.seriesOf(name)[0]?.unit ?? "" };
    }),
  );
}

/** The share of the scale, which is the metric's own or grows and shrinks seldom, as a chart's axis does. */
function useBars(table: Table, columns: () => readonly Column[]): (values: readonly number[]) => number[] {
  const { board } = useStores();
  let range: Range | null = null;
  return (values) => {
    const { unit } = columns()[0];
    const limits = { min: 0, max: board.metric(table.metrics[0])?.max, unit };
    range = nextRange(range, 0, Math.max(0, ...values.map((value) => value || 0)), limits, isBinary(unit));
    const { max } = range;
    return values.map((value) => Math.min(1, Math.max(0, (value || 0) / max)));
  };
}

function useView(
  table: Table,
  columns: () => readonly Column[],
  sorting: () => Sorting,
  live: () => boolean,
): () => View {
  const { board, stats } = useStores();
  const limit = table.limit ?? LIMIT;
  const series = table.metrics.map((name) => createMemo(() => stats.seriesOf(name)));
  const plan = createMemo(() =>
    planOf(
      series.map((all) => all()),
      table.label,
    ),
  );
  const barsOf = useBars(table, columns);
  let sortedBy: Sorting | null = null;
  let shownAt = Number.NaN;

  return createMemo<View>(
    (before) => {
      if (!live()) return before;
      stats.drawn();
      const { window } = stats;
      const sort = sorting();
      const resorted = sort !== sortedBy;
      if (!resorted && Math.abs(window.newestTime - shownAt) < SHOW_EVERY_MS) return before;
      sortedBy = sort;
      shownAt = window.newestTime;

      const { names } = plan();
      const adds = table.metrics.map((name) => board.metric(name)?.kind === "counter");
      const values = valuesOf(plan(), (key) => window.newest(key), adds);
      const rows = present(plan(), values);
      const { by, descending } = sort;
      const [sorted, unit] = by === "name" ? [null, ""] : [values[by], columns()[by].unit];
      // Another order begins from the names: what was shown says nothing about it.
      const places = new Map(resorted ? [] : before.rows.map(({ name }, place) => [name, place]));
      const extents = values.map((column) => extentOf(column));
      const read = (value: number) => formatText(value, unit, by === "name" ? undefined : extents[by]);
      const order = ordered(rows, sorted, descending, limit, read, (row) => places.get(names[row]));
      const bars = barsOf(order.map((row) => values[0][row]));
      const short = distinct(order.map((row) => names[row]));
      const shown = order.map((row, place) => ({
        name: names[row],
        short: short[place],
        cells: columns().map((column, at) => formatText(values[at][row], column.unit, extents[at])),
        bar: bars[place],
      }));
      return { rows: shown, all: rows.length };
    },
    { rows: [], all: 0 },
  );
}

function Heading(props: {
  title: string;
  note?: string;
  sorting: Sorting;
  by: Sorting["by"];
  onSort: (by: Sorting["by"]) => void;
}) {
  const direction = () => {
    if (props.sorting.by !== props.by) return undefined;
    return props.sorting.descending ? "descending" : "ascending";
  };
  return (
    <th scope="col" aria-sort={direction()}>
      <button type="button" title={`Sort by ${props.title}`} onClick={() => props.onSort(props.by)}>
        {props.title}
        <span class="sort" aria-hidden="true" />
      </button>
      <Show when={props.note}>
        <span class="stale-note">{props.note}</span>
      </Show>
    </th>
  );
}

export function TablePanel(props: { table: Table }) {
  let section!: HTMLElement;
  const inView = useInView(() => section);
  const [sorting, setSorting] = createSignal<Sorting>({ by: 0, descending: true });
  const columns = useColumns(props.table);
  const view = useView(props.table, columns, sorting, inView);
  const names = createMemo<readonly string[]>(
    (before) =>
      kept(
        before,
        view().rows.map(({ name }) => name),
      ),
    [],
  );
  const stale = props.table.metrics.map(useStale);
  const limit = props.table.limit ?? LIMIT;
  const { label } = props.table;
  const labelTitle = label.charAt(0).toUpperCase() + label.slice(1);
  /** Columns as wide as any value was: one that follows its values would move all others with every tick. */
  const widths = createMemo<readonly number[]>(
    (before) =>
      columns().map(({ title, unit }, at) => {
        const cells = view().rows.map(({ cells }) => (cells[at]?.length ?? 0) + 1);
        return Math.max(before[at] ?? 0, 10 + unit.length, title.length + 4, ...cells);
      }),
    [],
  );

  /** Numbers begin with the highest, names with the first. */
  function sortBy(by: Sorting["by"]): void {
    setSorting((before) => ({ by, descending: before.by === by ? !before.descending : by !== "name" }));
  }

  return (
    <section
      class="table-panel"
      classList={{ wide: props.table.metrics.length > WIDE_FROM }}
      ref={section}
      data-metric={props.table.metrics.join(" ")}
      style={{ "--rows": limit }}
    >
      <div class="table-head">
        <h3>{props.table.title}</h3>
        <Show when={view().all > view().rows.length}>
          <span class="table-count">
            {view().rows.length} of {view().all.toLocaleString("en")}
          </span>
        </Show>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section class="table-scroll" tabIndex={0} aria-label={props.table.title}>
        <table class="live-table" style={{ "min-width": `calc(var(--name) + ${sum(widths())}ch)` }}>
          <caption class="visually-hidden">{props.table.title}, newest values</caption>
          <colgroup>
            <col />
            <Index each={widths()}>{(width) => <col style={{ width: `${width()}ch` }} />}</Index>
          </colgroup>
          <thead>
            <tr>
              <Heading title={labelTitle} sorting={sorting()} by="name" onSort={sortBy} />
              <Index each={columns()}>
                {(column, place) => (
                  <Heading
                    title={column().title}
                    note={stale[place]()}
                    sorting={sorting()}
                    by={place}
                    onSort={sortBy}
                  />
                )}
              </Index>
            </tr>
          </thead>
          <tbody>
            {/* By place: a tick changes texts, and no element moves. */}
            <Index each={names()}>
              {(name, place) => (
                <tr>
                  <th scope="row">
                    <Name text={name()} short={view().rows[place]?.short} />
                  </th>
                  <For each={props.table.metrics}>
                    {(_, column) => (
                      <td classList={{ stale: stale[column()]() !== "" }}>
                        <Show when={column() === 0}>
                          <span
                            class="bar"
                            aria-hidden="true"
                            style={{ transform: `scaleX(${view().rows[place]?.bar ?? 0})` }}
                          />
                        </Show>
                        <span class="cell">{view().rows[place]?.cells[column()]}</span>
                      </td>
                    )}
                  </For>
                </tr>
              )}
            </Index>
          </tbody>
        </table>
        <Show when={names().length === 0}>
          <p class="no-rows">No current values</p>
        </Show>
      </section>
    </section>
  );
}
