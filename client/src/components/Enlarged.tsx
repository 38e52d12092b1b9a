/**
 * One chart in place of the board: its scale, its stats, its rules' firing times, and export buttons. The
 * link in the address bar opens it again.
 */
import { createMemo, createSignal, For, Show } from "solid-js";
import type { Range } from "../chart/axis";
import { type CsvLine, csvOf } from "../chart/csv";
import type { Plot } from "../chart/plot";
import type { Scale } from "../chart/scene";
import { formatCount, formatSpan, formatWhen } from "../format";
import type { Chart } from "../types.gen";
import type { Window } from "../window/window";
import { useBeat } from "./beat";
import { ChartCanvas } from "./ChartCanvas";
import { useStores } from "./context";
import { useDayBefore } from "./dayBefore";
import { EnlargedFrame } from "./EnlargedFrame";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import { type ChartPicture, usePicture } from "./picture";
import { SeverityShape } from "./SeverityShape";
import { StatsTable, useBucketed } from "./StatsTable";

/** Nobody reads a table with more rows. */
const ROWS = 200;

const SCALES: readonly { scale: Scale; text: string }[] = [
  { scale: "zero", text: "From zero" },
  { scale: "close", text: "Close" },
  { scale: "log", text: "Log" },
];

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
      <Show when={bucketed()} fallback={<p>{`Every tick is drawn, one in ${length()}.`}</p>}>
        <p>{`Drawn as ${length()}: the line is the average, ${props.picture.stacked ? "the grey edge" : "the band"} reaches ${props.picture.stacked ? "up to the peaks" : "from min to max"}, so no peak is lost. p95 and p99 are of these averages.`}</p>
      </Show>
    </>
  );
}

function Aside(props: { chart: Chart; picture: ChartPicture }) {
  const { alerts, board, marks, stats } = useStores();
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
  const when = (time: number) => formatWhen(time, stats.window.until);
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
            <span class="aside-note">{`${when(began)} – ${state === "firing" ? (alerts.at() === null ? "now" : "later") : when(ended)}`}</span>
          </p>
        )}
      </For>
      <h3>Marks</h3>
      <For each={marks.inRange().toReversed().slice(0, ROWS)} fallback={<p>None</p>}>
        {({ began, by, text }) => (
          <p class="aside-line">
            <Icon name="flag" />
            <span>{by === "" ? text : `${text} (${by})`}</span>
            <span class="aside-note">{when(began)}</span>
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
  const { history, stats } = useStores();
  let section!: HTMLElement;
  let plot: Plot | null = null;
  const inView = useInView(() => section, props.chart.metrics);
  const [scale, setScale] = createSignal<Scale>("automatic");
  const [axis, setAxis] = createSignal<Range>({ min: 0, max: 1 });
  const [compared, setCompared] = createSignal(false);
  const dayBefore = useDayBefore(props.chart.metrics, compared);
  const picture = usePicture(props.chart, inView, scale);
  const { all } = picture.all;

  function onDrawn(drawn: Plot): void {
    plot = drawn;
    setAxis(drawn.axis);
    picture.describeSeldom();
  }

  /** The isolated lines, or all drawn lines. */
  function csv(): string {
    const stands = picture.standout.chosen();
    const lines = picture.lines().filter(({ key }) => stands === null || stands.has(key));
    const { window } = stats;
    const columns = lines.map(({ key, label }) => ({
      label,
      values: window.ordered(key),
      buckets: bucketsOf(window, key),
    }));
    return csvOf(window.orderedTimes(), columns);
  }

  return (
    <EnlargedFrame
      title={props.chart.title}
      unit={picture.unit()}
      details={[picture.unit(), all().length > 1 ? `${formatCount(all().length)} series` : ""]
        .filter(Boolean)
        .join(" · ")}
      controls={
        <>
          <Scales now={scale()} axis={axis()} stacked={picture.stacked} choose={setScale} />
          <Show when={!history.hasNone()}>
            <fieldset class="segments">
              <legend class="visually-hidden">Beside the lines</legend>
              <For each={[false, true]}>
                {(day) => (
                  <button type="button" aria-pressed={compared() === day} onClick={() => setCompared(day)}>
                    {day ? "Day before" : "Min–max band"}
                  </button>
                )}
              </For>
            </fieldset>
          </Show>
        </>
      }
      name={props.chart.metrics.join("-")}
      csv={csv}
      canvas={() => plot?.canvas ?? null}
      ref={(found) => {
        section = found;
      }}
    >
      <Show when={dayBefore.note()}>
        <p class="enlarged-note" role="status">
          {dayBefore.note()}
        </p>
      </Show>
      <div class="enlarged-body">
        <div class="enlarged-main">
          <div class="chart-area">
            <ChartCanvas
              picture={picture}
              before={dayBefore.window}
              live={inView}
              onDrawn={onDrawn}
              onFocus={picture.describe}
            />
          </div>
          <StatsTable picture={picture} live={inView} />
        </div>
        <Aside chart={props.chart} picture={picture} />
      </div>
    </EnlargedFrame>
  );
}
