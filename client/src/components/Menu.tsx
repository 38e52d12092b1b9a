/**
 * A button and a panel that opens below it, over the page: one press outside or Esc closes it. Where there is no room
 * below it opens above, and on a phone it takes the foot of the screen.
 */
import { createSignal, createUniqueId, type JSX, onMount, Show } from "solid-js";

const GAP = 4;
/** A button below this share of the window has its panel above. */
const LOW = 0.6;

/** Put a panel beside what it belongs to: at its right end, and no higher than there is room. */
function placeBeside(panel: HTMLElement, anchor: HTMLElement): void {
  const { top, bottom, right } = anchor.getBoundingClientRect();
  const above = bottom > LOW * innerHeight;
  const room = above ? top : innerHeight - bottom;
  panel.style.setProperty("--right", `${Math.max(GAP, document.documentElement.clientWidth - right)}px`);
  panel.style.setProperty("--top", above ? "auto" : `${bottom + GAP}px`);
  panel.style.setProperty("--bottom", above ? `${innerHeight - top + GAP}px` : "auto");
  panel.style.setProperty("--room", `${room - 2 * GAP}px`);
}

/** A panel that is open for as long as it is there. `onClose` is called when the viewer closes it. */
export function Panel(props: {
  anchor: () => HTMLElement;
  label: string;
  onClose(): void;
  children: JSX.Element;
}) {
  let panel!: HTMLDivElement;
  onMount(() => {
    placeBeside(panel, props.anchor());
    panel.showPopover();
  });
  return (
    <div
      class="popover"
      ref={panel}
      popover="auto"
      role="dialog"
      aria-label={props.label}
      on:toggle={(event: ToggleEvent) => event.newState === "closed" && props.onClose()}
    >
      {props.children}
    </div>
  );
}

export function MenuButton(props: {
  label: string;
  class?: string;
  button: JSX.Element;
  children: (close: () => void) => JSX.Element;
}) {
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  let button!: HTMLButtonElement;
  let panel!: HTMLDivElement;
  function toggled(event: ToggleEvent): void {
    const focused = panel.contains(document.activeElement);
    setOpen(event.newState === "open");
    if (event.newState === "open") placeBeside(panel, button);
    // What had the focus has just gone.
    else if (focused) button.focus();
  }
  return (
    <>
      <button
        type="button"
        class={props.class ?? "icon-button"}
        ref={button}
        popovertarget={id}
        aria-label={props.label}
        aria-expanded={open()}
        title={props.label}
      >
        {props.button}
      </button>
      <div
        class="popover"
        id={id}
        ref={panel}
        popover="auto"
        role="dialog"
        aria-label={props.label}
        on:beforetoggle={toggled}
      >
        <Show when={open()}>{props.children(() => panel.hidePopover())}</Show>
      </div>
    </>
  );
}
