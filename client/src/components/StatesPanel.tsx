/**
 * A state timeline: a row for each series, with its states as bars along the time. The word stands in the bar
 * where it fits, and beside the pointer. It shows the same moment as the charts.
 */
import "../styles/datatable.css";
import "../styles/reading.css";
import "../styles/states.css";
import { createEffect, createMemo, createSignal, For, Index, on, onCleanup, Show, untrack } from "solid-js";
import { colorsOf, colorVariable } from "../chart/palette";
import { nearestTick } from "../chart/reduce";
import { type Meaning, meaningOf, type Stretch, stretchesOf } from "../chart/states";
import { Surface } from "../chart/surface";
import { drawTimeline, drawTimes, type Span } from "../chart/timeline";
import { formatCount, formatLength, formatWhen } from "../format";
import type { States } from "../types.gen";
import type { Window } from "../window/window";
import { useBeat } from "./beat";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import { useInView } from "./inView";
import { targetOf } from "./layout";
import { Name } from "./Name";
import { PanelHead } from "./PanelHead";
import { SeverityShape } from "./SeverityShape";
import { type Named, namedSeries } from "./seriesNames";
import { useSeverity } from "./severity";
import { useStale } from "./stale";

/** With more rows, they can be filtered. The style sheet makes them scroll. */
const ROWS = 12;
/** Nobody reads more rows, and each costs drawing time. */
const MOST_ROWS = 200;
/** The most changes in the table. */
const MOST_CHANGES = 200;
/** With more rows, a screen reader would talk for minutes. */
const DESCRIBED = 8;
const DESCRIBE_EVERY_MS = 10_000;
const TIP_GAP = 16;

interface Pointer {
  x: number;
  y: number;
  /** The row's place. */
  row: number;
  /** The place along the time, as a share. */
  share: number;
}

