/**
 * A heat map on a canvas: a row for each bucket, a column for each tick or more, and in each cell the share of
 * the column's values as opacity of one hue. The cursor has its own canvas. It must not know stores, signals
 * or the document around it.
 */
import { type BucketSet, type Cells, cellsOf, edgeText, everyOf } from "./heat";
import { rule } from "./painting";
import type { Colors } from "./palette";
import type { Ring } from "./reduce";
import { axisWidth, type Box, boxOf, LABEL, timeLabels } from "./scene";
import { Surface } from "./surface";
import { FONT, textWidth } from "./text";
import type { TimeAxis } from "./timeaxis";

/** In CSS pixels: no row is lower, and no column narrower. */
const ROW = 7;
const COLUMN = 2;
/** Wider columns have a gap between them. */
const GAP_FROM = 4;
const GAP = 0.5;
/** Even the smallest share can be seen. */
const FAINTEST = 0.07;
const LABEL_SPACE = 22;
/** Distance from the baseline of an 11-pixel text to its middle. */
const MIDDLE = 4;

export interface HeatScene {
  ring: Ring;
  /** Changes with the ring's values. */
  version: number;
  intervalMs: number;
  spanMs: number;
  /** The end of the time axis, milliseconds since 1970. */
  until: number;
  sets: readonly BucketSet[];
  unit: string;
  stale: boolean;
  colors: Colors;
}

export interface Cell {
  column: number;
  row: number;
}

interface Layout {
  box: Box;
  from: number;
  to: number;
}

const EMPTY: Cells = { edges: [], columns: [], rates: new Float64Array(0), most: 0 };

export class HeatPlot {
  readonly #surface: Surface;
  #overlay: Surface | null = null;
  #scene: HeatScene | null = null;
  #layout: Layout | null = null;
  #cursor: { time: number; row: number | null } | null = null;
  #drawnSize = "";
  /** The cells of the last drawing. */
  cells: Cells = EMPTY;

  readonly #element: HTMLElement;

  constructor(element: HTMLElement) {
    this.#element = element;
    this.#surface = new Surface(element);
  }

  get canvas(): HTMLCanvasElement {
    return this.#surface.canvas;
  }

  /** The time axis of the last drawing; null before the first. */
  get timeAxis(): TimeAxis | null {
    if (this.#layout === null) return null;
    const { box, from, to } = this.#layout;
    return { ...box, from, to };
  }

  draw(scene: HeatScene): void {
    if (!this.#surface.fit()) return;
    const { width, height, ratio } = this.#surface;
    const size = `${width} ${height} ${ratio}`;
    if (this.#scene !== null && size === this.#drawnSize && isSame(scene, this.#scene)) return;
    this.#scene = scene;
    this.#drawnSize = size;
    const context = this.#surface.begin();
    context.font = FONT;
    const { ring, intervalMs, spanMs, until, sets, unit } = scene;
    const from = until - spanMs - intervalMs / 2;
    const to = until + intervalMs / 2;
    const plain = boxOf(width, height, 0, 0);
    this.cells = cellsOf(ring, sets, {
      intervalMs,
      columnMs: intervalMs * Math.ceil((COLUMN * (to - from)) / intervalMs / plain.width),
      most: Math.floor(plain.height / ROW),
    });
    const labels = this.#labels(unit, plain.height);
    const left = axisWidth(
      context,
      labels.map(({ text }) => text),
    );
    this.#layout = { box: boxOf(width, height, left, 0), from, to };
    this.#drawCells(context, scene);
    this.#drawAxes(context, scene, labels);
    this.#drawCursor();
  }

  /** Move the cursor to a time and a row; null removes it. */
  moveCursor(time: number | null, row: number | null): void {
    if (time === null && this.#cursor === null) return;
    this.#cursor = time === null ? null : { time, row };
    this.#drawCursor();
  }

  /** The cell at a position; null outside the axes, or where no tick is. */
  cellAt(x: number, y: number): Cell | null {
    const { cells } = this;
    const layout = this.#layout;
    if (layout === null || cells.columns.length === 0) return null;
    const { box, from, to } = layout;
    if (x < box.left || x > box.left + box.width || y < box.top || y > box.top + box.height) return null;
    const rows = cells.edges.length - 1;
    const row = Math.min(rows - 1, Math.floor(((box.top + box.height - y) / box.height) * rows));
    return { column: this.columnAt(from + ((x - box.left) / box.width) * (to - from)), row };
  }

  /** The column nearest to a time. */
  columnAt(time: number): number {
    const { columns } = this.cells;
    const next = columns.findIndex(({ to }) => time < to);
    if (next === -1) return columns.length - 1;
    return next > 0 && time < columns[next].from && time - columns[next - 1].to < columns[next].from - time
      ? next - 1
      : next;
  }

  destroy(): void {
    this.#surface.remove();
    this.#overlay?.remove();
  }

  /** The texts at the ends of rows, as many as there is room for. */
  #labels(unit: string, height: number): { edge: number; text: string }[] {
    const { edges } = this.cells;
    const step = Math.ceil(((edges.length - 1) * LABEL_SPACE) / Math.max(1, height));
    return everyOf(edges, Math.max(1, step))
      .filter((edge) => Number.isFinite(edges[edge]))
      .map((edge) => ({ edge, text: edgeText(edges[edge], unit) }));
  }

  #x(time: number): number {
    const { box, from, to } = this.#layout as Layout;
    return box.left + ((time - from) / (to - from)) * box.width;
  }

  #y(edge: number): number {
    const { box } = this.#layout as Layout;
    return box.top + box.height - (edge / Math.max(1, this.cells.edges.length - 1)) * box.height;
  }

  /** Round to whole device pixels, so that neighbouring cells neither overlap nor leave a seam. */
  #snap(place: number): number {
    const { ratio } = this.#surface;
    return Math.round(place * ratio) / ratio;
  }

