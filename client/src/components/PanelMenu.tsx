/** The menu of a panel, behind three dots: its own items, and the one that pins it to the top. */
import { createSignal, createUniqueId, For, onCleanup, Show } from "solid-js";
import { useStores } from "./context";
import { Icon } from "./Icon";
import type { Plotted } from "./layout";

export interface MenuItem {
  text: string;
  run: () => void;
}

export function PanelMenu(props: { panel: Plotted; items?: readonly MenuItem[] }) {
  const { pins } = useStores();
  const id = createUniqueId();
  const [open, setOpen] = createSignal(false);
  let whole!: HTMLDivElement;
  let button!: HTMLButtonElement;

  const items = (): readonly MenuItem[] => [
    ...(props.items ?? []),
    {
      text: pins.isPinned(props.panel) ? "Unpin from the top" : "Pin to the top",
      run: () => pins.toggle(props.panel),
    },
  ];
  const buttons = () => [...whole.querySelectorAll<HTMLElement>("[role=menuitem]")];

  function closeOutside(event: Event): void {
    if (!whole.contains(event.target as Node)) close(false);
  }

  function close(focus: boolean): void {
    setOpen(false);
    document.removeEventListener("pointerdown", closeOutside);
    if (focus) button.focus();
  }

  function show(): void {
    setOpen(true);
    document.addEventListener("pointerdown", closeOutside);
    buttons()[0]?.focus();
  }
  onCleanup(() => document.removeEventListener("pointerdown", closeOutside));

  function onKeyDown(event: KeyboardEvent): void {
    if (!open()) return;
    const all = buttons();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to = {
      ArrowDown: (at + 1) % all.length,
      ArrowUp: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (event.key === "Escape") close(true);
    else if (event.key === "Tab") close(false);
    else if (to !== undefined) all[to].focus();
    if (event.key === "Escape" || to !== undefined) event.preventDefault();
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the menu in it
    <div class="panel-menu" ref={whole} onKeyDown={onKeyDown}>
      <button
        type="button"
        class="icon-button"
        ref={button}
        aria-label={`More: ${props.panel.title}`}
        title="More"
        aria-haspopup="menu"
        aria-expanded={open()}
        aria-controls={open() ? id : undefined}
        onClick={() => (open() ? close(true) : show())}
      >
        <Icon name="more" />
      </button>
      <Show when={open()}>
        <div class="menu" role="menu" id={id} aria-label={props.panel.title}>
          <For each={items()}>
            {(item) => (
              <button
                type="button"
                role="menuitem"
                onClick={() => {
                  close(true);
                  item.run();
                }}
              >
                {item.text}
              </button>
            )}
          </For>
        </div>
      </Show>
    </div>
  );
}
