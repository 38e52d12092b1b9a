/**
 * The chart colours, as custom properties of the style sheet, so that each theme has its own. The eight line
 * colours stay distinct with the common kinds of colour blindness.
 */
import type { Severity } from "../types.gen";

export const COLORS = 8;

/** The style sheet's variable of a line's colour; null for a line in the background. */
export const colorVariable = (color: number | null): string =>
  color === null ? "--ghost" : `--line-${(color % COLORS) + 1}`;

export interface Colors {
  lines: readonly string[];
  surface: string;
  sunken: string;
  edgeStrong: string;
  accent: string;
  text: string;
  textSoft: string;
  textFaint: string;
  grid: string;
  axis: string;
  ghost: string;
  severity: Record<Severity, string>;
  severityText: Record<Severity, string>;
  /** How opaque a min-max band is, and a chosen range. */
  band: number;
  selection: number;
}

/** Read the current colours, since a canvas cannot use the style sheet itself. */
export function readColors(element: Element): Colors {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  const bySeverity = (suffix: string) => ({
    info: read(`--info${suffix}`),
    warning: read(`--warning${suffix}`),
    critical: read(`--critical${suffix}`),
  });
  return {
    lines: Array.from({ length: COLORS }, (_, i) => read(colorVariable(i))),
    surface: read("--surface"),
    sunken: read("--sunken"),
    edgeStrong: read("--edge-strong"),
    accent: read("--accent"),
    text: read("--text"),
    textSoft: read("--text-soft"),
    textFaint: read("--text-faint"),
    grid: read("--grid"),
    axis: read("--axis"),
    ghost: read("--ghost"),
    severity: bySeverity(""),
    severityText: bySeverity("-text"),
    band: Number(read("--band")),
    selection: Number(read("--selection")),
  };
}

let known: { theme: string; colors: Colors } | null = null;

/** The colours of the document's current theme, read once and shared by all drawings. */
export function colorsOf(theme: string): Colors {
  if (known?.theme !== theme) known = { theme, colors: readColors(document.documentElement) };
  return known.colors;
}