  #drawCells(context: CanvasRenderingContext2D, { colors, stale }: HeatScene): void {
    const { cells } = this;
    const layout = this.#layout;
    const { box } = layout as Layout;
    const rows = cells.edges.length - 1;
    context.fillStyle = stale ? colors.ghost : colors.lines[0];
    cells.columns.forEach(({ from, to, total }, column) => {
      if (!(total > 0)) return;
      const left = this.#snap(Math.max(box.left, this.#x(from)));
      const right = this.#snap(Math.min(box.left + box.width, this.#x(to)));
      const gap = right - left >= GAP_FROM ? GAP : 0;
      for (let row = 0; row < rows; row++) {
        const rate = cells.rates[column * rows + row];
        if (!(rate > 0) || right <= left) continue;
        const top = this.#snap(this.#y(row + 1));
        context.globalAlpha = FAINTEST + (1 - FAINTEST) * (rate / total / cells.most);
        context.fillRect(left, top, right - left - gap, this.#snap(this.#y(row)) - top - GAP);
      }
    });
    context.globalAlpha = 1;
  }

  #drawAxes(
    context: CanvasRenderingContext2D,
    { colors }: HeatScene,
    labels: readonly { edge: number; text: string }[],
  ): void {
    const surface = this.#surface;
    const { box, from, to } = this.#layout as Layout;
    const foot = box.top + box.height;
    context.lineWidth = 1;
    context.fillStyle = colors.textFaint;
    context.strokeStyle = colors.axis;
    context.textAlign = "right";
    for (const { edge, text } of labels) {
      const place = surface.sharp(this.#y(edge));
      rule(context, box.left - 3, place, box.left, place);
      context.fillText(text, box.left - LABEL.FROM_PLOT, Math.max(MIDDLE * 2, place + MIDDLE - 0.5));
    }
    const bottom = surface.sharp(foot);
    rule(context, box.left, bottom, box.left + box.width, bottom);
    const times = timeLabels(from, to, box.width);
    context.textAlign = "center";
    times.values.forEach((time, i) => {
      const half = textWidth(context, times.texts[i]) / 2;
      const place = this.#x(time);
      if (place - half < 0 || place + half > surface.width) return;
      context.fillText(times.texts[i], place, foot + 16);
      rule(context, surface.sharp(place), foot, surface.sharp(place), foot + 3);
    });
  }

  #drawCursor(): void {
    const { cells } = this;
    const cursor = this.#cursor;
    const layout = this.#layout;
    const scene = this.#scene;
    if (
      cursor === null ||
      layout === null ||
      scene === null ||
      cursor.time < layout.from ||
      cells.columns.length === 0
    ) {
      this.#overlay?.remove();
      this.#overlay = null;
      return;
    }
    if (this.#overlay === null) {
      this.#overlay = new Surface(this.#element);
      this.#overlay.canvas.className = "cursor";
    }
    const overlay = this.#overlay;
    if (!overlay.fit()) return;
    const context = overlay.begin();
    const { box } = layout;
    const { from, to } = cells.columns[this.columnAt(cursor.time)];
    const left = Math.max(box.left, this.#x(from));
    const right = Math.min(box.left + box.width, this.#x(to));
    context.lineWidth = 1;
    context.strokeStyle = scene.colors.textFaint;
    const middle = overlay.sharp((left + right) / 2);
    rule(context, middle, box.top, middle, box.top + box.height);
    if (cursor.row === null) return;
    const [top, bottom] = [this.#y(cursor.row + 1), this.#y(cursor.row)];
    context.lineWidth = 1.5;
    context.strokeStyle = scene.colors.text;
    context.strokeRect(left - 1, top - 1, right - left + 2, bottom - top + 2);
  }
}

/** Whether two scenes look the same. It compares identities, since a changed part is a new object. */
function isSame(one: HeatScene, other: HeatScene): boolean {
  return (
    one.ring === other.ring &&
    one.version === other.version &&
    one.until === other.until &&
    one.spanMs === other.spanMs &&
    one.sets === other.sets &&
    one.stale === other.stale &&
    one.colors === other.colors
  );
}
