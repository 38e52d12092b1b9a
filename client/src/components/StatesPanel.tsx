/**
 * A state timeline: a row for each series, with its states as bars along the time. The word stands in the bar
 * where it fits, and beside the pointer. It shows the same moment as the charts.
 */
import "../styles/datatable.css";
import "../styles/states.css";
import { createEffect, createMemo, createSignal, For, Index, onCleanup, Show } from "solid-js";
import { colorsOf, colorVariable } from "../chart/palette";
import { type Meaning, meaningOf, type Stretch, stretchesOf } from "../chart/states";
import { Surface } from "../chart/surface";
import type { TimeAxis } from "../chart/timeaxis";
import { drawTimeline, drawTimes } from "../chart/timeline";
import { formatCount, formatLength, formatWhen } from "../format";
import type { Range } from "../time/range";
import type { States } from "../types.gen";
import type { Window } from "../window/window";
import { useBeat } from "./beat";
import { useStores } from "./context";
import { useDrawing, usePinched } from "./drawing";
import { useInView } from "./inView";
import { targetOf } from "./layout";
import { Name } from "./Name";
import { PanelHead } from "./PanelHead";
import { SeverityShape } from "./SeverityShape";
import StatesReading from "./StatesReading";
import { useSeldom } from "./seldom";
import { type Named, namedSeries } from "./seriesNames";
import { useSeverity } from "./severity";
import { useStale } from "./stale";
import { TimeCanvas } from "./TimeCanvas";

/** With more rows, they can be filtered. The style sheet makes them scroll. */
const ROWS = 12;
/** Nobody reads more rows, and each costs drawing time. */
const MOST_ROWS = 200;
/** The most changes in the table. */
const MOST_CHANGES = 200;
/** With more rows, a screen reader would talk for minutes. */
const DESCRIBED = 8;
/** How high the times below the rows are. */
const FOOT = 24;

/** The time that the bars cover. With several ticks per pixel, it moves by whole pixels. */
type SpanOf = (pixels: number) => Range & { pixelMs: number };

function stretchesIn(window: Window, key: string, pixelMs = 0): Stretch[] {
  const values = window.ring(key);
  return values === undefined
    ? []
    : stretchesOf(window, values, window.bandOf(key), window.intervalMs, pixelMs);
}

