/** Bring a part of the page into view, focus it for the keyboard and highlight it for a moment. */
import type { Target } from "../stores/sections";

const STANDS_OUT_MS = 2_000;

/** Find a section's element, a metric's chart, or a panel: first by its exact `data-metric`, then by its metric. */
function find(target: Target): HTMLElement | null {
  const panels = document.getElementById("panels");
  if ("section" in target)
    return panels?.querySelector(`[data-section="${CSS.escape(target.section)}"]`) ?? null;
  if ("chart" in target) {
    const chart = panels?.querySelector<HTMLElement>(`.chart[data-metric~="${CSS.escape(target.chart)}"]`);
    return chart ?? find({ panel: target.series });
  }
  const metric = target.panel.split("{", 1)[0];
  const wanted = CSS.escape(target.panel);
  const name = CSS.escape(metric);
  for (const selector of [`="${wanted}"`, `^="${name}{"`, `="${name}"`, `~="${name}"`]) {
    const found = panels?.querySelector<HTMLElement>(`[data-metric${selector}]`);
    if (found) return found;
  }
  return null;
}

export function reveal(target: Target): void {
  const element = find(target);
  if (element === null) return;
  const focused = element.querySelector<HTMLElement>("h2 button, h3 button") ?? element;
  if (focused === element) element.tabIndex = -1;
  element.scrollIntoView({ block: "section" in target ? "start" : "center" });
  focused.focus({ preventScroll: true });
  element.classList.add("stands-out");
  setTimeout(() => element.classList.remove("stands-out"), STANDS_OUT_MS);
}

/** The id of the chart that has the focus, is under the pointer, or comes first in view. */
export function chartInSight(): string | undefined {
  const charts = [...document.querySelectorAll<HTMLElement>(".chart[data-metric]")];
  const focused = document.activeElement?.closest<HTMLElement>(
    ".chart[data-metric], .metric-card[data-metric]",
  );
  const chosen =
    focused ??
    document.querySelector<HTMLElement>(":is(.chart, .metric-card)[data-metric]:hover") ??
    charts.find((chart) => chart.getBoundingClientRect().bottom > 0);
  const metrics = chosen?.dataset.metric;
  if (chosen === undefined || metrics === undefined) return undefined;
  // A panel may show metrics that do not belong in one chart.
  if (chosen.dataset.chart !== undefined) return chosen.dataset.chart;
  return chosen.classList.contains("chart") ? metrics.split(" ").join(",") : metrics.split("{", 1)[0];
}