/** The time that the bars cover. With several ticks per pixel, it moves by whole pixels. */
function spanOf({ spanMs, ticks, until }: Window, pixels: number): Span & { pixelMs: number } {
  const pixelMs = ticks > pixels ? spanMs / Math.max(1, pixels) : 0;
  const to = pixelMs > 0 ? (Math.floor(until / pixelMs) + 1) * pixelMs : until;
  return { from: to - spanMs, to, pixelMs };
}

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
  let track!: HTMLSpanElement;
  const inView = useInView(() => section, [metric]);
  const [filter, setFilter] = createSignal("");
  const [asTable, setAsTable] = createSignal(false);
  const [pointer, setPointer] = createSignal<Pointer | null>(null);
  /** The row that the keyboard has chosen, while the focus is here. */
  const [chosen, setChosen] = createSignal(0);
  const [focused, setFocused] = createSignal(false);
  const [said, setSaid] = createSignal("");
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

  const description = createMemo<{ at: number; text: string }>(
    (before) => {
      const now = beat();
      const all = named();
      if (Math.abs(now - before.at) < DESCRIBE_EVERY_MS) return before;
      const parts = untrack(() => all.slice(0, DESCRIBED).map((row) => `${row.name}: ${sayNow(row)}`));
      const rest = all.length > DESCRIBED ? `The first ${DESCRIBED} of ${all.length} series` : "";
      if (all.length === 0) return { at: Number.NaN, text: `${title}, state timeline, no current values` };
      return { at: now, text: [`${title}, state timeline`, rest, ...parts].filter(Boolean).join(". ") };
    },
    { at: Number.NaN, text: title },
  );

  function sayNow(row: Named): string {
    const last = stretchesIn(stats.window, row.series.key).at(-1);
    return last === undefined ? "no value" : `${meaning(last).text}, ${lasted(row, last)}`;
  }

  function onPointerMove(event: PointerEvent): void {
    const { left, width } = track.getBoundingClientRect();
    const place = (event.target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
    const at = event.clientX - left;
    if (place === undefined || at < 0 || at > width || stats.window.ticks === 0) {
      leave();
      return;
    }
    const box = body.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    setPointer({ x, y, row: Number(place), share: at / width });
  }

  /** The time of the tick under the pointer: the ticks move on under a resting one. */
  const pointed = createMemo(() => {
    const at = pointer();
    if (at === null) return null;
    stats.drawn();
    const { from, to } = spanOf(stats.window, track.clientWidth);
    return timeOf(nearestTick(stats.window, from + at.share * (to - from)));
  });
  createEffect(() => {
    const time = pointed();
    if (time !== null) cursor.move(time);
  });

  function leave(): void {
    if (pointer() === null) return;
    setPointer(null);
    cursor.move(null);
  }
  onCleanup(leave);

  const tip = createMemo(() => {
    const at = pointer();
    const time = pointed();
    const row = at === null ? undefined : rows()[at.row];
    if (at === null || time === null || row === undefined) return null;
    const stretch = stretchAt(row, time);
    const rightwards = at.x < body.clientWidth / 2;
    return {
      time: formatWhen(time, stats.window.until),
      name: row.short,
      text: stretch === undefined ? "no value" : meaning(stretch).text,
      lasted: stretch === undefined ? "" : lasted(row, stretch),
      left: rightwards ? `${at.x + TIP_GAP}px` : "auto",
      right: rightwards ? "auto" : `${body.clientWidth - at.x + TIP_GAP}px`,
      top: `${Math.min(at.y - 20, body.clientHeight - 70)}px`,
    };
  });

  /** The cursor's place along the time, as a share; null outside. */
  const cursorAt = createMemo(() => {
    const time = cursor.time();
    if (time === null || !inView()) return null;
    stats.drawn();
    const { from, to } = spanOf(stats.window, track.clientWidth);
    return time < from || time > to ? null : (time - from) / (to - from);
  });

  const isOn = (place: number): boolean =>
    pointer() === null ? focused() && cursor.time() !== null && chosen() === place : pointer()?.row === place;

  function say(place: number): void {
    const row = rows()[place];
    const time = cursor.time() ?? stats.window.newestTime;
    if (row === undefined) return;
    const stretch = stretchAt(row, time);
    setSaid(
      `${row.name}, ${formatWhen(time, stats.window.until)}: ${stretch === undefined ? "no value" : meaning(stretch).text}`,
    );
  }

  /** Move the cursor by ticks, or choose another row. */
  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const newest = stats.window.ticks - 1;
    const time = cursor.time();
    const at = time === null ? newest + 1 : nearestTick(stats.window, time);
    const tick = {
      ArrowLeft: Math.max(0, at - 1),
      ArrowRight: Math.min(newest, at + 1),
      Home: 0,
      End: newest,
    }[event.key];
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (tick !== undefined && newest >= 0) cursor.move(timeOf(tick));
    else if (way !== undefined) setChosen((place) => Math.max(0, Math.min(rows().length - 1, place + way)));
    else if (event.key === "e") enlarge();
    else if (event.key === "Escape" && time !== null) cursor.move(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (tick !== undefined || way !== undefined) {
      say(chosen());
      body.querySelector(`[data-row="${chosen()}"]`)?.scrollIntoView({ block: "nearest" });
    }
  }

  createEffect(on(cursor.time, (time) => time === null && setSaid(""), { defer: true }));

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
          <div
            class="states-scroll"
            role="img"
            // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
            tabIndex={0}
            aria-label={description().text}
            onFocus={() => setFocused(true)}
            onBlur={() => {
              setFocused(false);
              if (pointer() === null) cursor.move(null);
            }}
            onKeyDown={onKeyDown}
            onPointerMove={onPointerMove}
            onPointerDown={onPointerMove}
            onPointerLeave={leave}
            onPointerCancel={leave}
          >
            <div class="states-rows">
              <For each={rows()}>
                {(row, place) => <StateRow row={row} place={place()} meaning={meaning} on={isOn(place())} />}
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
                <Times />
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
          </div>
          <Show when={tip()}>
            {(shown) => (
              <div
                class="tip"
                aria-hidden="true"
                style={{ top: shown().top, left: shown().left, right: shown().right }}
              >
                <div class="tip-time">{shown().time}</div>
                <div class="tip-row">
                  <span>{shown().name}</span>
                  <b>{shown().text}</b>
                </div>
                <div class="tip-time">{shown().lasted}</div>
              </div>
            )}
          </Show>
          <span class="visually-hidden" role="status">
            {said()}
          </span>
        </div>
        <Legend panel={props.panel} />
      </Show>
    </section>
  );
}

function StateRow(props: { row: Named; place: number; on: boolean; meaning: (stretch: Stretch) => Meaning }) {
  const { alerts, stats, theme } = useStores();
  let bar!: HTMLSpanElement;
  let surface: Surface | null = null;
  const key = () => props.row.series.key;
  const severity = () => alerts.severityOf(key());

  function draw(): void {
    const { window } = stats;
    surface ??= new Surface(bar);
    if (!surface.fit()) return;
    const span = spanOf(window, surface.width);
    const found = stretchesIn(window, key(), span.pixelMs);
    const bars = found.map((stretch) => ({ ...stretch, meaning: props.meaning(stretch) }));
    drawTimeline(surface, bars, span, colorsOf(theme.shown()));
  }

  useDrawing(
    () => bar,
    useInView(() => bar),
    draw,
    () => [key(), props.meaning],
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

function Times() {
  const { stats, theme } = useStores();
  let element!: HTMLSpanElement;
  let surface: Surface | null = null;

  function draw(): void {
    surface ??= new Surface(element);
    if (!surface.fit() || stats.window.ticks === 0) return;
    drawTimes(surface, spanOf(stats.window, surface.width), colorsOf(theme.shown()));
  }

  useDrawing(
    () => element,
    useInView(() => element),
    draw,
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
          <caption class="visually-hidden">{props.title}, newest change first</caption>
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