export default function StatesPanel(props: { panel: States }) {
  const { board, cursor, sections, stats, view } = useStores();
  const { metric, states, title } = props.panel;
  let section!: HTMLElement;
  let body!: HTMLDivElement;
  let element!: HTMLDivElement;
  let track!: HTMLSpanElement;
  const inView = useInView(() => section, [metric]);
  const [filter, setFilter] = createSignal("");
  const [asTable, setAsTable] = createSignal(false);
  /** The row at the cursor. */
  const [chosen, setChosen] = createSignal<number | null>(null);
  const beat = useBeat(inView);
  const stale = useStale(metric);
  const severity = useSeverity(() => [metric, ...stats.seriesOf(metric).map(({ key }) => key)]);
  const unit = () => board.metric(metric)?.unit ?? "";
  const named = createMemo(() =>
    namedSeries(stats.seriesOf(metric), () => board.metric(metric)?.title ?? metric),
  );
  const matching = createMemo(() => {
    const text = filter().trim().toLowerCase();
    return text === "" ? named() : named().filter(({ name }) => name.toLowerCase().includes(text));
  });
  const rows = createMemo(() => matching().slice(0, MOST_ROWS));
  const enlarge = () => view.show({ type: "chart", id: metric });
  const meaning = (stretch: Stretch): Meaning => meaningOf(states, stretch, unit());

  const pinched = usePinched(() => element);
  const drawn = () => [stats.drawn(), pinched()];

  const spanOf: SpanOf = (pixels) => {
    const { spanMs, ticks, until } = stats.window;
    const { from, to } = pinched() ?? { from: until - spanMs, to: until };
    const pixelMs = ticks > pixels ? (to - from) / Math.max(1, pixels) : 0;
    const end = pixelMs > 0 ? (Math.floor(to / pixelMs) + 1) * pixelMs : to;
    return { from: end - (to - from), to: end, pixelMs };
  };

  function axis(): TimeAxis | null {
    if (Number.isNaN(stats.window.until)) return null;
    const [all, bars] = [element.getBoundingClientRect(), track.getBoundingClientRect()];
    const top = Math.max(0, bars.top - all.top);
    const height = Math.min(element.clientHeight - FOOT, bars.bottom - all.top) - top;
    return { ...spanOf(bars.width), left: bars.left - all.left, width: bars.width, top, height };
  }

  createEffect(() => {
    const wanted = sections.takeRow(targetOf(props.panel));
    if (wanted !== undefined) setFilter(named().length > ROWS ? wanted : "");
  });

  const timeOf = (tick: number): number => {
    const { window } = stats;
    return window.times[(window.oldest + tick) % window.capacity];
  };

  const stretchAt = ({ series }: Named, time: number): Stretch | undefined =>
    stretchesIn(stats.window, series.key).find(({ from, to }) => from <= time && time < to);

  /** `since 12:03:04 · 1 min 56 s`; a state that began before the window lasts longer than is known. */
  function lasted({ series }: Named, { from, to }: Stretch): string {
    const { intervalMs, newestTime, ticks, until } = stats.window;
    // The first tick of a state is later than its bar, which begins halfway between two ticks.
    const lead = stats.window.bandOf(series.key) === undefined ? intervalMs / 2 : 0;
    const older = ticks > 0 && from <= timeOf(0);
    const goesOn = to > newestTime;
    const [began, ended] = [from, to].map((time) => formatWhen(time + lead, until));
    const when = older
      ? goesOn
        ? ""
        : `until ${ended}`
      : goesOn
        ? `since ${began}`
        : `${began} to ${ended}`;
    const length = formatLength((goesOn ? until : to) - from);
    return [when, `${older ? "more than " : ""}${length}`].filter(Boolean).join(" · ");
  }

  const description = useSeldom(
    () => {
      named();
      return beat();
    },
    () => {
      const all = named();
      if (all.length === 0) return `${title}, state timeline, no current values`;
      const parts = all.slice(0, DESCRIBED).map((row) => `${row.name}: ${sayNow(row)}`);
      const rest = all.length > DESCRIBED ? `The first ${DESCRIBED} of ${all.length} series` : "";
      return [`${title}, state timeline`, rest, ...parts].filter(Boolean).join(". ");
    },
    title,
  );

  function sayNow(row: Named): string {
    const last = stretchesIn(stats.window, row.series.key).at(-1);
    return last === undefined ? "no value" : `${meaning(last).text}, ${lasted(row, last)}`;
  }

  /** The cursor's place along the time, as a share; null outside. */
  const cursorAt = createMemo(() => {
    const time = cursor.time();
    if (time === null || !inView()) return null;
    drawn();
    const { from, to } = spanOf(track.clientWidth);
    return time < from || time > to ? null : (time - from) / (to - from);
  });

  return (
    <section
      class="chart states"
      classList={{ stale: stale() !== "" }}
      ref={section}
      data-metric={targetOf(props.panel)}
    >
      <PanelHead
        panel={props.panel}
        severity={severity()}
        stale={stale()}
        onEnlarge={enlarge}
        items={[
          { text: `Show as ${asTable() ? "timeline" : "table"}`, run: () => setAsTable((shown) => !shown) },
        ]}
      >
        <Show when={named().length > ROWS && !asTable()}>
          <input
            class="chart-filter"
            type="search"
            placeholder="Filter"
            aria-label={`Filter the series of ${title}`}
            value={filter()}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </Show>
      </PanelHead>
      <Show
        when={!asTable()}
        fallback={<Changes title={title} rows={named()} live={inView} lasted={lasted} meaning={meaning} />}
      >
        <div class="states-body" ref={body}>
          <TimeCanvas
            class="states-scroll"
            label={description()}
            ref={(found) => {
              element = found;
            }}
            ground={() => body}
            axis={axis}
            drawn={drawn}
            live={inView}
            reading={(drawing) => (
              <StatesReading
                drawing={drawing}
                rows={rows()}
                at={stretchAt}
                meaning={meaning}
                lasted={lasted}
                onRow={setChosen}
                onKey={(key) => {
                  if (key === "e") enlarge();
                  return key === "e";
                }}
              />
            )}
          >
            <div class="states-rows">
              <For each={rows()}>
                {(row, place) => (
                  <StateRow
                    row={row}
                    meaning={meaning}
                    spanOf={spanOf}
                    drawn={drawn}
                    place={place()}
                    on={chosen() === place()}
                  />
                )}
              </For>
              <Show when={rows().length === 0}>
                <p class="no-rows">
                  {filter() === "" ? "No current values" : `No series matches “${filter()}”`}
                </p>
              </Show>
              <div class="states-row states-foot">
                <span class="states-name">
                  <Show when={matching().length > rows().length}>
                    {formatCount(rows().length)} of {formatCount(matching().length)}
                  </Show>
                </span>
                <Times spanOf={spanOf} drawn={drawn} />
              </div>
              <div class="states-row states-over">
                <span class="states-name" />
                <span class="states-track" ref={track}>
                  <Show when={cursorAt() !== null}>
                    <i style={{ left: `${(cursorAt() ?? 0) * 100}%` }} />
                  </Show>
                </span>
              </div>
            </div>
          </TimeCanvas>
        </div>
        <Legend panel={props.panel} />
      </Show>
    </section>
  );
}

