/**
 * The health block, above everything else: one line while all is quiet; below it the firing alerts, worst
 * first, with the recent ones beside them. To prevent jumps the block keeps its height for a while when it
 * shrinks, and an alert keeps its place while the viewer reads or points there.
 */
import { createEffect, createMemo, createSignal, onCleanup, onMount, Show } from "solid-js";
import { STAY_MS } from "../stores/staying";
import { useStores } from "./context";
import { HealthLine } from "./HealthLine";
import { onDemand } from "./LoadedPart";

const AlertLog = onDemand((parts) => parts.AlertLog, { fallback: () => <div class="alerts-coming" /> });

/** Recent alerts stay listed for this long after the last one ended, unless the viewer folds the list. */
const LISTED_MS = 60_000;

/** Hold an element's height for a while after its content shrinks, except after a click. */
export function useHeldHeight(outer: () => HTMLElement, inner: () => HTMLElement): void {
  let held = 0;
  let width = 0;
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
      // Another width is another layout.
      const isOther = inner().offsetWidth !== width;
      width = inner().offsetWidth;
      if (height >= held || isOther || !outer().classList.contains("open")) release();
      else if (timer === undefined) {
        const borders = outer().offsetHeight - outer().clientHeight;
        outer().style.minHeight = `${held + borders}px`;
        timer = setTimeout(release, STAY_MS);
      }
    });
    observer.observe(inner());
    // The viewer folded, opened or dismissed something, so a jump is expected.
    const pressed = () => queueMicrotask(release);
    outer().addEventListener("click", pressed);
    onCleanup(() => {
      observer.disconnect();
      clearTimeout(timer);
      outer().removeEventListener("click", pressed);
    });
  });
}

/** Whether recent alerts are listed while nothing fires, as they are at another time, and a function to toggle it. */
function useListed(): [() => boolean, () => void] {
  const { alerts, connection } = useStores();
  const isPast = createMemo(() => alerts.at() !== null);
  const [wanted, setWanted] = createSignal<boolean | null>(null);
  const isNew = createMemo(() => connection.serverTime() - alerts.lastEnded() < LISTED_MS);
  // The viewer's choice holds until the firing alerts change.
  createEffect(() => {
    if (!isPast()) alerts.firing();
    setWanted(null);
  });
  const listed = createMemo(() => wanted() ?? (isPast() || (isNew() && alerts.live())));
  return [listed, () => setWanted(!listed())];
}

export function Health() {
  const { alerts, marks, time } = useStores();
  let section!: HTMLElement;
  let inner!: HTMLDivElement;
  let log!: HTMLDivElement;
  const [listed, toggleListed] = useListed();
  const anyFiring = () => alerts.firingIds().length > 0 || alerts.firingLeftOut().hidden > 0;
  const anyRecent = () => alerts.recent().length > 0 || marks.recent().length > 0;
  const showsRecent = () => anyRecent() && (anyFiring() || listed());
  const reads = () => alerts.reads(log.matches(":hover, :has(:focus-visible)"));
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
        unknown: !alerts.sure(),
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
          // Nobody can listen to a replay.
          aria-live={time.speed() > 0 ? "off" : "polite"}
          aria-label="Alerts"
          tabIndex={-1}
          ref={log}
          onPointerEnter={reads}
          onPointerLeave={reads}
          onFocusIn={reads}
          onFocusOut={() => queueMicrotask(reads)}
        >
          <Show when={anyFiring() || showsRecent()}>
            <AlertLog firing={anyFiring()} recent={showsRecent()} />
          </Show>
        </div>
      </div>
    </section>
  );
}
