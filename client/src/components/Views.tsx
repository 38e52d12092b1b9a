/**
 * The views that open over the page, loaded on first use, and their keyboard shortcuts. The enlarged chart is
 * drawn in place of the board.
 */
import { onCleanup, onMount, Show } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { seriesKey } from "../link/protocol";
import type { Action } from "../stores/shortcuts";
import { useStores } from "./context";
import { onDemand } from "./LoadedPart";
import { useRanges } from "./ranges";
import { chartInSight } from "./reveal";

/** Close a view that cannot be loaded because the server has gone. */
function Close() {
  useStores().view.close();
  return null;
}

const Search = onDemand((parts) => parts.Search, { Failed: Close });
const Outline = onDemand((parts) => parts.Outline, { Failed: Close });
const NewMark = onDemand((parts) => parts.NewMark, { Failed: Close });
const Shortcuts = onDemand((parts) => parts.Shortcuts, { Failed: Close });

function useActions(): (action: Action, key: string) => void {
  const { alerts, comparison, cursor, me, replay, sections, theme, time, view } = useStores();
  const ranges = useRanges();
  let shownLast = "";

  function enlarge(): void {
    const id = chartInSight();
    if (view.shown()?.type === "chart") view.close();
    else if (id !== undefined) view.show({ type: "chart", id });
  }

  /** Go to the next firing alert, the worst first. */
  function next(): void {
    const all = alerts.firing().map(({ alert }) => alert);
    all.sort((one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity));
    const alert = all[(all.findIndex(({ id }) => id === shownLast) + 1) % all.length];
    if (alert === undefined) return;
    shownLast = alert.id;
    const { metric = "", labels } = alert;
    const go = () => sections.go(sections.of(metric) ?? "", seriesKey(metric, labels));
    // The board returns with the next frame.
    if (!view.covers()) go();
    else view.leave(() => requestAnimationFrame(go));
  }

  const toggle = (type: "search" | "outline" | "shortcuts") => () =>
    view.shown()?.type === type ? view.close() : view.show({ type });

  const actions: Record<Action, (key: string) => void> = {
    ...{ search: toggle("search"), outline: toggle("outline"), shortcuts: toggle("shortcuts") },
    ...{ enlarge, next, pause: replay.standOrGoOn, live: time.live, back: time.back },
    changes: comparison.toggle,
    range: (chosen) =>
      ranges()
        .find(({ key }) => key === chosen)
        ?.choose(),
    earlier: () => time.step(-1),
    later: () => time.follows() || time.step(1),
    mark: () => me.mayChange() && view.show({ type: "mark", from: cursor.time() ?? undefined }),
    theme: () => theme.setTheme(theme.isDark() ? "light" : "dark"),
  };
  return (action, key) => actions[action](key);
}

export function Views() {
  const { shortcuts, view } = useStores();
  const act = useActions();

  function onKeyDown(event: KeyboardEvent): void {
    const action = shortcuts.actionOf(event);
    if (action === undefined) return;
    event.preventDefault();
    if (!event.repeat) act(action, event.key);
  }

  onMount(() => {
    window.addEventListener("keydown", onKeyDown);
    onCleanup(() => window.removeEventListener("keydown", onKeyDown));
  });

  const shows = (type: string) => view.shown()?.type === type;
  return (
    <>
      <Show when={shows("search")}>
        <Search />
      </Show>
      <Show when={shows("outline")}>
        <Outline />
      </Show>
      <Show when={shows("mark")}>
        <NewMark />
      </Show>
      <Show when={shows("shortcuts")}>
        <Shortcuts />
      </Show>
    </>
  );
}

/** The first element that the Tab key reaches. */
export function SkipLink() {
  return (
    <a class="skip-link" href="#panels">
      Skip to the panels
    </a>
  );
}
