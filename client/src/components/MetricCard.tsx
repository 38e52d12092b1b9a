/**
 * A metric at a glance: its newest value in large type, the window as a spark, and a small line with average,
 * minimum and maximum. Screen readers get that line in full, even where it does not fit.
 */
import { createMemo, createSignal, For, Show } from "solid-js";
import type { Limit } from "../chart/sparkline";
import { formatCount, formatLabels, formatLine, plural } from "../format";
import type { Series } from "../link/protocol";
import type { Card } from "../types.gen";
import { kept } from "../window/kept";
import { cardTexts, onlyDiffering, seen, type Text, titleIn } from "./cardText";
import { useStores } from "./context";
import { distinct } from "./distinct";
import { sayHighest, useHighest } from "./highest";
import { useInView } from "./inView";
import { Name } from "./Name";
import { SeverityShape } from "./SeverityShape";
import { Spark } from "./Spark";
import { useLimits, useSeverity } from "./severity";
import { useSpan } from "./span";
import { useStale } from "./stale";
import { useWidth, widthOf } from "./width";

const MAX_CARDS = 12;
/** The gap between the parts of the small line, in pixels. */
const GAP = 8;

/** Return the longest text so far, so that a shorter one does not move its neighbours. */
function useLongest(text: () => string): () => string {
  return createMemo<string>((before) => (text().length > before.length ? text() : before), "");
}

function Beside(props: { word: string; text: Text }) {
  return (
    <span class="stat">
      <span class="stat-word">
        {props.word}
        <span class="unseen">:</span>
      </span>{" "}
      <b>{props.text.number}</b>
      <span classList={{ "visually-hidden": !props.text.ownUnit }}>
        {props.text.unit && ` ${props.text.unit}`}
      </span>
    </span>
  );
}

/** A bar from 0 to 100 % with the value, and a notch for each threshold. */
function Share(props: { value: number; limits: readonly Limit[] }) {
  const share = () => Math.min(1, Math.max(0, props.value / 100 || 0));
  return (
    <div class="share" aria-hidden="true">
      <span style={{ transform: `scaleX(${share()})` }} />
      <For each={props.limits.filter(({ value }) => value > 0 && value < 100)}>
        {({ value }) => <i style={{ left: `${value}%` }} />}
      </For>
    </div>
  );
}

