/** One heat map in place of the board, with its table. The link in the address bar opens it again. */
import "../styles/enlarged.css";
import "../styles/heatmap.css";
import { createSignal, onCleanup, onMount } from "solid-js";
import { bucketsOf } from "../chart/buckets";
import { formatLabels } from "../format";
import type { Heatmap } from "../types.gen";
import { useStores } from "./context";
import { HeatCanvas } from "./HeatCanvas";
import { HeatScale } from "./HeatScale";
import { HeatTable } from "./HeatTable";
import { Icon } from "./Icon";
import { useInView } from "./inView";

export default function EnlargedHeatmap(props: { panel: Heatmap }) {
  const { view } = useStores();
  const { labels = {}, metric, title, unit = "" } = props.panel;
  let section!: HTMLElement;
  const inView = useInView(() => section, [bucketsOf(metric)]);
  const [most, setMost] = createSignal(0);

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
    <section class="enlarged" ref={section} tabIndex={-1} aria-label={`${title}, enlarged`}>
      <div class="enlarged-head">
        <button type="button" class="button small plain" onClick={view.close}>
          <Icon name="left" />
          Board
        </button>
        <h2>{title}</h2>
        <span class="chart-unit">
          {[unit, "share of values", formatLabels(labels)].filter(Boolean).join(" · ")}
        </span>
        <span class="chart-space" />
        <HeatScale most={most()} />
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
      <div class="enlarged-main">
        <div class="chart-area">
          <HeatCanvas panel={props.panel} live={inView} onDrawn={({ cells }) => setMost(cells.most)} />
        </div>
        <div class="table-wide">
          <HeatTable panel={props.panel} live={inView} />
        </div>
      </div>
    </section>
  );
}
