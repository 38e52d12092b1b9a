/**
 * The place of a part that is loaded on first use. After an update, an open page may ask for a file that is
 * gone. The place then shows an error, and the rest of the page keeps working.
 */
import { ErrorBoundary, type JSX, Suspense } from "solid-js";

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
