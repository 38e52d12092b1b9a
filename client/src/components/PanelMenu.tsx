/** The menu of a panel, behind three dots: its own items and the one that pins it to the top. */
import { For } from "solid-js";
import { useStores } from "./context";
import { Icon } from "./Icon";
import type { Plotted } from "./layout";
import { MenuButton } from "./Menu";

export interface MenuItem {
  text: string;
  run: () => void;
}

export function PanelMenu(props: { panel: Plotted; items?: readonly MenuItem[] }) {
  const { pins } = useStores();
  const items = (): readonly MenuItem[] => [
    ...(props.items ?? []),
    {
      text: pins.isPinned(props.panel) ? "Unpin from the top" : "Pin to the top",
      run: () => pins.toggle(props.panel),
    },
  ];
  return (
    <MenuButton label={`More: ${props.panel.title}`} button={<Icon name="more" />}>
      {(close) => (
        <ul class="menu-items">
          <For each={items()}>
            {(item, place) => (
              <li>
                <button
                  type="button"
                  class="menu-item"
                  autofocus={place() === 0}
                  onClick={() => {
                    close();
                    item.run();
                  }}
                >
                  {item.text}
                </button>
              </li>
            )}
          </For>
        </ul>
      )}
    </MenuButton>
  );
}
