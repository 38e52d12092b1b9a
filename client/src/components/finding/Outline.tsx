/** The sections of the board, or its panels if it has no sections, with the firing alerts in each. */
import { createMemo, For, Show } from "solid-js";
import { formatCount } from "../../format";
import { useStores } from "../context";
import { leavesOf, targetOf } from "../layout";
import { SeverityShape } from "../SeverityShape";
import { Dialog, DialogHead } from "./Dialog";

const MOST_PANELS = 200;

export default function Outline() {
  const { board, rows, sections, view } = useStores();
  let list!: HTMLUListElement;
  const panels = createMemo(() =>
    board
      .groups()
      .flatMap(leavesOf)
      .flatMap((panel) => (panel.type === "card" || panel.type === "row" || !panel.title ? [] : [panel]))
      .slice(0, MOST_PANELS),
  );
  const foldable = createMemo(() => sections.all().filter(({ depth }) => depth === 0));
  const allOpen = () => foldable().every(rows.isOpen);

  function go(path: string, panel?: string): void {
    view.close();
    sections.go(path, panel);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [...list.querySelectorAll("button")];
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    all[(at + step + all.length) % all.length]?.focus();
  }

  return (
    <Dialog class="outline" label="Outline">
      <DialogHead title="Outline">
        <Show when={foldable().length > 0}>
          <button
            type="button"
            class="link"
            onClick={() => {
              const open = !allOpen();
              for (const section of foldable()) rows.setOpen(section, open);
            }}
          >
            {allOpen() ? "Fold all" : "Unfold all"}
          </button>
        </Show>
      </DialogHead>
      <ul ref={list} onKeyDown={onKeyDown}>
        <For each={sections.all()}>
          {(section) => (
            <li style={{ "--depth": section.depth }}>
              <button type="button" onClick={() => go(section.path)}>
                <Show when={section.severity()} fallback={<span class="dot" />}>
                  {(severity) => <SeverityShape severity={severity()} />}
                </Show>
                <span class="outline-title">{section.title}</span>
                <span class="outline-end">
                  {section.firing() > 0
                    ? `${formatCount(section.firing())} firing`
                    : rows.isOpen(section)
                      ? ""
                      : "folded"}
                </span>
              </button>
            </li>
          )}
        </For>
        <Show when={sections.all().length === 0}>
          <For each={panels()}>
            {(panel) => (
              <li>
                <button type="button" onClick={() => go("", targetOf(panel))}>
                  <span class="dot" />
                  <span class="outline-title">{panel.title}</span>
                </button>
              </li>
            )}
          </For>
        </Show>
      </ul>
    </Dialog>
  );
}