function StateRow(props: {
  row: Named;
  place: number;
  on: boolean;
  meaning: (stretch: Stretch) => Meaning;
  spanOf: SpanOf;
  drawn: () => unknown;
}) {
  const { alerts, stats, theme } = useStores();
  let bar!: HTMLSpanElement;
  let surface: Surface | null = null;
  const key = () => props.row.series.key;
  const severity = () => alerts.severityOf(key());

  function draw(): void {
    const { window } = stats;
    surface ??= new Surface(bar);
    if (!surface.fit()) return;
    const span = props.spanOf(surface.width);
    const found = stretchesIn(window, key(), span.pixelMs);
    const bars = found.map((stretch) => ({ ...stretch, meaning: props.meaning(stretch) }));
    drawTimeline(surface, bars, span, colorsOf(theme.shown()));
  }

  useDrawing(
    () => bar,
    useInView(() => bar),
    draw,
    () => [key(), props.drawn()],
  );
  onCleanup(() => surface?.remove());
  return (
    <div class="states-row" classList={{ on: props.on }} data-row={props.place}>
      <span class="states-name">
        <Show when={severity()}>{(worst) => <SeverityShape severity={worst()} />}</Show>
        <span>
          <Name text={props.row.name} short={props.row.short} />
        </span>
      </span>
      <span class="states-bar" ref={bar} />
    </div>
  );
}

function Times(props: { spanOf: SpanOf; drawn: () => unknown }) {
  const { stats, theme } = useStores();
  let element!: HTMLSpanElement;
  let surface: Surface | null = null;

  function draw(): void {
    surface ??= new Surface(element);
    if (!surface.fit() || stats.window.ticks === 0) return;
    drawTimes(surface, props.spanOf(surface.width), colorsOf(theme.shown()));
  }

  useDrawing(
    () => element,
    useInView(() => element),
    draw,
    () => props.drawn(),
  );
  onCleanup(() => surface?.remove());
  return <span class="states-bar" ref={element} />;
}

/** The words of the states with their colours, for bars without room for a word. */
function Legend(props: { panel: States }) {
  const calm = () => props.panel.states.filter(({ severity }) => severity === undefined);
  return (
    <ul class="states-legend">
      <For each={props.panel.states}>
        {(state) => (
          <li>
            <Show
              when={state.severity}
              fallback={
                <span class="swatch" style={{ background: `var(${colorVariable(calm().indexOf(state))})` }} />
              }
            >
              {(severity) => <SeverityShape severity={severity()} />}
            </Show>
            {state.text}
          </li>
        )}
      </For>
    </ul>
  );
}

/** The changes of all series as a table, newest first. */
function Changes(props: {
  title: string;
  rows: readonly Named[];
  live: () => boolean;
  lasted: (row: Named, stretch: Stretch) => string;
  meaning: (stretch: Stretch) => Meaning;
}) {
  const { stats } = useStores();
  const beat = useBeat(props.live);
  const changes = createMemo(() => {
    beat();
    return props.rows
      .flatMap((row) => stretchesIn(stats.window, row.series.key).map((stretch) => ({ row, stretch })))
      .sort((one, other) => other.stretch.from - one.stretch.from)
      .slice(0, MOST_CHANGES)
      .map(({ row, stretch }) => ({
        name: row.name,
        text: props.meaning(stretch).text,
        when: props.lasted(row, stretch),
      }));
  });
  return (
    <div class="chart-area">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access */}
      <section class="table-scroll" tabIndex={0} aria-label={`${props.title}, table`}>
        <table class="data-table">
          <caption class="visually-hidden">{`${props.title}, newest change first`}</caption>
          <thead>
            <tr>
              <For each={["Series", "State", "When"]}>{(name) => <th scope="col">{name}</th>}</For>
            </tr>
          </thead>
          <tbody>
            {/* Keyed by place: a tick changes only texts, so a text selection survives. */}
            <Index each={changes()}>
              {(change) => (
                <tr>
                  <th scope="row">{change().name}</th>
                  <td>{change().text}</td>
                  <td>{change().when}</td>
                </tr>
              )}
            </Index>
          </tbody>
        </table>
      </section>
    </div>
  );
}
