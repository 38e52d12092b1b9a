/**
 * The place of a part that is loaded on first use. After an update, an open page may ask for a file that is
 * gone. The place then shows an error, and the rest of the page keeps working.
 */
import { createEffect, ErrorBoundary, type JSX, onCleanup, Suspense } from "solid-js";
import { useStores } from "./context";

function NotLoaded(props: { error: unknown }) {
  console.error(props.error);
  return (
    <p class="not-loaded" role="alert">
      This part could not be loaded: reload the page.
      <button type="button" class="button small" onClick={() => location.reload()}>
        Reload
      </button>
    </p>
  );
}

/** @param props.fallback is shown while the part is loading. */
export function LoadedPart(props: { fallback?: JSX.Element; children: JSX.Element }) {
  return (
    <ErrorBoundary fallback={(error) => <NotLoaded error={error} />}>
      <Suspense fallback={props.fallback}>{props.children}</Suspense>
    </ErrorBoundary>
  );
}

/** How long after the first values the parts are loaded that may be needed at once: after the first drawing. */
export const SOON_MS = 100;

/** Load parts some time after the first values have come, so that they work after the server has gone. */
export function usePreload(afterMs: number, ...loads: readonly (() => Promise<unknown>)[]): void {
  const { stats } = useStores();
  createEffect(() => {
    if (!stats.loaded()) return;
    const timer = setTimeout(() => {
      // A part that cannot be loaded says so where it is opened.
      for (const load of loads) load().catch(() => {});
    }, afterMs);
    onCleanup(() => clearTimeout(timer));
  });
}
