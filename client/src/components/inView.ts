/** Whether an element is in view, or about to be, or on paper: what is not costs nothing. */
import { createMemo, createSignal, onCleanup, onMount } from "solid-js";
import { useStores } from "./context";

const MARGIN = "200px";

export function useInView(element: () => HTMLElement): () => boolean {
  const { theme } = useStores();
  const [inView, setInView] = createSignal(false);
  onMount(() => {
    const observer = new IntersectionObserver(
      (entries) => setInView(entries.at(-1)?.isIntersecting ?? false),
      { rootMargin: MARGIN },
    );
    observer.observe(element());
    onCleanup(() => observer.disconnect());
  });
  return createMemo(() => inView() || theme.printing());
}
