/** Bring a part of the page into view, focus it for the keyboard, and make it stand out for a moment. */
import type { Target } from "../stores/sections";

const STANDS_OUT_MS = 2_000;

function find(target: Target): HTMLElement | null {
  const [attribute, value] =
    "section" in target ? ["data-section", target.section] : ["data-metric", target.panel];
  return document.querySelector(`.panels [${attribute}="${CSS.escape(value)}"]`);
}

export function reveal(target: Target): void {
  const element = find(target);
  if (element === null) return;
  const focused = element.querySelector<HTMLElement>("h2 button") ?? element;
  if (focused === element) element.tabIndex = -1;
  element.scrollIntoView({ block: "section" in target ? "start" : "center" });
  focused.focus({ preventScroll: true });
  element.classList.add("stands-out");
  setTimeout(() => element.classList.remove("stands-out"), STANDS_OUT_MS);
}
