/**
 * A button and a panel that opens below it, over the page. A press outside or Esc closes it. It opens above
 * if there is no room below, and at the bottom of the screen on a phone.
 */
import { createSignal, createUniqueId, type JSX, onMount, Show } from "solid-js";

const GAP = 4;
/** The panel opens above a button that is below this share of the window. */
const LOW = 0.6;

/** Align a panel with its anchor's right edge, or its left one, and limit it to the free height. */
function placeBeside(panel: HTMLElement, anchor: HTMLElement, leftwards = false): void {
  const { top, bottom, left, right } = anchor.getBoundingClientRect();
  const above = bottom > LOW * innerHeight;
  const room = above ? top : innerHeight - bottom;
  const beyond = document.documentElement.clientWidth - right;
  panel.style.setProperty("--right", leftwards ? "auto" : `${Math.max(GAP, beyond)}px`);
  panel.style.setProperty("--left", leftwards ? `${Math.max(GAP, left)}px` : "auto");
  panel.style.setProperty("--top", above ? "auto" : `${bottom + GAP}px`);
  panel.style.setProperty("--bottom", above ? `${innerHeight - top + GAP}px` : "auto");
  panel.style.setProperty("--room", `${room - 2 * GAP}px`);
}

/** A panel that is open while it is mounted. `onClose` runs when the viewer closes it. */
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

/** @param props.leftwards whether the panel is aligned with the button's left edge. */
export function MenuButton(props: {
  label: string;
  class?: string;
  leftwards?: boolean;
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
    if (event.newState === "open") placeBeside(panel, button, props.leftwards);
    // The focused element has just been removed.
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
