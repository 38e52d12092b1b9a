/**
 * A severity as a shape, readable without colour: an octagon, a triangle or a circle, hollow once the alert
 * is resolved. Screen readers skip it: the severity's name stands beside it.
 */
import type { Severity } from "../types.gen";

const PATHS: Record<Severity, string> = {
  critical: "M4 .8h4L11.2 4v4L8 11.2H4L.8 8V4z",
  warning: "M6 1l5.3 9.8H.7z",
  info: "M6 1.4a4.6 4.6 0 100 9.2 4.6 4.6 0 000-9.2z",
};

export function SeverityShape(props: { severity: Severity; hollow?: boolean }) {
  return (
    <svg
      class={`severity-shape severity-${props.severity}`}
      classList={{ hollow: props.hollow }}
      viewBox="0 0 12 12"
      aria-hidden="true"
    >
      <path d={PATHS[props.severity]} />
    </svg>
  );
}
