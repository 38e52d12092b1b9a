/** Placeholders for cards and charts, so that nothing jumps when they load. They are not animated. */
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
