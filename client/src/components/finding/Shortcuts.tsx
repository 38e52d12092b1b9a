/** All shortcuts, and the switch that turns them off. */
import { For } from "solid-js";
import { SHORTCUTS } from "../../stores/shortcuts";
import { useStores } from "../context";
import { Icon } from "../Icon";
import { Dialog } from "./Dialog";

const ON_A_CHART = [
  { name: "← →", text: "Move the cursor along the time" },
  { name: "Home End", text: "To the oldest, to the newest" },
];

export default function Shortcuts() {
  const { shortcuts, view } = useStores();
  return (
    <Dialog class="shortcuts" label="Keyboard shortcuts">
      <div class="dialog-head">
        <h2>Keyboard shortcuts</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={() => view.close()}>
          <Icon name="close" />
        </button>
      </div>
      <dl classList={{ off: !shortcuts.on() }}>
        <For each={SHORTCUTS}>
          {({ name, text }) => (
            <div>
              <dt>
                <kbd>{name}</kbd>
              </dt>
              <dd>{text}</dd>
            </div>
          )}
        </For>
      </dl>
      <dl>
        <div>
          <dt>
            <kbd>Esc</kbd>
          </dt>
          <dd>Close what is open</dd>
        </div>
      </dl>
      <h3>On a chart in focus</h3>
      <dl>
        <For each={ON_A_CHART}>
          {({ name, text }) => (
            <div>
              <dt>
                <kbd>{name}</kbd>
              </dt>
              <dd>{text}</dd>
            </div>
          )}
        </For>
      </dl>
      <label class="switch">
        <input
          type="checkbox"
          checked={shortcuts.on()}
          onChange={(event) => shortcuts.set(event.currentTarget.checked)}
        />
        Use single keys as shortcuts
      </label>
    </Dialog>
  );
}
