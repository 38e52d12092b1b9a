/**
 * A chart with its title, its legend and its table. Off screen it costs nothing: the plot is made when it first
 * comes into view, and follows the ticks only while it is there.
 */
import { createEffect, createMemo, createSignal, For, on, onCleanup, onMount, Show } from "solid-js";
import { colorVariable, readColors } from "../chart/palette";
import { Plot, type PlotSettings } from "../chart/plot";
import { shadesOf } from "../chart/shade";
import { formatLine, formatText, formatTime } from "../format";
import type { Series } from "../link/protocol";
import type { Chart } from "../types.gen";
import { kept, keptByContent } from "../window/kept";
import { computeStats } from "../window/stats";
import { useStores } from "./context";
import { DataTable, type TableLine } from "./DataTable";
import { distinct } from "./distinct";
import { sayHighest, useHighest } from "./highest";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import { Name } from "./Name";
import { useStale } from "./stale";

const DESCRIBE_EVERY_MS = 10_000;
/** More cannot be told apart, and each costs its drawing. */
const MAX_LINES = 40;

interface Lines {
  drawn: () => readonly TableLine[];
  /** How many series there are in all. */
  all: () => number;
}

/** The lines of a chart: every series of every metric in it, the highest of them where there are very many. */
function useLines(chart: Chart, live: () => boolean): Lines {
  const { board, stats } = useStores();
  const several = chart.metrics.length > 1;
  const stale = new Map(chart.metrics.map((name) => [name, useStale(name)]));
  const all = createMemo<readonly Series[]>(
    (before) =>
      several ? kept(before, chart.metrics.flatMap(stats.seriesOf)) : stats.seriesOf(chart.metrics[0]),
    [],
  );
  const chosen = useHighest(all, MAX_LINES, live);
  const lineOf = ({ key, name, labels, unit }: Series) => {
    const info = board.metric(name);
    const title = info?.title ?? name;
    const shown = formatLine(labels);
    const label = several ? [title, shown].filter(Boolean).join(" · ") : shown || title;
    return { key, label, unit: info?.unit ?? unit, stale: stale.get(name)?.() ?? "" };
  };
  const drawn = createMemo<readonly TableLine[]>((before) => {
    const lines = chosen().map(lineOf);
    const short = distinct(lines.map(({ label }) => label));
    return keptByContent(
      before,
      lines.map((line, i) => ({ ...line, short: short[i] })),
    );
  }, []);
  return { drawn, all: () => all().length };
}

function Legend(props: { lines: readonly TableLine[]; note: string; cursor: number | null; live: boolean }) {
  const { stats } = useStores();
  const shownValue = (line: TableLine): string => {
    const column = stats.window.ordered(line.key);
    const { last, min, max } = computeStats(column);
    const value = props.cursor === null ? last : column[props.cursor];
    return formatText(value ?? Number.NaN, line.unit, [min, max]);
  };
  const values = createMemo<string[]>((before) => {
    if (!props.live) return before;
    stats.drawn();
    return props.lines.map(shownValue);
  }, []);
  const time = createMemo<string>((before) => {
    if (!props.live) return before;
    // Under a cursor that rests the ticks move on, and the time with them.
    stats.drawn();
    return props.cursor === null ? "" : `at ${formatTime(stats.window.orderedTimes()[props.cursor])}`;
  }, "");

  return (
    <ul class="legend" classList={{ single: props.lines.length === 1, many: props.lines.length > 6 }}>
      <Show when={props.note}>
        <li class="legend-note">{props.note}</li>
      </Show>
      <For each={props.lines}>
        {(line, i) => (
          <li classList={{ stale: line.stale !== "" }}>
            <span class="swatch" style={{ background: `var(${colorVariable(i())})` }} />
            <span class="line-label">
              <Name text={line.label} short={line.short} />
            </span>
            <span class="line-value">{values()[i()]}</span>
            <Show when={line.stale}>
              <span class="stale-note">{line.stale}</span>
            </Show>
            <span class="line-time">{time()}</span>
          </li>
        )}
      </For>
    </ul>
  );
}

