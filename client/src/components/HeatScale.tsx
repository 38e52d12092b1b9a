/** The scale of a heat map: what the opacity of its cells means. */
import { Show } from "solid-js";
import { shareText } from "../chart/heat";

export function HeatScale(props: { most: number }) {
  return (
    <Show when={props.most > 0}>
      <span class="heat-scale">
        <span class="visually-hidden">Opacity is the share of the values, </span>0
        <span class="heat-ramp" aria-hidden="true" />
        <span class="visually-hidden"> to </span>
        {shareText(props.most)}
      </span>
    </Show>
  );
}
