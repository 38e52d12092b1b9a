/** The values at the pointer. It stands beside the pointer, never under it. */
import { For, Show } from "solid-js";
import { colorVariable } from "../chart/palette";
import { Icon } from "./Icon";

export interface TipRow {
  key: string;
  name: string;
  value: string;
  /** The lowest and highest value of a bucket; empty if there is only one. */
  extremes: string;
  color: number | null;
}

export interface Tip {
  time: string;
  /** The texts of the marks there. */
  marks: readonly string[];
  rows: readonly TipRow[];
  /** How many rows more there are. */
  more: number;
  /** Distances from the edges of the chart; null for the side that is free. */
  left: number | null;
  right: number | null;
  top: number;
}

export function Tooltip(props: { tip: Tip }) {
  const place = (distance: number | null) => (distance === null ? "auto" : `${distance}px`);
  const bucketed = () => props.tip.rows.some(({ extremes }) => extremes !== "");
  return (
    <div
      class="tip"
      classList={{ bucketed: bucketed() }}
      aria-hidden="true"
      style={{ top: `${props.tip.top}px`, left: place(props.tip.left), right: place(props.tip.right) }}
    >
      <div class="tip-time tip-head">
        <span>{props.tip.time}</span>
        <Show when={bucketed()}>
          <span>avg</span>
          <span>min – max</span>
        </Show>
      </div>
      <For each={props.tip.marks}>
        {(mark) => (
          <div class="tip-mark">
            <Icon name="flag" />
            {mark}
          </div>
        )}
      </For>
      <For each={props.tip.rows}>
        {(row) => (
          <div class="tip-row">
            <span
              class="swatch"
              style={{ background: `var(${row.color === null ? "--ghost" : colorVariable(row.color)})` }}
            />
            <span>{row.name}</span>
            <b>{row.value}</b>
            <Show when={bucketed()}>
              <span class="tip-extremes">{row.extremes}</span>
            </Show>
          </div>
        )}
      </For>
      <Show when={props.tip.more > 0}>
        <div class="tip-time">{props.tip.more} more below</div>
      </Show>
    </div>
  );
}
