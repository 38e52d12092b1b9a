/** Fonts and text widths on a canvas. Widths are cached. */
export const FONT =
  "11px -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Ubuntu, Cantarell, 'Liberation Sans', Arial, sans-serif";
export const BOLD = `600 ${FONT}`;

const LONGEST_MEMORY = 2_000;
const widths = new Map<string, number>();

/** The width of a text in CSS pixels. Every digit counts as wide as a zero. */
export function textWidth(context: CanvasRenderingContext2D, text: string, font = FONT): number {
  const shape = `${font === FONT ? "" : "b"}${text.replace(/\d/g, "0")}`;
  const known = widths.get(shape);
  if (known !== undefined) return known;
  if (widths.size > LONGEST_MEMORY) widths.clear();
  const before = context.font;
  context.font = font;
  const { width } = context.measureText(shape.slice(font === FONT ? 0 : 1));
  context.font = before;
  widths.set(shape, width);
  return width;
}
