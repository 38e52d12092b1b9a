/**
 * The newest values of some metrics, one row for each value of a label: top processes, busiest routes. It can
 * be sorted by any column and filtered. Off screen it costs nothing. Its height fits the most rows it may
 * show, however many a tick has; with all rows shown, it scrolls.
 */
import "../styles/tables.css";
import { createEffect, createMemo, createSignal, For, Index, Show } from "solid-js";
import { formatCount, formatTime } from "../format";
import type { Table } from "../types.gen";
import { kept } from "../window/kept";
import type { Sorting } from "../window/table";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import { TABLE_ROWS } from "./layout";
import { Name } from "./Name";
import { PanelMenu } from "./PanelMenu";
import { useStale } from "./stale";
import { MOST_ROWS, rowsOfTable, useColumns, useTableView } from "./tableView";

/** How many columns fit on a phone besides the name. */
const PHONE_COLUMNS = 2;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

type By = Pick<Sorting, "of" | "at">;

function Heading(props: {
  title: string;
  note?: string;
  spare?: boolean;
  sorting: Sorting;
  by: By;
  onSort: (by: By) => void;
}) {
  const direction = () => {
    if (props.sorting.of !== props.by.of || props.sorting.at !== props.by.at) return undefined;
    return props.sorting.descending ? "descending" : "ascending";
  };
  return (
    <th
      scope="col"
      aria-sort={direction()}
      classList={{ label: props.by.of === "label", spare: props.spare }}
    >
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

export default function TablePanel(props: { table: Table; pinned: boolean }) {
  const { alerts, sections } = useStores();
  const when = () => {
    const at = alerts.at();
    return at === null ? "now" : `at ${formatTime(at)}`;
  };
  const { label, metrics, also = [], title } = props.table;
  const least = props.table.limit ?? TABLE_ROWS;
  let section!: HTMLElement;
  let pointed = false;
  const inView = useInView(() => section, metrics);
  const [sorting, setSorting] = createSignal<Sorting>({ of: "metric", at: 0, descending: true });
  const [filter, setFilter] = createSignal("");
  const [all, setAll] = createSignal(false);
  const limit = () => (all() ? MOST_ROWS : least);
  const columns = useColumns(metrics);
  const view = useTableView(rowsOfTable(props.table), columns, {
    ...{ sorting, filter, limit },
    ...{ held: () => pointed, live: inView },
  });
  const keys = createMemo<readonly string[]>(
    (before) =>
      kept(
        before,
        view().rows.map(({ key }) => key),
      ),
    [],
  );
  const stale = metrics.map(useStale);
  /** Column widths from the widest value so far. Otherwise every tick would move the other columns. */
  const widths = createMemo<readonly number[]>(
    (before) =>
      columns().map(({ title, unit }, at) => {
        const cells = view().rows.map(({ cells }) => (cells[at]?.length ?? 0) + 1);
        return Math.max(before[at] ?? 0, 8 + unit.length, title.length + 4, ...cells);
      }),
    [],
  );
  /** A phone shows the first metrics, and labels if there are too few metrics. */
  const isSpareMetric = (at: number) =>
    at >= PHONE_COLUMNS && !(sorting().of === "metric" && sorting().at === at);
  const isSpareLabel = (at: number) => at >= PHONE_COLUMNS - metrics.length;
  const isSorted = (of: By["of"], at: number) => sorting().of === of && sorting().at === at;

  createEffect(() => {
    const wanted = sections.takeRow(metrics.join(" "));
    if (wanted !== undefined) setFilter(wanted);
  });

  /** Sort by a column: numbers start descending, names ascending. */
  function sortBy({ of, at }: By): void {
    setSorting((before) => ({
      ...{ of, at },
      descending: before.of === of && before.at === at ? !before.descending : of === "metric",
    }));
  }

  function onFilterKey(event: KeyboardEvent): void {
    if (event.key !== "Escape" || filter() === "") return;
    event.preventDefault();
    setFilter("");
  }

  return (
    <section
      class="table-panel"
      ref={section}
      data-metric={metrics.join(" ")}
      style={{ "--rows": least, "--labels": also.length }}
    >
      <div class="table-head">
        <h3>
          {title} <span class="table-now">{when()}</span>
        </h3>
        <label class="filter">
          <Icon name="search" />
          <span class="visually-hidden">{`Filter ${title}`}</span>
          <input
            type="text"
            placeholder="Filter"
            value={filter()}
            onInput={(event) => setFilter(event.currentTarget.value)}
            onKeyDown={onFilterKey}
          />
        </label>
        <PanelMenu panel={props.table} />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access */}
      <section class="table-scroll" tabIndex={0} aria-label={props.pinned ? `${title}, pinned` : title}>
        <table class="live-table" style={{ "--widths": `${sum(widths())}ch` }}>
          <caption class="visually-hidden">{`${title}, newest values`}</caption>
          <colgroup>
            <col />
            <For each={also}>
              {(_, at) => <col class="label-column" classList={{ spare: isSpareLabel(at()) }} />}
            </For>
            <Index each={widths()}>
              {(width, at) => (
                <col
                  classList={{ first: at === 0, spare: isSpareMetric(at) }}
                  style={{ "--width": `${width()}ch` }}
                />
              )}
            </Index>
          </colgroup>
          <thead>
            <tr>
              <For each={[label, ...also]}>
                {(name, at) => (
                  <Heading
                    title={capitalized(name)}
                    spare={at() > 0 && isSpareLabel(at() - 1)}
                    sorting={sorting()}
                    by={{ of: "label", at: at() }}
                    onSort={sortBy}
                  />
                )}
              </For>
              <Index each={columns()}>
                {(column, at) => (
                  <Heading
                    title={column().title}
                    note={stale[at]()}
                    spare={isSpareMetric(at)}
                    sorting={sorting()}
                    by={{ of: "metric", at }}
                    onSort={sortBy}
                  />
                )}
              </Index>
            </tr>
          </thead>
          <tbody
            onPointerEnter={() => {
              pointed = true;
            }}
            onPointerLeave={() => {
              pointed = false;
            }}
          >
            {/* Keyed by place: a tick changes only texts and moves no element. */}
            <Index each={keys()}>
              {(_, place) => {
                const row = () => view().rows[place];
                return (
                  <tr>
                    <th scope="row">
                      <Name text={row()?.texts[0] ?? ""} short={row()?.short} />
                    </th>
                    <For each={also}>
                      {(_, at) => (
                        <td
                          class="label"
                          classList={{ spare: isSpareLabel(at()) }}
                          title={row()?.texts[at() + 1]}
                        >
                          {row()?.texts[at() + 1]}
                        </td>
                      )}
                    </For>
                    <For each={metrics}>
                      {(_, at) => (
                        <td
                          classList={{
                            first: at() === 0,
                            spare: isSpareMetric(at()),
                            sorted: isSorted("metric", at()),
                            stale: stale[at()]() !== "",
                          }}
                        >
                          <Show when={at() === 0}>
                            <span class="bar" aria-hidden="true">
                              <span style={{ transform: `scaleX(${row()?.bar ?? 0})` }} />
                            </span>
                          </Show>
                          <span class="cell">{row()?.cells[at()]}</span>
                        </td>
                      )}
                    </For>
                  </tr>
                );
              }}
            </Index>
          </tbody>
        </table>
        <Show when={keys().length === 0}>
          <p class="no-rows">{filter() === "" ? "No current values" : `No rows match “${filter()}”`}</p>
        </Show>
      </section>
      <div class="table-foot">
        <span class="table-count">{`${view().rows.length} of ${formatCount(view().matching)}`}</span>
        <Show when={all() || view().matching > least}>
          <button type="button" class="link" onClick={() => setAll((shown) => !shown)}>
            {all() ? "Fewer" : "All"}
          </button>
        </Show>
      </div>
    </section>
  );
}
