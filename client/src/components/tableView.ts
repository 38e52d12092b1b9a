/**
 * The rows of a table or bar list at a tick, in an order that changes seldom, with texts and bars. It takes the
 * plan of its rows, its sorting and its filter, and follows the ticks while it is in view. It must not know an
 * element.
 */

import { type Accessor, createMemo } from "solid-js";
import { type AxisLimits, nextRange, type Range } from "../chart/axis";
import { extentOf } from "../extent";
import { type Extent, formatText, isBinary } from "../format";
import type { Table } from "../types.gen";
import {
  byLabel,
  matching,
  ordered,
  type Plan,
  planOf,
  present,
  type Sorting,
  valuesOf,
} from "../window/table";
import { useStores } from "./context";
import { distinct } from "./distinct";

/** Slightly less than one second, the interval of most boards. */
const SHOW_EVERY_MS = 900;
/** Nobody can read rows that change places more often. */
const ORDER_EVERY_MS = 5_000;
/** Nobody reads more rows, and each costs drawing time. */
export const MOST_ROWS = 500;

export interface ShownRow {
  key: string;
  /** The label values; `short` is the first one's distinguishing part. */
  texts: readonly string[];
  short: string;
  cells: readonly string[];
  /** The first metric's value as a share of the scale, 0 to 1. */
  bar: number;
}

export interface TableView {
  rows: readonly ShownRow[];
  /** How many rows match the filter. */
  matching: number;
  /** The scale of the bars. */
  scale: Range;
}

/** What has rows: for each column of numbers its metric, and the series in each row. */
export interface Rows {
  metrics: readonly string[];
  plan: Accessor<Plan>;
  /** Fixed ends of the bars' scale. */
  limits: () => Omit<AxisLimits, "unit">;
}

export interface Column {
  title: string;
  unit: string;
}

export interface TableSettings {
  sorting: Accessor<Sorting>;
  filter: Accessor<string>;
  limit: Accessor<number>;
  /** Whether the order must stay, for example while the viewer points at a row. */
  held: () => boolean;
  live: Accessor<boolean>;
}

export function useColumns(metrics: readonly string[]): Accessor<readonly Column[]> {
  const { board, stats } = useStores();
  return createMemo(() =>
    metrics.map((name) => {
      const info = board.metric(name);
      return { title: info?.title ?? name, unit: info?.unit ?? stats.seriesOf(name)[0]?.unit ?? "" };
    }),
  );
}

/** The rows of a table: one for each combination of its labels' values. */
export function rowsOfTable(table: Table): Rows {
  const { board, stats } = useStores();
  const labels = [table.label, ...(table.also ?? [])];
  const series = table.metrics.map((name) => createMemo(() => stats.seriesOf(name)));
  const plan = createMemo(() =>
    planOf(
      series.map((all) => all()),
      labels,
    ),
  );
  return {
    metrics: table.metrics,
    plan,
    limits: () => ({ min: 0, max: board.metric(table.metrics[0])?.max }),
  };
}

/** The place of a value on a scale, 0 to 1. */
export const shareOf = (value: number, { min, max }: Range): number =>
  Math.min(1, Math.max(0, ((value || 0) - min) / (max - min)));

/** @param write formats a number; by default with its unit. */
export function useTableView(
  { metrics, plan, limits }: Rows,
  columns: Accessor<readonly Column[]>,
  { sorting, filter, limit, held, live }: TableSettings,
  write: (value: number, unit: string, extent: Extent, column: number) => string = (value, unit, extent) =>
    formatText(value, unit, extent),
): Accessor<TableView> {
  const { board, stats } = useStores();
  let scale: Range | null = null;
  let [shownAt, orderedAt] = [Number.NaN, Number.NaN];
  let asked: readonly unknown[] = [];

  return createMemo<TableView>(
    (before) => {
      if (!live()) return before;
      stats.drawn();
      const { window } = stats;
      const sort = sorting();
      const ask = [sort, filter(), limit()];
      const [resorted, changed] = [sort !== asked[0], ask.some((one, i) => one !== asked[i])];
      const now = stats.pace();
      if (!changed && Math.abs(now - shownAt) < SHOW_EVERY_MS) return before;
      [asked, shownAt] = [ask, now];

      const { texts, keys } = plan();
      const adds = metrics.map((name) => board.metric(name)?.kind === "counter");
      const values = valuesOf(plan(), (key) => window.newest(key), adds);
      const rows = matching(plan(), present(plan(), values), filter());
      const extents = values.map((column) => extentOf(column));
      // A new sort order ignores the previous places.
      const places = new Map(resorted ? [] : before.rows.map(({ key }, place) => [key, place]));

      function inOrder(): number[] {
        orderedAt = now;
        const place = (row: number) => places.get(keys[row]);
        if (sort.of === "label") {
          const sorted = byLabel(plan(), rows, sort.at);
          return ordered(sorted, null, sort.descending, limit(), () => "", place);
        }
        const read = (value: number) => formatText(value, columns()[sort.at].unit, extents[sort.at]);
        return ordered(rows, values[sort.at], sort.descending, limit(), read, place);
      }

      /** Keep the previous order; return undefined if the table must be sorted again. */
      function asBefore(): number[] | undefined {
        if (changed || (!held() && !(Math.abs(now - orderedAt) < ORDER_EVERY_MS))) return undefined;
        const stay = rows.filter((row) => places.has(keys[row]));
        if (stay.length < Math.min(limit(), rows.length)) return undefined;
        return stay.sort((one, other) => (places.get(keys[one]) ?? 0) - (places.get(keys[other]) ?? 0));
      }

      const order = asBefore() ?? inOrder();
      const { unit } = columns()[0];
      const [low, high] = extentOf([0, ...order.map((row) => values[0][row])]);
      scale = nextRange(scale, low, high, { ...limits(), unit }, isBinary(unit));
      const range = scale;
      const short = distinct(order.map((row) => texts[row][0]));
      const shown = order.map((row, place) => ({
        key: keys[row],
        texts: texts[row],
        short: short[place],
        cells: columns().map((column, at) => write(values[at][row], column.unit, extents[at], at)),
        bar: shareOf(values[0][row], range),
      }));
      return { rows: shown, matching: rows.length, scale: range };
    },
    { rows: [], matching: 0, scale: { min: 0, max: 1 } },
  );
}
