/**
 * What is wrong, before everything else: a line while all is quiet, and below it what fires, the worst first, with what
 * is over beside it. Nothing jumps: the block keeps its height for a while when there is less in it, and an alert its
 * place for as long as somebody reads or aims there.
 */
import { createEffect, createMemo, createSignal, lazy, onCleanup, onMount, Show } from "solid-js";
import { STAY_MS } from "../stores/staying";
import { useStores } from "./context";
import { HealthLine } from "./HealthLine";
import { LoadedPart } from "./LoadedPart";

const load = () => import("./AlertLog");
const AlertLog = lazy(load);
/** It is there when the server is not. */
const PRELOAD_AFTER_MS = 1_000;

/** What is over is listed by itself for so long after the last ended, unless the viewer has folded it. */
const LISTED_MS = 60_000;

/** Keep an element as high as it was for a while after what is in it became less, unless the viewer made it so. */
function useHeldHeight(outer: () => HTMLElement, inner: () => HTMLElement): void {
  let held = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const release = () => {
    clearTimeout(timer);
    timer = undefined;
    held = inner().offsetHeight;
    outer().style.minHeight = "";
  };
  onMount(() => {
    const observer = new ResizeObserver(() => {
      const height = inner().offsetHeight;
      if (height >= held || !outer().classList.contains("open")) release();
      else if (timer === undefined) {
        const borders = outer().offsetHeight - outer().clientHeight;
        outer().style.minHeight = `${held + borders}px`;
        timer = setTimeout(release, STAY_MS);
      }
    });
    observer.observe(inner());
    // The viewer has folded, opened or dismissed something: that is no jump.
    const pressed = () => queueMicrotask(release);
    outer().addEventListener("click", pressed);
    onCleanup(() => {
      observer.disconnect();
      clearTimeout(timer);
      outer().removeEventListener("click", pressed);
    });
  });
}

/** Whether what is over is listed while nothing fires, and a way for the viewer to say so. */
function useListed(): [() => boolean, () => void] {
  const { alerts, connection } = useStores();
  const [wanted, setWanted] = createSignal<boolean | null>(null);
  const isNew = createMemo(() => connection.serverTime() - alerts.lastEnded() < LISTED_MS);
  // What the viewer said holds until something else happens.
  createEffect(() => {
    alerts.firing();
    setWanted(null);
  });
  const listed = createMemo(() => wanted() ?? (isNew() && alerts.live()));
  return [listed, () => setWanted(!listed())];
}

export function Health() {
  const { alerts } = useStores();
  let section!: HTMLElement;
  let inner!: HTMLDivElement;
  let log!: HTMLDivElement;
  const [listed, toggleListed] = useListed();
  const anyFiring = () => alerts.firingIds().length > 0 || alerts.firingLeftOut().hidden > 0;
  const anyRecent = () => alerts.recent().length > 0;
  const showsRecent = () => anyRecent() && (anyFiring() || listed());
  const reads = () => alerts.reads(log.matches(":hover, :has(:focus-visible)"));
  onMount(() => {
    const timer = setTimeout(() => load().catch(() => {}), PRELOAD_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });
  useHeldHeight(
    () => section,
    () => inner,
  );

  return (
    <section
      class="alert-feed"
      classList={{
        open: anyFiring() || showsRecent(),
        firing: alerts.firing().length > 0,
        unknown: !alerts.live(),
      }}
      id="alerts"
      aria-label="Alerts"
      ref={section}
    >
      <div ref={inner}>
        <h2 class="visually-hidden">Alerts</h2>
        <HealthLine open={listed()} onToggle={toggleListed} />
        <div
          class="alert-log"
          role="log"
          aria-live="polite"
          aria-label="Alerts"
          tabIndex={-1}
          ref={log}
          onPointerEnter={reads}
          onPointerLeave={reads}
          onFocusIn={reads}
          onFocusOut={() => queueMicrotask(reads)}
        >
          <Show when={anyFiring() || showsRecent()}>
            <LoadedPart fallback={<div class="alerts-coming" />}>
              <AlertLog firing={anyFiring()} recent={showsRecent()} />
            </LoadedPart>
          </Show>
        </div>
      </div>
    </section>
  );
}
