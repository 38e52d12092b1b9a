/**
 * One chart in place of the board: its scale, its stats, its rules' firing times, and export buttons. The
 * link in the address bar opens it again.
 */
import "../styles/opened.css";
import "../styles/enlarged.css";
import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import type { Range } from "../chart/axis";
import { type CsvLine, csvOf } from "../chart/csv";
import type { Plot } from "../chart/plot";
import type { Scale } from "../chart/scene";
import { FONT } from "../chart/text";
import { formatCount, formatSpan, formatTime } from "../format";
import type { Chart } from "../types.gen";
import type { Window } from "../window/window";
import { useBeat } from "./beat";
import { ChartCanvas } from "./ChartCanvas";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import { type ChartPicture, usePicture } from "./picture";
import { SeverityShape } from "./SeverityShape";
import { StatsTable, useBucketed } from "./StatsTable";

/** Nobody reads a table with more rows. */
const ROWS = 200;
const COPIED_MS = 2_000;

const SCALES: readonly { scale: Scale; text: string }[] = [
  { scale: "zero", text: "From zero" },
  { scale: "close", text: "Close" },
  { scale: "log", text: "Log" },
];

/** Download a file. */
function save(content: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // Wait until the browser has handled the click.
  setTimeout(() => URL.revokeObjectURL(link.href));
}

/** Copy the plot and what is behind it to a canvas with its title above it and the page's background. */
function withTitle(plot: HTMLCanvasElement, title: string): HTMLCanvasElement {
  const style = getComputedStyle(document.documentElement);
  const scale = plot.width / plot.clientWidth;
  const head = Math.round(32 * scale);
  const whole = document.createElement("canvas");
  whole.width = plot.width;
  whole.height = plot.height + head;
  const context = whole.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = style.getPropertyValue("--surface");
  context.fillRect(0, 0, whole.width, whole.height);
  const all = plot.parentElement?.querySelectorAll<HTMLCanvasElement>("canvas:not(.cursor)") ?? [plot];
  for (const canvas of all) context.drawImage(canvas, 0, head);
  context.scale(scale, scale);
  context.font = `600 ${FONT.replace("11px", "14px")}`;
  context.fillStyle = style.getPropertyValue("--text");
  context.fillText(title, 12, 21);
  return whole;
}

/** The buckets of a series, oldest first; undefined if its values are ticks. */
function bucketsOf(window: Window, key: string): CsvLine["buckets"] {
  const band = window.bandOf(key);
  if (band === undefined) return undefined;
  const [lows, highs, counts] = [band.lows, band.highs, band.counts].map((column) => window.ordered(column));
  return { lows, highs, counts };
}

function Scales(props: { now: Scale; axis: Range; stacked: boolean; choose: (scale: Scale) => void }) {
  const pressed = (scale: Scale) =>
    props.now === "automatic" ? scale === (props.axis.min > 0 ? "close" : "zero") : scale === props.now;
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">Value axis</legend>
      <For each={props.stacked ? SCALES.slice(0, 1) : SCALES}>
        {({ scale, text }) => (
          <button type="button" aria-pressed={pressed(scale)} onClick={() => props.choose(scale)}>
            {text}
          </button>
        )}
      </For>
    </fieldset>
  );
}

/** What a value on the page stands for. */
function Resolution(props: { picture: ChartPicture; beat: () => number }) {
  const { stats } = useStores();
  const bucketed = useBucketed(props.picture, props.beat);
  const length = createMemo(() => {
    props.beat();
    return formatSpan(stats.window.intervalMs);
  });
  return (
    <>
      <h3>Resolution</h3>
      <Show when={bucketed()} fallback={<p>Every tick is drawn, one in {length()}.</p>}>
        <p>
          Drawn as {length()}: the line is the average, {props.picture.stacked ? "the grey edge" : "the band"}{" "}
          reaches {props.picture.stacked ? "up to the peaks" : "from min to max"}, so no peak is lost. p95 and
          p99 are of these averages.
        </p>
      </Show>
    </>
  );
}

function Aside(props: { chart: Chart; picture: ChartPicture }) {
  const { alerts, board, stats } = useStores();
  const beat = useBeat(() => true);
  const episodes = createMemo(() => {
    beat();
    const [from] = stats.window.orderedTimes();
    return props.chart.metrics
      .flatMap(alerts.episodesOf)
      .filter(({ ended }) => ended >= from)
      .sort((a, b) => b.began - a.began)
      .slice(0, ROWS);
  });
  const rules = () =>
    (board.board()?.rules ?? []).filter(({ metric }) => props.chart.metrics.includes(metric ?? ""));
  return (
    <aside class="enlarged-aside">
      <h3>Episodes in this window</h3>
      <For each={episodes()} fallback={<p>None</p>}>
        {({ alert, began, ended, state }) => (
          <p class="aside-line">
            <SeverityShape severity={alert.severity} hollow={state !== "firing"} />
            <span>{alert.message}</span>
            <span class="aside-note">
              {formatTime(began)} –{" "}
              {state === "firing" ? (alerts.at() === null ? "now" : "later") : formatTime(ended)}
            </span>
          </p>
        )}
      </For>
      <h3>Rules on this chart</h3>
      <For each={rules()} fallback={<p>None</p>}>
        {({ condition, severity }) => (
          <p class="aside-line">
            <SeverityShape severity={severity} />
            <span>{condition}</span>
            <b>{severity}</b>
          </p>
        )}
      </For>
      <Resolution picture={props.picture} beat={beat} />
      <h3>Keys</h3>
      <p class="aside-keys">
        <kbd>←</kbd> <kbd>→</kbd> cursor <kbd>+</kbd> <kbd>−</kbd> zoom <kbd>↑</kbd> <kbd>↓</kbd> series{" "}
        <kbd>i</kbd> isolate <kbd>Esc</kbd> back
      </p>
    </aside>
  );
}

