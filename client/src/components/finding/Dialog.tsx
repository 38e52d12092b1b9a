/** A dialog over the page. The browser keeps the focus in it and restores it afterwards. */
import "../../styles/finding.css";
import { type JSX, onCleanup, onMount } from "solid-js";
import { useStores } from "../context";
import { Icon } from "../Icon";

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

/** @param props.children stands between the title and the close button. */
export function DialogHead(props: { title: string; children?: JSX.Element }) {
  const { view } = useStores();
  return (
    <div class="dialog-head">
      <h2>{props.title}</h2>
      {props.children}
      <button type="button" class="icon-button" aria-label="Close" onClick={view.close}>
        <Icon name="close" />
      </button>
    </div>
  );
}
