/** The place that cards and charts will take, so that nothing jumps when they come. Calm: nothing in it moves. */
import { For } from "solid-js";

const PLACES = [1, 2, 3, 4];

export function Skeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      <div class="metric-cards">
        <For each={PLACES}>{() => <div class="metric-card" />}</For>
      </div>
      <div class="charts">
        <For each={PLACES}>{() => <div class="chart" />}</For>
      </div>
    </div>
  );
}
