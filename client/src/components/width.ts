/** The widths of elements and texts, without forcing a layout. */
import { createSignal, onCleanup, onMount } from "solid-js";

const setters = new WeakMap<Element, (width: number) => void>();
/** One observer for all elements: there may be thousands. */
let observer: ResizeObserver | null = null;

function observe(element: Element, set: (width: number) => void): void {
  observer ??= new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) setters.get(target)?.(contentRect.width);
  });
  setters.set(element, set);
  observer.observe(element);
}

/** The width of an element's content in pixels; Infinity until known. */
export function useWidth(element: () => Element): () => number {
  const [width, setWidth] = createSignal(Number.POSITIVE_INFINITY);
  onMount(() => {
    const observed = element();
    observe(observed, setWidth);
    onCleanup(() => observer?.unobserve(observed));
  });
  return width;
}

/** The page's smallest font size, in rem. */
const SMALL = 0.6875;
let context: CanvasRenderingContext2D | null = null;
/** Cache: measuring makes the browser update all styles, and a thousand cards measure similar texts. */
const known = new Map<string, number>();
const MOST_KNOWN = 1000;

/** Measure a small text in pixels, in the page's font, where all digits have the same width. */
export function widthOf(text: string): number {
  const alike = text.replaceAll(/\d/g, "0");
  const before = known.get(alike);
  if (before !== undefined) return before;
  if (context === null) {
    context = document.createElement("canvas").getContext("2d");
    const { fontFamily } = getComputedStyle(document.body);
    const root = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    if (context !== null) context.font = `${SMALL * root}px ${fontFamily}`;
  }
  const width = context?.measureText(alike).width ?? 0;
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(alike, width);
  return width;
}