export function ChartPanel(props: { chart: Chart }) {
  const { alerts, board, connection, stats, theme } = useStores();
  let section!: HTMLElement;
  let area!: HTMLDivElement;
  let canvas!: HTMLDivElement;
  let plot: Plot | null = null;
  const inView = useInView(() => section);
  const { drawn: lines, all } = useLines(props.chart, inView);
  const [cursor, setCursor] = createSignal<number | null>(null);
  const [asTable, setAsTable] = createSignal(false);
  const [description, setDescription] = createSignal("");
  let described = 0;

  const unit = () =>
    props.chart.unit || board.metric(props.chart.metrics[0])?.unit || (lines()[0]?.unit ?? "");
  const titleHasUnit = () => props.chart.title.includes(`(${unit()})`);
  const note = () => (all() > lines().length && lines().length > 0 ? sayHighest(lines().length, all()) : "");
  const drawing = () => inView() && !asTable() && lines().length > 0;

  function describe(): void {
    described = connection.time();
    const parts = lines().map(({ key, label, stale, unit }) => {
      const { last, min, max, avg } = computeStats(stats.window.ordered(key));
      const [l, lo, hi, a] = [last, min, max, avg].map((value) => formatText(value, unit, [min, max]));
      const note = stale && `, ${stale}`;
      return `${label}${note}: latest ${l}, min ${lo}, max ${hi}, average ${a}`;
    });
    setDescription([`${props.chart.title}, line chart`, note(), ...parts].filter(Boolean).join(". "));
  }

  /** All that a plot is made for: with another, it has to be another one. */
  const settings = createMemo((before?: PlotSettings): PlotSettings => {
    const names = props.chart.metrics;
    const only = names.length === 1 ? board.metric(names[0]) : undefined;
    const next = {
      lines: lines().length,
      stacked: props.chart.stacked ?? false,
      limits: { min: props.chart.min ?? only?.min, max: props.chart.max ?? only?.max, unit: unit() },
      thresholds: board
        .thresholdsOf(names)
        .map(({ threshold, severity }) => ({ value: threshold as number, severity })),
    };
    return before !== undefined && JSON.stringify(before) === JSON.stringify(next) ? before : next;
  });

  const shades = createMemo(() => {
    if (!drawing()) return [];
    return shadesOf(props.chart.metrics.flatMap(alerts.episodesOf), new Set(lines().map(({ key }) => key)));
  });

  function makePlot(): Plot {
    let colors = readColors(section);
    let colorsOf = theme.shown();
    return new Plot(canvas, {
      ...settings(),
      colors: () => {
        if (colorsOf !== theme.shown()) colors = readColors(section);
        colorsOf = theme.shown();
        return colors;
      },
      onCursor: setCursor,
    });
  }

  function dropPlot(): void {
    plot?.destroy();
    plot = null;
    setCursor(null);
  }

  function draw(): void {
    if (!drawing()) return;
    plot ??= makePlot();
    const { window } = stats;
    const columns = lines().map(({ key }) => window.ordered(key));
    plot.draw(window.orderedTimes(), columns, (window.capacity - 1) * window.intervalMs, shades());
    if (connection.time() - described > DESCRIBE_EVERY_MS) describe();
  }

  createEffect(on([settings, asTable], dropPlot, { defer: true }));
  createEffect(() => {
    if (!drawing()) return;
    settings();
    shades();
    stats.drawn();
    // Nobody waits for a first picture, nor does paper.
    if (plot === null || theme.printing()) draw();
    else stats.inTurn(draw);
  });
  onCleanup(() => stats.outOfTurn(draw));
  createEffect(on(theme.shown, () => plot?.repaint(), { defer: true }));
  // No observer is called for a size that it has on paper alone.
  createEffect(on(theme.printing, () => plot?.resize(), { defer: true }));
  onMount(() => {
    const observer = new ResizeObserver(() => plot?.resize());
    observer.observe(area);
    onCleanup(() => observer.disconnect());
  });
  onCleanup(dropPlot);

  function onKeyDown(event: KeyboardEvent): void {
    const newest = stats.window.ticks - 1;
    const from = cursor() ?? newest + 1;
    const target = {
      ArrowLeft: Math.max(0, from - 1),
      ArrowRight: Math.min(newest, from + 1),
      Home: 0,
      End: newest,
      Escape: null,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    plot?.moveCursor(target);
  }

  return (
    <section
      class="chart"
      classList={{ stale: lines().length > 0 && lines().every(({ stale }) => stale !== "") }}
      ref={section}
      data-metric={props.chart.metrics.join(" ")}
    >
      <div class="chart-head">
        <h3>
          {props.chart.title}
          <Show when={unit() && !titleHasUnit()}>{` (${unit()})`}</Show>
        </h3>
        <Legend lines={lines()} note={note()} cursor={cursor()} live={inView()} />
        <button
          type="button"
          class="icon-button"
          aria-label={`Show as ${asTable() ? "chart" : "table"}: ${props.chart.title}`}
          title={`Show as ${asTable() ? "chart" : "table"}`}
          onClick={() => setAsTable((shown) => !shown)}
        >
          <Icon name={asTable() ? "chart" : "table"} />
        </button>
      </div>
      <div class="chart-area" ref={area}>
        <Show when={asTable()}>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
          <section class="table-scroll" tabIndex={0} aria-label={`${props.chart.title}, table`}>
            <DataTable title={props.chart.title} note={note()} lines={lines()} />
          </section>
        </Show>
        <div
          class="canvas"
          ref={canvas}
          hidden={asTable()}
          role="img"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
          tabIndex={0}
          aria-label={description() || props.chart.title}
          onFocus={describe}
          onBlur={() => plot?.moveCursor(null)}
          onKeyDown={onKeyDown}
        />
      </div>
    </section>
  );
}
