/**
 * One chart in place of the board: its scale, its stats, its rules' firing times, and export buttons. The
 * link in the address bar opens it again.
 */
import "../styles/enlarged.css";
import { createMemo, createSignal, For, onCleanup, onMount, Show } from "solid-js";
import type { Range } from "../chart/axis";
import { csvOf } from "../chart/csv";
import { colorVariable } from "../chart/palette";
import type { Plot } from "../chart/plot";
import { type Scale, valueText } from "../chart/scene";
import { FONT } from "../chart/text";
import { formatCount, formatTime } from "../format";
import type { Chart } from "../types.gen";
import { percentiles } from "../window/percentile";
import { useBeat } from "./beat";
import { ChartCanvas } from "./ChartCanvas";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import type { Line } from "./lines";
import { type ChartPicture, usePicture } from "./picture";
import { SeverityShape } from "./SeverityShape";

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

/** Copy the plot to a canvas with its title above it and the page's background. */
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
  context.drawImage(plot, 0, head);
  context.scale(scale, scale);
  context.font = `600 ${FONT.replace("11px", "14px")}`;
  context.fillStyle = style.getPropertyValue("--text");
  context.fillText(title, 12, 21);
  return whole;
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

function StatsTable(props: { picture: ChartPicture; live: () => boolean }) {
  const { cursor, stats } = useStores();
  const beat = useBeat(props.live);
  const lines = () => props.picture.all.all().slice(0, ROWS);
  const at = createMemo(() => {
    const time = cursor.time();
    beat();
    if (time === null) return null;
    const tick = stats.window.orderedTimes().indexOf(time);
    return tick === -1 ? null : tick;
  });
  return (
    <div class="table-wide">
      <table class="stats-table">
        <thead>
          <tr>
            <th scope="col">{props.picture.all.what()}</th>
            <th scope="col" class="at">
              {at() === null ? "cursor" : formatTime(cursor.time() ?? Number.NaN)}
            </th>
            <For each={["now", "avg", "min", "max", "p95", "p99", "samples"]}>
              {(title) => (
                <th scope="col" class={title}>
                  {title}
                </th>
              )}
            </For>
          </tr>
        </thead>
        <tbody onPointerLeave={() => props.picture.standout.point(null)}>
          <For each={lines()}>
            {(line) => <StatsRow line={line} picture={props.picture} at={at()} beat={beat} />}
          </For>
        </tbody>
      </table>
    </div>
  );
}

function StatsRow(props: { line: Line; picture: ChartPicture; at: number | null; beat: () => number }) {
  const { stats } = useStores();
  const standout = () => props.picture.standout;
  const values = createMemo(() => {
    props.beat();
    return stats.window.ordered(props.line.key);
  });
  const numbers = createMemo(() => {
    values();
    return stats.window.statsOf(props.line.key);
  });
  const now = createMemo(() => {
    values();
    return stats.window.newest(props.line.key);
  });
  const high = createMemo(() => percentiles(values(), [0.95, 0.99]));
  const text = (value: number) => {
    const whole = stats.window.isWhole(props.line.key);
    return valueText(value, props.picture.unit(), [numbers().min, numbers().max], whole);
  };
  return (
    <tr
      classList={{ on: standout().keys()?.has(props.line.key) }}
      onPointerEnter={() => standout().point(props.line.key)}
    >
      <th scope="row">
        <button
          type="button"
          title={props.line.label}
          aria-pressed={standout().chosen()?.has(props.line.key) ?? false}
          onFocus={() => standout().point(props.line.key)}
          onBlur={() => standout().point(null)}
          onClick={(event) => standout().choose(props.line.key, event.ctrlKey || event.metaKey)}
        >
          <span
            class="swatch"
            style={{
              background: `var(${props.line.color === null ? "--ghost" : colorVariable(props.line.color)})`,
            }}
          />
          <span>{props.line.short}</span>
        </button>
      </th>
      <td class="at">{props.at === null ? "" : text(values()[props.at] ?? Number.NaN)}</td>
      <td class="now">{text(now())}</td>
      <td class="avg">{text(numbers().avg)}</td>
      <td class="min">{text(numbers().min)}</td>
      <td class="max">{text(numbers().max)}</td>
      <td class="p95">{text(high()[0])}</td>
      <td class="p99">{text(high()[1])}</td>
      <td class="samples">{formatCount(numbers().count)}</td>
    </tr>
  );
}

function Aside(props: { chart: Chart }) {
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
              {formatTime(began)} – {state === "firing" ? "now" : formatTime(ended)}
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
      <h3>Keys</h3>
      <p class="aside-keys">
        <kbd>←</kbd> <kbd>→</kbd> cursor <kbd>↑</kbd> <kbd>↓</kbd> series <kbd>i</kbd> isolate <kbd>Esc</kbd>{" "}
        back
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
    const columns = lines.map(({ key, label }) => ({ label, values: stats.window.ordered(key) }));
    save(new Blob([csvOf(stats.window.orderedTimes(), columns)], { type: "text/csv" }), `${name()}.csv`);
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
        <Aside chart={props.chart} />
      </div>
    </section>
  );
}
