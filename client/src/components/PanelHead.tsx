/** The head of a panel: its title, what belongs to it in small type, and its buttons. */
import { type JSX, Show } from "solid-js";
import type { Severity } from "../types.gen";
import { Icon } from "./Icon";
import type { Plotted } from "./layout";
import { type MenuItem, PanelMenu } from "./PanelMenu";
import { SeverityShape } from "./SeverityShape";

/**
 * @param props.title the panel's title, if it is shown differently.
 * @param props.common the part that all names of its series share.
 * @param props.children stand before the buttons.
 */
export function PanelHead(props: {
  panel: Plotted;
  title?: string;
  severity?: Severity;
  details?: string;
  common?: string;
  stale?: string;
  onEnlarge?: () => void;
  items?: readonly MenuItem[];
  children?: JSX.Element;
}) {
  return (
    <div class="chart-head">
      <h3>
        {props.title ?? props.panel.title}
        <Show when={props.severity}>{(worst) => <SeverityShape severity={worst()} />}</Show>
        <Show when={props.details}>
          {" "}
          <span class="chart-unit">{props.details}</span>
        </Show>
      </h3>
      <Show when={props.common}>
        <span class="chart-common" title={props.common}>
          {props.common}
        </span>
      </Show>
      <Show when={props.stale}>
        <span class="stale-note">{props.stale}</span>
      </Show>
      <span class="chart-space" />
      {props.children}
      <Show when={props.onEnlarge}>
        <button
          type="button"
          class="icon-button"
          aria-label={`Enlarge: ${props.panel.title}`}
          title="Enlarge"
          onClick={() => props.onEnlarge?.()}
        >
          <Icon name="expand" />
        </button>
      </Show>
      <PanelMenu panel={props.panel} items={props.items} />
    </div>
  );
}
