/**
 * The place of a part that is loaded on first use. After an update, an open page may ask for a file that is
 * gone. The place then shows an error, and the rest of the page keeps working.
 */
import {
  createContext,
  createEffect,
  createMemo,
  createSignal,
  ErrorBoundary,
  type JSX,
  onCleanup,
  Show,
  useContext,
} from "solid-js";
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

type View<Props> = (props: Props) => JSX.Element;

const Fallback = createContext<() => JSX.Element>(() => undefined);

/**
 * A component whose code is loaded when it is first shown, or by `preload`. Until then there is the fallback of the
 * `LoadedPart` around it. It takes the place of Solid's `lazy`, which brings resources and transitions along.
 */
export function onDemand<Props>(
  load: () => Promise<{ default: View<Props> }>,
): View<Props> & { preload: () => Promise<unknown> } {
  const [part, setPart] = createSignal<View<Props>>();
  const [failed, setFailed] = createSignal<{ error: unknown }>();
  let coming: Promise<unknown> | null = null;

  function preload(): Promise<unknown> {
    setFailed(undefined);
    coming ??= load().then(
      (loaded) => setPart(() => loaded.default),
      (error) => {
        coming = null;
        setFailed({ error });
        throw error;
      },
    );
    return coming;
  }

  function Part(props: Props) {
    const fallback = useContext(Fallback);
    preload().catch(() => {});
    const shown = createMemo(() => {
      const failure = failed();
      if (failure !== undefined) throw failure.error;
      return part();
    });
    return (
      <Show when={shown()} keyed fallback={fallback()}>
        {(loaded) => loaded(props)}
      </Show>
    );
  }

  return Object.assign(Part, { preload });
}

/** The first error of a part that lies over another one, where an error of its own would cover what works. */
const [missing, setMissing] = createSignal<unknown>(null);

/** The one error for all parts that lie over others. */
export const MissingPart = () => <Show when={missing()}>{(error) => <NotLoaded error={error()} />}</Show>;

/**
 * @param props.fallback is shown while the part is loading.
 * @param props.over whether the part lies over another: `MissingPart` then shows its error.
 */
export function LoadedPart(props: { fallback?: JSX.Element; over?: boolean; children: JSX.Element }) {
  const failed = (error: unknown) =>
    props.over ? void setMissing(() => error) : <NotLoaded error={error} />;
  return (
    <ErrorBoundary fallback={failed}>
      <Fallback.Provider value={() => props.fallback}>{props.children}</Fallback.Provider>
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
