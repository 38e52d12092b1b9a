/** The shape of each severity as an SVG path of 12 by 12: an octagon, a triangle or a circle. */
import type { Severity } from "../types.gen";

export const SHAPES: Record<Severity, string> = {
  critical: "M4 .8h4L11.2 4v4L8 11.2H4L.8 8V4z",
  warning: "M6 1l5.3 9.8H.7z",
  info: "M6 1.4a4.6 4.6 0 100 9.2 4.6 4.6 0 000-9.2z",
};
