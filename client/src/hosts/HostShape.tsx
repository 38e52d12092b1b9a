/** What is wrong with a host as a shape: a severity's, or a dashed ring for one that is gone; a dot if nothing is. */
import { Show } from "solid-js";
import { SeverityShape } from "../components/SeverityShape";
import type { wrongWith } from "./model";

export type Wrong = ReturnType<typeof wrongWith>;

export const GoneShape = () => (
  <svg class="severity-shape gone-shape" viewBox="0 0 12 12" aria-hidden="true">
    <circle cx="6" cy="6" r="4.8" />
  </svg>
);

export function HostShape(props: { wrong: Wrong }) {
  const severity = () => (props.wrong === "" || props.wrong === "gone" ? undefined : props.wrong);
  return (
    <Show when={props.wrong} fallback={<span class="dot" />}>
      <Show when={severity()} fallback={<GoneShape />}>
        {(worst) => <SeverityShape severity={worst()} />}
      </Show>
    </Show>
  );
}
