/** Whether an element is in view, or about to be: what is not costs nothing. */
import { createSignal, onCleanup, onMount } from "solid-js";

const MARGIN = "200px";

export function useInView(element: () => HTMLElement): () => boolean {
  const [inView, setInView] = createSignal(false);
  onMount(() => {
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.at(-1)?.isIntersecting ?? false),
      { rootMargin: MARGIN },
    );
    observer.observe(element());
    onCleanup(() => observer.disconnect());
  });
  return inView;
}
