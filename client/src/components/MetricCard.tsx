/** A metric in one glance: the window's average large, the newest value beside it, and the range it moved in. */
import { createMemo, createSignal, For, Show } from "solid-js";
import { useStores } from "../context";
import { formatAverage, formatBeside, formatLabels } from "../format";
import type { Series } from "../protocol";
import { SEVERITIES } from "../stores/alerts";
import type { Card, Severity } from "../types.gen";
import { sayHighest, useHighest } from "./highest";
import { useInView } from "./inView";

const MAX_CARDS = 12;

/** The worst severity among the alerts that are firing on a series, or on its metric as a whole. */
function useSeverity({ key, name }: Series): () => Severity | undefined {
  const { alerts } = useStores();
  return createMemo(() => {
    const here = [alerts.severityOf(key), alerts.severityOf(name)];
    return SEVERITIES.find((severity) => here.includes(severity));
  });
}

function SeriesCard(props: { title: string; unit: string; series: Series }) {
  const { stats } = useStores();
  let article!: HTMLElement;
  // Hundreds of cards are no rarity; what is out of sight keeps the numbers that it had.
  const numbers = stats.statsOf(
    props.series.key,
    useInView(() => article),
  );
  const average = () => formatAverage(numbers().avg, props.unit);
  const beside = (value: number) => formatBeside(value, props.unit, average().unit);
  const severity = useSeverity(props.series);
  const labels = formatLabels(props.series.labels);
  const range = () => {
    const { min, max, last } = numbers();
    return max > min ? ((last - min) / (max - min)) * 100 : 50;
  };

  return (
    <article
      class="metric-card"
      ref={article}
      classList={{ empty: numbers().count === 0 }}
      data-metric={props.series.key}
      data-severity={severity()}
    >
      <h3 title={labels ? `${props.title} · ${labels}` : props.title}>
        {props.title}
        <Show when={labels}>
          <span class="labels"> · {labels}</span>
        </Show>
      </h3>
      <div class="current">
        <span class="average">
          <span class="value">{average().number}</span> <span class="unit">{average().unit}</span>
        </span>
        <span class="now">now {beside(numbers().last)}</span>
      </div>
      <div class="meter" aria-hidden="true">
        <span style={{ transform: `translateX(${range()}%)` }} />
      </div>
      <div class="range">
        <span>Min: {beside(numbers().min)}</span>
        <span>Max: {beside(numbers().max)}</span>
      </div>
      <div class="samples">({numbers().count} samples)</div>
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
  return (
    <>
      <For each={series()}>
        {(one) => (
          <SeriesCard
            title={props.card.title || info()?.title || props.card.metric}
            unit={info()?.unit ?? one.unit}
            series={one}
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
