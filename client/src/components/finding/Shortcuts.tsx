/** All keyboard shortcuts, and the switch that turns them off. */
import { For } from "solid-js";
import { useStores } from "../context";
import { Dialog, DialogHead } from "./Dialog";

const SHORTCUTS = [
  { name: "/", text: "Search" },
  { name: "1 – 8", text: "The last minute, 5 min … 30 d" },
  { name: "Space", text: "Stand still, or go on" },
  { name: "←", text: "Back by half a range" },
  { name: "→", text: "Forward by half a range" },
  { name: "l", text: "Live: follow now again" },
  { name: "Backspace", text: "Back to the range before" },
  { name: "e", text: "Enlarge the chart under the pointer or in focus" },
  { name: "m", text: "Mark the time of the cursor, or now" },
  { name: "n", text: "Next firing alert" },
  { name: "w", text: "What changed in the range on the page" },
  { name: "o", text: "Outline" },
  { name: "t", text: "Light or dark" },
  { name: "?", text: "All shortcuts" },
];

const ON_A_CHART = [
  { name: "← →", text: "Move the cursor along the time" },
  { name: "Page ↑ ↓", text: "The same in steps of ten" },
  { name: "Home End", text: "To the oldest, to the newest" },
  { name: "↑ ↓", text: "One line after the other, alone" },
  { name: "i", text: "The nearest line alone, or all lines" },
  { name: "Shift ← →", text: "Choose a range" },
  { name: "Enter", text: "Zoom all charts to the chosen range" },
  { name: "+ −", text: "Zoom about the cursor" },
];

const ALWAYS = [{ name: "Esc", text: "Close what is open" }];

function Keys(props: { keys: readonly { name: string; text: string }[]; off?: boolean }) {
  return (
    <dl classList={{ off: props.off }}>
      <For each={props.keys}>
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
  );
}

export default function Shortcuts() {
  const { me, shortcuts } = useStores();
  const keys = () => SHORTCUTS.filter(({ name }) => name !== "m" || me.mayChange());
  return (
    <Dialog class="shortcuts" label="Keyboard shortcuts">
      <DialogHead title="Keyboard shortcuts" />
      <Keys keys={keys()} off={!shortcuts.on()} />
      <Keys keys={ALWAYS} />
      <h3>On a chart in focus</h3>
      <Keys keys={ON_A_CHART} />
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
