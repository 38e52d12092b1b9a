/**
 * The parts of the page that are loaded after its first drawing, or when one of them is shown before that. After an
 * update, an open page may ask for a file that is gone. The part then shows an error, and the rest of the page keeps
 * working.
 */
import { createEffect, createMemo, createSignal, ErrorBoundary, type JSX, onCleanup, Show } from "solid-js";
import { useStores } from "./context";

type View<Props> = (props: Props) => JSX.Element;

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

/** The first error of a part that lies over another one, where an error of its own would cover what works. */
const [missing, setMissing] = createSignal<unknown>(null);

/** Shown in place of a part that lies over another one: `MissingPart` says it, once for all of them. */
export function NotLoadedOver(props: { error: unknown }) {
  setMissing(() => props.error);
  return null;
}

export const MissingPart = () => <Show when={missing()}>{(error) => <NotLoaded error={error()} />}</Show>;

/**
 * Parts of the page that are loaded together, on first use: the parts, undefined before they have been loaded, what
 * loads them, and what makes components of them.
 */
export function lazily<Parts extends object>(fetch: () => Promise<Parts>) {
  const [parts, setParts] = createSignal<Parts>();
  const [failed, setFailed] = createSignal<{ error: unknown }>();
  let coming: Promise<Parts> | null = null;

  async function begin(): Promise<Parts> {
    try {
      // The style sheet has come, too.
      const loaded = await fetch();
      setParts(() => loaded);
      return loaded;
    } catch (error) {
      coming = null;
      setFailed({ error });
      throw error;
    }
  }

  /** Load the parts. A failed attempt is made again by the next call. */
  function load(): Promise<Parts> {
    setFailed(undefined);
    coming ??= begin();
    return coming;
  }

  /**
   * A component of the parts, which are loaded now if they have not been.
   *
   * @param pick returns the component.
   * @param shown.fallback is shown while it is loading.
   * @param shown.Failed is shown if it cannot be loaded.
   */
  function onDemand<Props extends object>(
    pick: (parts: Parts) => View<Props>,
    shown: { fallback?: View<Props>; Failed?: View<{ error: unknown }> } = {},
  ): View<Props> {
    const { fallback, Failed = NotLoaded } = shown;
    function Part(props: Props) {
      const part = createMemo(() => {
        const failure = failed();
        if (failure !== undefined) throw failure.error;
        const loaded = parts();
        return loaded && pick(loaded);
      });
      return (
        <Show when={part()} keyed fallback={fallback?.(props)}>
          {(loaded) => loaded(props)}
        </Show>
      );
    }

    return (props) => {
      load().catch(() => {});
      return <ErrorBoundary fallback={(error) => <Failed error={error} />}>{Part(props)}</ErrorBoundary>;
    };
  }

  return [parts, load, onDemand] as const;
}

/** What the page begins without: what has been loaded of it, what loads it, and what makes components of it. */
export const [later, loadLater, onDemand] = lazily(() => import("../later"));

const SOON_MS = 100;

/** Load all parts soon after the first values have been drawn, so that they work after the server has gone. */
export function usePreload(): void {
  const { stats } = useStores();
  createEffect(() => {
    if (!stats.loaded()) return;
    // A part that cannot be loaded says so where it is opened.
    const timer = setTimeout(() => loadLater().catch(() => {}), SOON_MS);
    onCleanup(() => clearTimeout(timer));
  });
}
