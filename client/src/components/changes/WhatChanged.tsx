/**
 * What changed between two ranges: all series that differ, the most changed first. It stands beside the board
 * where there is room, and else in a sheet over it.
 */
import "../../styles/opened.css";
import "../../styles/changes.css";
import { createEffect, createMemo, createSignal, type JSX, on, onCleanup, onMount, Show } from "solid-js";
import { createChangeLinesStore } from "../../stores/changelines";
import { createChangesStore } from "../../stores/changes";
import { systemClock } from "../../time/clock";
import type { Comparison } from "../../time/comparison";
import { useStores } from "../context";
import { useCopy } from "../copy";
import { Dialog } from "../finding/Dialog";
import { Icon } from "../Icon";
import { ChangeList } from "./ChangeList";
import { useBothOnPage } from "./onpage";
import { Ranges } from "./Ranges";

/** As in the style sheet: from here on there is room beside the board. */
const BESIDE = "(min-width: 68.8125rem)";

/** GET an address below the page's. */
const get = (path: string, signal: AbortSignal) => fetch(path, { signal, cache: "no-store" });

function useBeside(): () => boolean {
  const query = matchMedia(BESIDE);
  const [beside, setBeside] = createSignal(query.matches);
  const follow = () => setBeside(query.matches);
  query.addEventListener("change", follow);
  onCleanup(() => query.removeEventListener("change", follow));
  return beside;
}

/** The focus is on the heading while it opens, and afterwards returns to where it was. */
function Beside(props: { children: JSX.Element }) {
  const before = document.activeElement;
  let panel!: HTMLElement;
  onMount(() => panel.querySelector<HTMLElement>("h2")?.focus({ preventScroll: true }));
  onCleanup(() => {
    if (!panel.contains(document.activeElement)) return;
    const back = before instanceof HTMLElement && before.isConnected ? before : null;
    const next = back ?? document.querySelector<HTMLElement>("main");
    queueMicrotask(() => next?.focus({ preventScroll: true }));
  });
  return (
    <aside class="changes beside" aria-labelledby="what-changed" ref={panel}>
      {props.children}
    </aside>
  );
}

export default function WhatChanged() {
  const { comparison, history, view } = useStores();
  const beside = useBeside();
  const copying = useCopy();
  // It keeps the last ones while it closes.
  const ranges = createMemo<Comparison>(
    (last) => comparison.ranges() ?? last,
    comparison.ranges() as Comparison,
  );
  const changes = createChangesStore({ clock: systemClock, get });
  const lines = createChangeLinesStore({ clock: systemClock, get });
  useBothOnPage(ranges);
  createEffect(
    on(ranges, (both) => {
      changes.ask(both);
      lines.aim(both);
      // It says which of both ranges is kept.
      void history.refresh();
    }),
  );
  onCleanup(() => {
    changes.stop();
    lines.stop();
  });

  const content = (
    <>
      <div class="changes-head">
        <h2 id="what-changed" tabIndex={-1}>
          What changed?
        </h2>
        <button
          type="button"
          class="icon-button small"
          aria-label="Copy link"
          title="Copy link"
          onClick={() => void copying.copy(location.href)}
        >
          <Icon name={copying.copied() ? "check" : "link"} />
        </button>
        <button
          type="button"
          class="icon-button small"
          aria-label="Close: what changed"
          title="Close (Esc)"
          onClick={view.close}
        >
          <Icon name="close" />
        </button>
      </div>
      <p class="visually-hidden" role="status">
        {copying.copied() ? "Copied" : ""}
      </p>
      <Show when={copying.byHand()}>
        {(link) => (
          <input
            class="changes-link"
            readOnly
            aria-label="Link to this comparison"
            value={link()}
            ref={(input) => queueMicrotask(() => input.select())}
          />
        )}
      </Show>
      <Ranges ranges={ranges()} />
      <ChangeList ranges={ranges()} changes={changes} lines={lines} />
    </>
  );
  return (
    <Show
      when={beside()}
      fallback={
        <Show when={view.shown()?.type === "changes"}>
          <Dialog class="changes" label="What changed?">
            {content}
          </Dialog>
        </Show>
      }
    >
      <Beside>{content}</Beside>
    </Show>
  );
}
