/**
 * A severity as a shape, readable without colour: an octagon, a triangle or a circle, hollow once the alert
 * is resolved. Screen readers skip it: the severity's name stands beside it.
 */
import { SHAPES } from "../chart/shapes";
import type { Severity } from "../types.gen";

export function SeverityShape(props: { severity: Severity; hollow?: boolean }) {
  return (
    <svg
      class={`severity-shape severity-${props.severity}`}
      classList={{ hollow: props.hollow }}
      viewBox="0 0 12 12"
      aria-hidden="true"
    >
      <path d={SHAPES[props.severity]} />
    </svg>
  );
}
