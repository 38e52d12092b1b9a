/** A name, shortened to its distinguishing part. A tooltip and screen readers give it in full. */
import { Show } from "solid-js";

export function Name(props: { text: string; short: string | undefined }) {
  return (
    <Show when={props.short !== undefined && props.short !== props.text} fallback={props.text}>
      <span aria-hidden="true" title={props.text}>
        {props.short}
      </span>
      <span class="visually-hidden">{props.text}</span>
    </Show>
  );
}
