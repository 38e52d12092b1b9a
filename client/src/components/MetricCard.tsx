/** A metric in one glance: the window's average large, the newest value beside it, and the range it moved in. */
import { createMemo, createSignal, For, Show } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { formatAverage, formatBeside, formatCount, formatLabels, plural } from "../format";
import type { Series } from "../link/protocol";
import type { Card, Severity } from "../types.gen";
import { useStores } from "./context";
import { distinct } from "./distinct";
import { sayHighest, useHighest } from "./highest";
import { useInView } from "./inView";
import { Name } from "./Name";
import { useStale } from "./stale";

const MAX_CARDS = 12;
/** Two longer texts are not read beside each other. */
const LONG_TEXT = 9;

/** The worst severity among the alerts that are firing on a series, or on its metric as a whole. */
function useSeverity({ key, name }: Series): () => Severity | undefined {
  const { alerts } = useStores();
  return createMemo(() => {
    const here = [alerts.severityOf(key), alerts.severityOf(name)];
    return SEVERITIES.find((severity) => here.includes(severity));
  });
}

function SeriesCard(props: { title: string; unit: string; series: Series; short: string }) {
  const { stats } = useStores();
  let article!: HTMLElement;
  // Hundreds of cards are no rarity; what is out of sight keeps the numbers that it had.
  const numbers = stats.statsOf(
    props.series.key,
    useInView(() => article),
  );
  const extent = () => [numbers().min, numbers().max] as const;
  const average = () => formatAverage(numbers().avg, props.unit, extent());
  const beside = (value: number) => formatBeside(value, props.unit, average().unit, extent());
  // Once they needed two lines they keep them, for a card that grows and shrinks moves all that is below.
  const long = createMemo<boolean>(
    (before) => before || Math.max(beside(numbers().min).length, beside(numbers().max).length) > LONG_TEXT,
    false,
  );
  const severity = useSeverity(props.series);
  const stale = useStale(props.series.name);
  const labels = formatLabels(props.series.labels);
  const range = () => {
    const { min, max, last } = numbers();
    return max > min ? ((last - min) / (max - min)) * 100 : 50;
  };

  return (
    <article
      class="metric-card"
      ref={article}
      classList={{ empty: numbers().count === 0, stale: stale() !== "" }}
      data-metric={props.series.key}
      data-severity={severity()}
    >
      <h3>
        {props.title}
        <Show when={labels}>
          <span class="labels">
            {" · "}
            <Name text={labels} short={props.short} />
          </span>
        </Show>
      </h3>
      <div class="current">
        <span class="average" style={{ "--digits": average().number.length }}>
          <span class="value">{average().number}</span> <span class="unit">{average().unit}</span>
        </span>
        <span class="now">now {beside(numbers().last)}</span>
      </div>
      <div class="meter" aria-hidden="true">
        <span style={{ transform: `translateX(${range()}%)` }} />
      </div>
      <div class="range" classList={{ long: long() }}>
        <span>Min: {beside(numbers().min)}</span>
        <span>Max: {beside(numbers().max)}</span>
      </div>
      <div class="samples">
        ({formatCount(numbers().count)} {plural(numbers().count, "sample")})
        <Show when={stale()}>
          <span class="stale-note"> {stale()}</span>
        </Show>
      </div>
    </article>
  );
}

/** Below the cards of a metric that has more series than that. */
function MoreCards(props: { shown: number; all: number; onInView: (inView: () => boolean) => void }) {
  let element!: HTMLParagraphElement;
  props.onInView(useInView(() => element));
  return (
    <p class="more-cards" ref={element}>
      {sayHighest(props.shown, props.all)}
    </p>
  );
}

/** One card for each series of the metric, as far as they can be read; one without a value for a metric that has none yet. */
export function MetricCard(props: { card: Card }) {
  const { board, stats } = useStores();
  const info = () => board.metric(props.card.metric);
  const waiting: Series = { key: props.card.metric, name: props.card.metric, unit: "", labels: {} };
  const all = () => stats.seriesOf(props.card.metric);
  const [inView, setInView] = createSignal<() => boolean>(() => false);
  // The first choice is made unseen: the cards' places have to be there.
  const chosen = useHighest(all, MAX_CARDS, (chosenAny) => !chosenAny || inView()());
  const series = createMemo(() => (chosen().length > 0 ? chosen() : [waiting]));
  const short = createMemo(() => {
    const labels = series().map((one) => formatLabels(one.labels));
    const texts = distinct(labels);
    return new Map(series().map(({ key }, i) => [key, texts[i]]));
  });
  return (
    <>
      <For each={series()}>
        {(one) => (
          <SeriesCard
            title={props.card.title || info()?.title || props.card.metric}
            unit={info()?.unit ?? one.unit}
            series={one}
            short={short().get(one.key) ?? ""}
          />
        )}
      </For>
      <Show when={all().length > chosen().length}>
        <MoreCards
          shown={chosen().length}
          all={all().length}
          onInView={(inView) => setInView(() => inView)}
        />
      </Show>
    </>
  );
}
