/**
 * The colours of lines, as custom properties of the style sheet so that both themes have their own. Eight that
 * are told apart with the common kinds of colour blindness; beyond eight the dash tells the lines apart too.
 */
const COLORS = 8;
const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];

export const colorVariable = (line: number): string => `--line-${(line % COLORS) + 1}`;

export const dashOf = (line: number): number[] => DASHES[Math.floor(line / COLORS) % DASHES.length];

export interface Colors {
  line(index: number): string;
  text: string;
  grid: string;
  severity: Record<"info" | "warning" | "critical", string>;
}

/** The colours as they are now, for a canvas, which cannot read the style sheet itself. */
export function readColors(element: Element): Colors {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(name).trim();
  const lines = Array.from({ length: COLORS }, (_, i) => read(colorVariable(i)));
  return {
    line: (index) => lines[index % COLORS],
    text: read("--text-faint"),
    grid: read("--grid"),
    severity: { info: read("--info"), warning: read("--warning"), critical: read("--critical") },
  };
}
