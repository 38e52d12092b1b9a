/** A dialog over the page. The browser keeps the focus in it and restores it afterwards. */
import "../../styles/finding.css";
import { type JSX, onCleanup, onMount } from "solid-js";
import { useStores } from "../context";

export function Dialog(props: { class: string; label: string; children: JSX.Element }) {
  const { view } = useStores();
  let dialog!: HTMLDialogElement;
  onMount(() => dialog.showModal());
  onCleanup(() => dialog.close());
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it
    <dialog
      class={`dialog ${props.class}`}
      ref={dialog}
      aria-label={props.label}
      onCancel={(event) => {
        event.preventDefault();
        view.close();
      }}
      // A click on the backdrop.
      onClick={(event) => event.target === dialog && view.close()}
    >
      <div class="dialog-inside">{props.children}</div>
    </dialog>
  );
}
