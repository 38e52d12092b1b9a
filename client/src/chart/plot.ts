/**
 * One chart on a canvas: uPlot with what all our charts share. It takes columns and colours and draws them; it
 * must not know stores, signals or the document around it. The cursors of all plots on a page move together.
 */
import uPlot from "uplot";
import { formatTicks, isBinary } from "../format";
import type { Severity } from "../types.gen";
import { type AxisLimits, axisPlaces, nextRange, type Range, timePlaces } from "./axis";
import { extent, isolated, stack, withNulls } from "./columns";
import { COLORS, type Colors } from "./palette";
import type { Shade } from "./shade";

/** What a plot cannot change: another needs another plot. */
export interface PlotSettings {
  lines: number;
  limits: AxisLimits;
  stacked: boolean;
  thresholds: readonly { value: number; severity: Severity }[];
}

export interface PlotOptions extends PlotSettings {
  colors(): Colors;
  /** The tick under the cursor, null when the cursor is elsewhere. */
  onCursor(tick: number | null): void;
}

const DASHES = [[], [6, 4], [2, 3], [8, 3, 2, 3]];
const SYNC = "tickboard";
const AXIS_FONT = "11px system-ui, sans-serif";
const AXIS_GAP = 8;
const AXIS_AT_LEAST = 52;
/** What a label needs of the axis' length, and a digit of its width. */
const LABEL_SPACE = 36;
const TIME_SPACE = 84;
const DIGIT = 6.4;
/** A filled area under more lines than this is mud. */
const FILLED_LINES = 3;
/** What half of a time's label needs, and what there is beside the plot: one that would be cut off is left out. */
const HALF_LABEL = 26;
const RIGHT = 8;
/** A rule's threshold is drawn when the values come this near to it; else it would press them flat. */
const THRESHOLD_NEAR = 0.5;
const SHADE_ALPHA = 0.1;
const SHADE_EDGE_ALPHA = 0.45;

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const MINUTES = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function translucent(color: string, alpha: number): string {
  return `color-mix(in srgb, ${color} ${alpha * 100}%, transparent)`;
}

/** All labels are seen whole; where they are short, charts below each other begin at one place. */
function axisSize(labels: readonly string[]): number {
  const longest = Math.max(0, ...labels.map(({ length }) => length));
  return Math.max(AXIS_AT_LEAST, Math.ceil(longest * DIGIT) + AXIS_GAP);
}

/** uPlot tells the other plots only when asked to by a third argument, which its types leave out. */
type Publishing = uPlot & {
  setCursor(at: { left: number; top: number }, fire: boolean, publish: boolean): void;
};

export class Plot {
  private readonly chart: uPlot;
  private range: Range | null = null;
  private span: [number, number] = [0, 1];
  private shades: readonly Shade[] = [];

  constructor(
    private readonly element: HTMLElement,
    private readonly options: PlotOptions,
  ) {
    const empty = Array.from({ length: options.lines + 1 }, () => []) as unknown as uPlot.AlignedData;
    this.chart = new uPlot(this.uplotOptions(), empty, element);
  }

  /**
   * @param spanMs how much time the axis shows, its newest end at the newest tick.
   * @param shades when alerts fired.
   */
  draw(
    times: Float64Array,
    columns: readonly Float64Array[],
    spanMs: number,
    shades: readonly Shade[] = [],
  ): void {
    this.shades = shades;
    const { limits, stacked, thresholds } = this.options;
    const lines = stacked ? stack(columns) : columns.map(withNulls);
    const [low, high] = extent(lines);
    const near = thresholds.map(({ value }) => value).filter((value) => high >= value * THRESHOLD_NEAR);
    this.range = nextRange(this.range, low, Math.max(high, ...near), limits, isBinary(limits.unit));
    const newest = times.at(-1) ?? 0;
    this.span = [newest - spanMs, newest];
    this.chart.setData([Array.from(times), ...lines] as uPlot.AlignedData);
  }

  resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const { chart } = this;
    if (width > 0 && height > 0 && (width !== chart.width || height !== chart.height)) {
      chart.setSize({ width, height });
    }
  }

  /** Colours have changed. */
  repaint(): void {
    this.chart.redraw(false, true);
  }

  /** Put the cursor on a tick, or away with null; the other plots follow. */
  moveCursor(tick: number | null): void {
    const time = tick === null ? undefined : this.chart.data[0][tick];
    const left = time === undefined ? -10 : this.chart.valToPos(time, "x");
    (this.chart as Publishing).setCursor({ left, top: time === undefined ? -10 : 0 }, true, true);
  }

  destroy(): void {
    this.chart.destroy();
  }

  private uplotOptions(): uPlot.Options {
    const { colors, lines, limits, onCursor } = this.options;
    const long = () => this.span[1] - this.span[0] > 20 * 60_000;
    const axis = {
      stroke: () => colors().textFaint,
      font: AXIS_FONT,
      ticks: { show: false },
      grid: { stroke: () => colors().grid, width: 1 },
      border: { show: false },
      // Not read, but uPlot asks for places only where it has found one that it knows, and 5 and more it knows.
      incrs: (_: uPlot, __: number, low: number, high: number) => [Math.max(5, high - low)],
    };
    return {
      width: Math.max(1, this.element.clientWidth),
      height: Math.max(1, this.element.clientHeight),
      ms: 1,
      padding: [10, RIGHT, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        sync: { key: SYNC, setSeries: false },
        drag: { x: false, y: false, setScale: false },
        points: { size: 7, width: 2 },
      },
      scales: {
        x: { time: true, range: () => this.span },
        y: { range: () => [this.range?.min ?? 0, this.range?.max ?? 1] },
      },
      axes: [
        {
          ...axis,
          splits: (chart, _, low, high) =>
            timePlaces(low, high, chart.bbox.width / devicePixelRatio / TIME_SPACE),
          size: 26,
          gap: 6,
          grid: { show: false },
          values: (chart, splits) =>
            splits.map((time) => (this.fits(chart, time) ? (long() ? MINUTES : CLOCK).format(time) : "")),
        },
        {
          ...axis,
          size: (_, labels) => axisSize(labels ?? []),
          gap: AXIS_GAP,
          splits: (chart, _, low, high) =>
            axisPlaces(low, high, chart.bbox.height / devicePixelRatio / LABEL_SPACE, limits.unit),
          values: (_, splits) => formatTicks(splits, limits.unit),
        },
      ],
      series: [{}, ...Array.from({ length: lines }, (_, line) => this.seriesOptions(line))],
      bands: this.options.stacked
        ? Array.from({ length: lines - 1 }, (_, i) => ({ series: [i + 2, i + 1] as [number, number] }))
        : [],
      hooks: {
        setCursor: [
          (chart) =>
            onCursor(
              chart.cursor.left !== undefined && chart.cursor.left >= 0 ? (chart.cursor.idx ?? null) : null,
            ),
        ],
        drawClear: [(chart) => this.drawShades(chart)],
        draw: [(chart) => this.drawThresholds(chart)],
      },
    };
  }

  private fits(chart: uPlot, time: number): boolean {
    const [oldest, newest] = this.span;
    const width = chart.bbox.width / devicePixelRatio;
    return !(((newest - time) / (newest - oldest)) * width < HALF_LABEL - RIGHT);
  }

  private seriesOptions(line: number): uPlot.Series {
    const { colors, lines, stacked } = this.options;
    const filled = stacked || lines <= FILLED_LINES;
    const alpha = stacked ? 0.28 : 0.13 / lines;
    return {
      stroke: () => colors().lines[line % COLORS],
      width: 1.75,
      dash: DASHES[Math.floor(line / COLORS) % DASHES.length],
      ...(filled ? { fill: () => translucent(colors().lines[line % COLORS], alpha) } : {}),
      points: {
        show: true,
        size: 4,
        stroke: () => colors().lines[line % COLORS],
        fill: () => colors().lines[line % COLORS],
        filter: (chart, series) => isolated(chart.data[series] as (number | null)[]),
      },
    };
  }

  /** Under the lines: quiet over the time that it fired, and a thin line where it began. */
  private drawShades(chart: uPlot): void {
    const { ctx, bbox } = chart;
    const [oldest, newest] = this.span;
    ctx.save();
    for (const { from, to, severity, begins } of this.shades) {
      if (to < oldest || from > newest) continue;
      const left = Math.round(chart.valToPos(Math.max(from, oldest), "x", true));
      const right = Math.round(chart.valToPos(Math.min(to, newest), "x", true));
      ctx.fillStyle = this.options.colors().severity[severity];
      ctx.globalAlpha = SHADE_ALPHA;
      ctx.fillRect(left, bbox.top, Math.max(devicePixelRatio, right - left), bbox.height);
      ctx.globalAlpha = SHADE_EDGE_ALPHA;
      if (begins && from >= oldest) ctx.fillRect(left, bbox.top, devicePixelRatio, bbox.height);
    }
    ctx.restore();
  }

  private drawThresholds(chart: uPlot): void {
    const { ctx, bbox } = chart;
    const { min, max } = this.range ?? { min: 0, max: 0 };
    for (const { value, severity } of this.options.thresholds) {
      if (value <= min || value > max) continue;
      const y = Math.round(chart.valToPos(value, "y", true)) + 0.5;
      ctx.save();
      ctx.strokeStyle = this.options.colors().severity[severity];
      ctx.globalAlpha = 0.75;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.restore();
    }
  }
}
