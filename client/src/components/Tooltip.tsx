/** The values at the pointer, beside it and never under it, and the same for screen readers. */
import { For, Show } from "solid-js";
import { colorVariable } from "../chart/palette";
import { Icon } from "./Icon";
import type { Reading } from "./reading";

export interface TipRow {
  name: string;
  value: string;
  /** The lowest and highest value of a bucket; empty if there is only one. */
  extremes?: string;
  /** Null for a line in the background, undefined for none. */
  color?: number | null;
}

export interface TipContent {
  rows: readonly TipRow[];
  /** What is said below the rows. */
  foot?: string;
}

export interface Tip extends TipContent {
  time: string;
  /** The texts of the marks there. */
  marks: readonly string[];
  /** Distances from the edges of the chart; null for the side that is free. */
  left: number | null;
  right: number | null;
  top: number;
}

/** What reading a drawing shows and announces. */
export function Readout(props: { reading: Reading }) {
  return (
    <>
      <Show when={props.reading.tip()}>{(shown) => <Tooltip tip={shown()} />}</Show>
      <span class="visually-hidden" role="status">
        {props.reading.said()}
      </span>
    </>
  );
}

function Tooltip(props: { tip: Tip }) {
  const place = (distance: number | null) => (distance === null ? "auto" : `${distance}px`);
  const bucketed = () => props.tip.rows.some(({ extremes }) => extremes);
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
            <Show when={row.color !== undefined}>
              <span class="swatch" style={{ background: `var(${colorVariable(row.color ?? null)})` }} />
            </Show>
            <span>{row.name}</span>
            <b>{row.value}</b>
            <Show when={bucketed()}>
              <span class="tip-extremes">{row.extremes}</span>
            </Show>
          </div>
        )}
      </For>
      <Show when={props.tip.foot}>
        <div class="tip-time">{props.tip.foot}</div>
      </Show>
    </div>
  );
}
