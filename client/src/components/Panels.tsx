/**
 * The panels in the order declared: cards that follow each other flow in one grid, charts in another, and a row
 * keeps its own together under its title.
 */
import { createMemo, For, Match, Show, Switch } from "solid-js";
import { useStores } from "../context";
import type { Card, Chart, Panel, Row } from "../types.gen";
import { ChartPanel } from "./ChartPanel";
import { MetricCard } from "./MetricCard";
import { Skeleton } from "./Skeleton";

type Run = { cards: Card[] } | { charts: Chart[] } | { row: Row };

/** Neighbours of one kind belong together. */
function runsOf(panels: readonly Panel[]): Run[] {
  const runs: Run[] = [];
  for (const panel of panels) {
    const last = runs.at(-1);
    if (panel.type === "row") runs.push({ row: panel });
    else if (panel.type === "card") {
      if (last && "cards" in last) last.cards.push(panel);
      else runs.push({ cards: [panel] });
    } else if (last && "charts" in last) last.charts.push(panel);
    else runs.push({ charts: [panel] });
  }
  return runs;
}

function Runs(props: { panels: readonly Panel[] }) {
  return (
    <For each={runsOf(props.panels)}>
      {(run) => (
        <Switch>
          <Match when={"cards" in run && run}>
            {(found) => (
              <div class="metric-cards">
                <For each={found().cards}>{(card) => <MetricCard card={card} />}</For>
              </div>
            )}
          </Match>
          <Match when={"charts" in run && run}>
            {(found) => (
              <div class="charts">
                <For each={found().charts}>{(chart) => <ChartPanel chart={chart} />}</For>
              </div>
            )}
          </Match>
          <Match when={"row" in run && run}>
            {(found) => (
              <section class="row">
                <Show when={found().row.title}>
                  <h2>{found().row.title}</h2>
                </Show>
                <div class="row-panels">
                  <Runs panels={found().row.panels} />
                </div>
              </section>
            )}
          </Match>
        </Switch>
      )}
    </For>
  );
}

export function Panels() {
  const { board, stats } = useStores();
  const panels = createMemo(() => (stats.loaded() ? board.board()?.panels : undefined));
  return (
    <div class="panels">
      <Show when={panels()} fallback={<Skeleton />} keyed>
        {(declared) => <Runs panels={declared} />}
      </Show>
    </div>
  );
}