export default function Enlarged(props: { chart: Chart }) {
  const { stats, view } = useStores();
  let section!: HTMLElement;
  let plot: Plot | null = null;
  const inView = useInView(() => section, props.chart.metrics);
  const [scale, setScale] = createSignal<Scale>("automatic");
  const [axis, setAxis] = createSignal<Range>({ min: 0, max: 1 });
  const [copied, setCopied] = createSignal<string | null>(null);
  const picture = usePicture(props.chart, inView, scale);
  const { all } = picture.all;
  const name = () => props.chart.metrics.join("-").replaceAll(/[^\w.-]/g, "_");

  function onDrawn(drawn: Plot): void {
    plot = drawn;
    setAxis(drawn.axis);
    picture.describeSeldom();
  }

  /** Save the isolated lines, or all drawn lines, as CSV. */
  function saveCsv(): void {
    const stands = picture.standout.chosen();
    const lines = picture.lines().filter(({ key }) => stands === null || stands.has(key));
    const { window } = stats;
    const columns = lines.map(({ key, label }) => ({
      label,
      values: window.ordered(key),
      buckets: bucketsOf(window, key),
    }));
    save(new Blob([csvOf(window.orderedTimes(), columns)], { type: "text/csv" }), `${name()}.csv`);
  }

  function savePng(): void {
    if (plot === null) return;
    const unit = picture.unit();
    const title = [props.chart.title, unit && `(${unit})`, formatTime(stats.window.newestTime)].join("  ");
    withTitle(plot.canvas, title).toBlob((blob) => blob !== null && save(blob, `${name()}.png`));
  }

  /** Copy the link. Without a secure context there is no clipboard, so show the link for manual copying. */
  async function copyLink(): Promise<void> {
    const link = location.href;
    try {
      await navigator.clipboard.writeText(link);
      setCopied("");
      setTimeout(() => setCopied((text) => (text === "" ? null : text)), COPIED_MS);
    } catch {
      setCopied(link);
    }
  }

  onMount(() => {
    const [before, scrolled] = [document.activeElement, scrollY];
    scrollTo(0, 0);
    section.focus({ preventScroll: true });
    onCleanup(() =>
      // The board returns with the next frame.
      requestAnimationFrame(() => {
        scrollTo(0, scrolled);
        if (before instanceof HTMLElement) before.focus({ preventScroll: true });
      }),
    );
  });

  return (
    <section class="enlarged" ref={section} tabIndex={-1} aria-label={`${props.chart.title}, enlarged`}>
      <div class="enlarged-head">
        <button type="button" class="button small plain" onClick={view.close}>
          <Icon name="left" />
          Board
        </button>
        <h2>{props.chart.title}</h2>
        <span class="chart-unit">
          {[picture.unit(), all().length > 1 ? `${formatCount(all().length)} series` : ""]
            .filter(Boolean)
            .join(" · ")}
        </span>
        <span class="chart-space" />
        <Scales now={scale()} axis={axis()} stacked={picture.stacked} choose={setScale} />
        <button type="button" class="button small" onClick={saveCsv}>
          <Icon name="download" />
          CSV
        </button>
        <button type="button" class="button small" onClick={savePng}>
          <Icon name="download" />
          PNG
        </button>
        <button type="button" class="button small" onClick={copyLink}>
          <Icon name="link" />
          {copied() === "" ? "Copied" : "Copy link"}
        </button>
        <button
          type="button"
          class="icon-button small"
          aria-label="Close"
          title="Close (Esc)"
          onClick={view.close}
        >
          <Icon name="close" />
        </button>
      </div>
      <Show when={copied()}>
        {(link) => (
          <input
            class="enlarged-link"
            readOnly
            aria-label="Link to this chart"
            value={link()}
            ref={(input) => queueMicrotask(() => input.select())}
          />
        )}
      </Show>
      <div class="enlarged-body">
        <div class="enlarged-main">
          <div class="chart-area">
            <ChartCanvas picture={picture} live={inView} onDrawn={onDrawn} onFocus={picture.describe} />
          </div>
          <StatsTable picture={picture} live={inView} />
        </div>
        <Aside chart={props.chart} picture={picture} />
      </div>
    </section>
  );
}
