/** How wide an element is, and a text would be: known without asking for a layout. */
import { createSignal, onCleanup, onMount } from "solid-js";

const setters = new WeakMap<Element, (width: number) => void>();
/** One for all of a page's elements, of which there may be thousands. */
let observer: ResizeObserver | null = null;

function observe(element: Element, set: (width: number) => void): void {
  observer ??= new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) setters.get(target)?.(contentRect.width);
  });
  setters.set(element, set);
  observer.observe(element);
}

/** The width of an element's content in pixels; Infinity until it is known. */
export function useWidth(element: () => Element): () => number {
  const [width, setWidth] = createSignal(Number.POSITIVE_INFINITY);
  onMount(() => {
    const observed = element();
    observe(observed, setWidth);
    onCleanup(() => observer?.unobserve(observed));
  });
  return width;
}

/** Of the smallest text of the page, in rem. */
const SMALL = 0.6875;
let context: CanvasRenderingContext2D | null = null;

/** The width of a small text in pixels, in the page's font. */
export function widthOf(text: string): number {
  if (context === null) {
    context = document.createElement("canvas").getContext("2d");
    const { fontFamily } = getComputedStyle(document.body);
    const root = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    if (context !== null) context.font = `${SMALL * root}px ${fontFamily}`;
  }
  return context?.measureText(text).width ?? 0;
}
