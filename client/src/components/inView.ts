/** Whether an element is in view, close to it, or being printed. Other elements skip their work. */
import { createEffect, createMemo, createSignal, onCleanup, onMount } from "solid-js";
import { useStores } from "./context";

const MARGIN = "200px";

const setters = new WeakMap<Element, (inView: boolean) => void>();
/** One observer for all elements: there may be thousands. */
let observer: IntersectionObserver | null = null;

function observe(element: Element, set: (inView: boolean) => void): void {
  observer ??= new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) setters.get(target)?.(isIntersecting);
    },
    { rootMargin: MARGIN },
  );
  setters.set(element, set);
  observer.observe(element);
}

/** @param metrics are loaded for the range on the page, once the element is in view. */
export function useInView(element: () => Element, metrics: readonly string[] = []): () => boolean {
  const { past, theme } = useStores();
  const [inView, setInView] = createSignal(false);
  onMount(() => {
    const observed = element();
    observe(observed, setInView);
    onCleanup(() => observer?.unobserve(observed));
  });
  const seen = createMemo(() => inView() || theme.printing());
  createEffect(() => {
    if (metrics.length > 0 && seen()) onCleanup(past.want(metrics));
  });
  return seen;
}