function SeriesCard(props: { title: string; unit: string; series: Series; note: string; short: string }) {
  const { board, stats, view } = useStores();
  let article!: HTMLElement;
  // A board may have hundreds of cards. Cards out of sight keep their last numbers.
  const numbers = stats.statsOf(
    props.series.key,
    useInView(() => article, [props.series.name]),
  );
  const texts = createMemo(() => cardTexts(numbers(), props.unit, stats.window.isWhole(props.series.key)));
  const now = useLongest(() => texts().now.number);
  /** The longest text in the small line; all three numbers get that much room. */
  const longestOf = (write: (text: Text) => string) =>
    useLongest(() => {
      const { avg, min, max } = texts();
      return [avg, min, max].map(write).reduce((one, other) => (other.length > one.length ? other : one));
    });
  const beside = longestOf(seen);
  const number = longestOf((text) => text.number);
  const span = useSpan();
  const width = useWidth(() => article);
  /** Which parts fit in the small line. The sample count goes first, then the window, then the line wraps. */
  const room = createMemo(() => {
    const least = widthOf(`avg ${beside()} min ${beside()} max ${beside()}`) + 2 * GAP;
    const withWindow = least + widthOf(`${span()}:`) + GAP;
    if (width() >= withWindow + widthOf("999 samples") + 2 * GAP) return "all";
    if (width() >= withWindow) return "window";
    return width() >= least ? "numbers" : "little";
  });
  const severity = useSeverity(() => [props.series.key, props.series.name]);
  const limits = useLimits(props.series.name, severity);
  const stale = useStale(props.series.name);
  /** Whether the value is a share of a whole, as far as known. Once false, it stays false. */
  const isShare = createMemo<boolean>((before) => {
    const { min = 0, max = 100 } = board.metric(props.series.name) ?? {};
    const { min: low, max: high } = numbers();
    return before && props.unit === "%" && min === 0 && max === 100 && !(low < 0 || high > 100);
  }, true);

  return (
    <article
      class="metric-card"
      ref={article}
      classList={{ stale: stale() !== "", plain: !isShare() }}
      data-metric={props.series.key}
      data-severity={severity()}
      style={{ "--digits": now().length }}
    >
      <h3>
        <Show when={severity()}>{(worst) => <SeverityShape severity={worst()} />}</Show>
        <button
          type="button"
          class="card-title"
          title={`Enlarge ${props.title}`}
          onClick={() => view.show({ type: "chart", id: props.series.name })}
        >
          {props.title}
        </button>
        <Show when={props.short || props.note}>
          <span class="card-note">
            <Name text={formatLabels(props.series.labels)} short={props.short} />
            {props.short && props.note ? " " : ""}
            {props.note}
          </span>
        </Show>
      </h3>
      <div class="card-now">
        <p class="now">
          <span class="visually-hidden">now </span>
          <span class="now-value">{texts().now.number}</span> <span class="now-unit">{texts().now.unit}</span>
        </p>
        <Spark series={props.series.key} limits={limits()} firing={severity()} />
      </div>
      <Show when={isShare()}>
        <Share value={numbers().last} limits={limits()} />
      </Show>
      <div class="card-stats" data-room={room()} style={{ "--digits": number().length }}>
        <span class="window">{`${span()}:`}</span>
        <span class="current stat">
          <span class="stat-word">avg</span> <b class="value">{texts().avg.number}</b>{" "}
          <span class="unit" classList={{ "visually-hidden": !texts().avg.ownUnit }}>
            {texts().avg.unit}
          </span>
        </span>
        <span class="range">
          <Beside word="Min" text={texts().min} />
          <Beside word="Max" text={texts().max} />
        </span>
        <span class="samples">
          <span class="unseen">(</span>
          {formatCount(numbers().count)} {plural(numbers().count, "sample")}
          <span class="unseen">)</span>
        </span>
        <Show when={stale()}>
          <span class="stale-note">{stale()}</span>
        </Show>
      </div>
    </article>
  );
}

/** A note below the cards of a metric with too many series to show. */
function MoreCards(props: { shown: number; all: number; onInView: (inView: () => boolean) => void }) {
  let element!: HTMLParagraphElement;
  props.onInView(useInView(() => element));
  return (
    <p class="more-cards" ref={element}>
      {sayHighest(props.shown, props.all)}
    </p>
  );
}

/** One card for each series of the metric, up to a limit, or an empty card while it has no series. */
export function MetricCard(props: { card: Card; section: string }) {
  const { board, stats } = useStores();
  const { metric, labels: wanted = {}, limit = 0 } = props.card;
  const info = () => board.metric(metric);
  const waiting: Series = { key: metric, name: metric, unit: "", labels: {} };
  const isWanted = ({ labels }: Series) =>
    Object.entries(wanted).every(([label, value]) => labels[label] === value);
  const all = createMemo<readonly Series[]>(
    (before) => kept(before, stats.seriesOf(metric).filter(isWanted)),
    [],
  );
  const [inView, setInView] = createSignal<() => boolean>(() => false);
  // Choose the first cards even off screen, so that they reserve their places.
  const chosen = useHighest(all, limit || MAX_CARDS, (chosenAny) => !chosenAny || limit > 0 || inView()());
  const series = createMemo(() => (chosen().length > 0 ? chosen() : [waiting]));
  const short = createMemo(() => {
    const ofOne = Object.keys(wanted).length > 0;
    const texts = distinct(
      onlyDiffering(series().map(({ labels }) => (ofOne ? {} : labels))).map(formatLine),
    );
    return new Map(series().map(({ key }, i) => [key, texts[i]]));
  });
  return (
    <>
      <For each={series()}>
        {(one) => (
          <SeriesCard
            title={titleIn(props.section, props.card.title || info()?.title || metric)}
            unit={info()?.unit ?? one.unit}
            series={one}
            note={props.card.note ?? ""}
            short={short().get(one.key) ?? ""}
          />
        )}
      </For>
      <Show when={limit === 0 && all().length > chosen().length}>
        <MoreCards
          shown={chosen().length}
          all={all().length}
          onInView={(inView) => setInView(() => inView)}
        />
      </Show>
    </>
  );
}
