/**
 * The place of a part that is loaded when it is first wanted. After the product was updated the file of a page that was
 * open before may be gone: then the place says so, and the rest of the page goes on.
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

/** @param props.fallback what is there until it has been loaded. */
export function LoadedPart(props: { fallback?: JSX.Element; children: JSX.Element }) {
  return (
    <ErrorBoundary fallback={(error) => <NotLoaded error={error} />}>
      <Suspense fallback={props.fallback}>{props.children}</Suspense>
    </ErrorBoundary>
  );
}
