/** Whether an element is in view, close to it, or being printed. Other elements skip their work. */
import { createMemo, createSignal, onCleanup, onMount } from "solid-js";
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

export function useInView(element: () => Element): () => boolean {
  const { theme } = useStores();
  const [inView, setInView] = createSignal(false);
  onMount(() => {
    const observed = element();
    observe(observed, setInView);
    onCleanup(() => observer?.unobserve(observed));
  });
  return createMemo(() => inView() || theme.printing());
}
