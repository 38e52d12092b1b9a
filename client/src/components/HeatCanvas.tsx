/**
 * The canvas of a heat map, its tooltip, and its keyboard and screen reader support. It draws in turn with the
 * charts, only while it is in view, and shows the same moment.
 */
import "../styles/reading.css";
import { type Accessor, createEffect, createMemo, createSignal, on, onCleanup, Show } from "solid-js";
import { bucketsOf } from "../chart/buckets";
import {
  type BucketSet,
  bucketSets,
  type Cells,
  cellAt,
  fullestRow,
  rowText,
  shareText,
} from "../chart/heat";
import { type Cell, HeatPlot } from "../chart/heatplot";
import { colorsOf, colorVariable } from "../chart/palette";
import { formatText, formatWhen } from "../format";
import type { Heatmap } from "../types.gen";
import { useBeat } from "./beat";
import type { BrushKeys } from "./brushKeys";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import { useStale } from "./stale";
import TimeGestures from "./TimeGestures";
import TimeOverlay from "./TimeOverlay";

const TIP_GAP = 16;
const DESCRIBE_EVERY_MS = 10_000;

/** The buckets of a heat map's series, read again when the window has changed. */
export function useBucketSets(panel: Heatmap): () => readonly BucketSet[] {
  const { stats } = useStores();
  let known: { window: unknown; version: number; sets: readonly BucketSet[] } | null = null;
  return () => {
    const { window } = stats;
    const series = stats.seriesOf(bucketsOf(panel.metric));
    if (known?.window !== window || known.version !== window.version) {
      const ring = (key: string) => window.ring(key);
      const sets = bucketSets(series, panel.labels ?? {}, ring, (key) => window.bandOf(key)?.counts);
      known = { window, version: window.version, sets };
    }
    return known.sets;
  };
}

/** Over all columns, the row with the highest share. */
function sayWhole(cells: Cells, unit: string): string {
  const rows = cells.edges.length - 1;
  const sums = new Float64Array(Math.max(0, rows));
  let total = 0;
  cells.columns.forEach((column, i) => {
    total += column.total || 0;
    for (let row = 0; row < rows; row++) sums[row] += cells.rates[i * rows + row];
  });
  if (!(total > 0)) return "no values";
  const row = sums.indexOf(Math.max(...sums));
  return `most values ${sayRow(cells, row, unit)}, ${shareText(sums[row] / total)} of all`;
}

const sayRow = ({ edges }: Cells, row: number, unit: string): string =>
  rowText([edges[row], edges[row + 1]], unit);

/**
 * @param props.onDrawn receives the plot after each drawing.
 * @param props.onKey receives the keys that the canvas does not handle; returns whether it handled one.
 */
export function HeatCanvas(props: {
  panel: Heatmap;
  live: Accessor<boolean>;
  onDrawn: (plot: HeatPlot) => void;
  onKey?: (key: string) => boolean;
}) {
  const { brush, connection, cursor, stats, theme } = useStores();
  const { metric, title, unit = "" } = props.panel;
  let element!: HTMLDivElement;
  let plot: HeatPlot | null = null;
  const sets = useBucketSets(props.panel);
  const stale = useStale(metric);
  const beat = useBeat(props.live);
  const [pointer, setPointer] = createSignal<{ x: number; y: number } | null>(null);
  /** The row that the arrow keys have chosen. */
  const [chosen, setChosen] = createSignal<number | null>(null);
  const [drawn, setDrawn] = createSignal(0, { equals: false });
  const [said, setSaid] = createSignal("");
  const [touched, setTouched] = createSignal(false);
  /** The newest event before the part that chooses a range has loaded, and its keys. */
  let first: Event | null = null;
  let keys: BrushKeys | null = null;
  const isStale = () => stale() !== "" || (connection.tried() && !connection.live());

  function draw(): void {
    const { window } = stats;
    plot ??= new HeatPlot(element);
    plot.draw({
      ring: window,
      version: window.version,
      intervalMs: window.intervalMs,
      spanMs: window.spanMs,
      until: window.until,
      sets: sets(),
      unit,
      stale: isStale(),
      colors: colorsOf(theme.shown()),
    });
    follow();
    setDrawn(0);
    props.onDrawn(plot);
  }

  useDrawing(() => element, props.live, draw, isStale);
  const pointed = createMemo<Cell | null>(() => {
    drawn();
    const at = pointer();
    return at === null ? null : (plot?.cellAt(at.x, at.y) ?? null);
  });
  createEffect(() => {
    const [time, row] = [cursor.time(), pointed()?.row ?? chosen()];
    if (props.live()) plot?.moveCursor(time, row);
  });
  onCleanup(() => {
    plot?.destroy();
    leave();
  });

  /** Update the cursor's time: the ticks move on under a resting pointer. */
  function follow(): void {
    const at = pointer();
    if (at === null || plot === null) return;
    const cell = plot.cellAt(at.x, at.y);
    cursor.move(cell === null ? null : plot.cells.columns[cell.column].time);
  }

  function begin(event: Event): void {
    first = event;
    setTouched(true);
  }

  function onPointerMove(event: PointerEvent): void {
    begin(event);
    const { left, top } = element.getBoundingClientRect();
    setChosen(null);
    setPointer({ x: event.clientX - left, y: event.clientY - top });
    follow();
  }

  function leave(): void {
    if (pointer() === null) return;
    setPointer(null);
    cursor.move(null);
  }

  const when = (time: number): string => formatWhen(time, stats.live.newestTime);

  /** What a cell holds: `24 %`, `12.4 /s`. */
  function textsOf(cells: Cells, { column, row }: Cell): { share: string; rate: string } {
    const { rate, share } = cellAt(cells, column, row);
    return { share: shareText(share), rate: formatText(rate, "/s") };
  }

  const tip = createMemo(() => {
    const cell = pointed();
    const at = pointer();
    if (cell === null || at === null || plot === null || brush.draft() !== null) return null;
    const { cells } = plot;
    const { time, total } = cells.columns[cell.column];
    const { clientWidth, clientHeight } = element;
    const rightwards = at.x < clientWidth / 2;
    return {
      time: when(time),
      bucket: sayRow(cells, cell.row, unit),
      ...textsOf(cells, cell),
      total: Number.isNaN(total) ? "" : formatText(total, "/s"),
      left: rightwards ? `${at.x + TIP_GAP}px` : "auto",
      right: rightwards ? "auto" : `${clientWidth - at.x + TIP_GAP}px`,
      top: `${Math.max(0, Math.min(at.y - 20, clientHeight - 84))}px`,
    };
  });

  const description = createMemo<{ at: number; text: string }>(
    (before) => {
      drawn();
      const now = beat();
      if (plot === null || Math.abs(now - before.at) < DESCRIBE_EVERY_MS) return before;
      const { cells } = plot;
      const newest = cells.columns.length - 1;
      const row = newest < 0 ? null : fullestRow(cells, newest);
      const latest =
        row === null
          ? ""
          : `Latest: ${sayRow(cells, row, unit)}, ${textsOf(cells, { column: newest, row }).share}`;
      const whole = `Over all times: ${sayWhole(cells, unit)}`;
      return { at: now, text: [`${title}, heat map`, whole, latest].filter(Boolean).join(". ") };
    },
    { at: Number.NaN, text: title },
  );

  /** The column of the cursor; the one after the newest if there is no cursor. */
  function here({ cells }: HeatPlot): number {
    const time = cursor.time();
    return time === null || plot === null ? cells.columns.length : plot.columnAt(time);
  }

  /** Move the cursor by columns, and announce the cell there; with Shift, brush what it passes. */
  function step(key: string, shift: boolean): boolean {
    if (plot === null || plot.cells.columns.length === 0) return false;
    const newest = plot.cells.columns.length - 1;
    const from = here(plot);
    const target = {
      ArrowLeft: Math.max(0, from - 1),
      ArrowRight: Math.min(newest, from + 1),
      Home: 0,
      End: newest,
    }[key];
    if (target === undefined) return false;
    const { columns } = plot.cells;
    cursor.move(columns[target].time);
    if (shift) keys?.extend(columns[Math.min(from, newest)].time, columns[target].time);
    else {
      keys?.restart();
      say(plot.cells, target);
    }
    return true;
  }

  /** Choose the bucket above or below. */
  function change(key: string): boolean {
    const way = { ArrowUp: 1, ArrowDown: -1 }[key];
    if (way === undefined || plot === null || plot.cells.edges.length === 0) return false;
    const { cells } = plot;
    const column = Math.min(here(plot), cells.columns.length - 1);
    const now = chosen() ?? fullestRow(cells, column) ?? 0;
    setChosen(Math.max(0, Math.min(cells.edges.length - 2, now + way)));
    cursor.move(cells.columns[column].time);
    say(cells, column);
    return true;
  }

  /** Announce the chosen bucket, or the fullest one. */
  function say(cells: Cells, column: number): void {
    const row = chosen() ?? fullestRow(cells, column);
    const time = when(cells.columns[column].time);
    if (row === null) {
      setSaid(`${time}: no values`);
      return;
    }
    const { share, rate } = textsOf(cells, { column, row });
    setSaid(`${time}: ${sayRow(cells, row, unit)}, ${share}, ${rate}`);
  }

  function onKeyDown(event: KeyboardEvent): void {
    begin(event);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { key } = event;
    const taken =
      step(key, event.shiftKey) ||
      change(key) ||
      keys?.press(key) ||
      (key === "Escape" && cursor.time() !== null) ||
      props.onKey?.(key);
    if (!taken) return;
    if (key === "Escape") forget();
    event.preventDefault();
    event.stopPropagation();
  }

  function forget(): void {
    setChosen(null);
    cursor.move(null);
  }

  createEffect(on(cursor.time, (time) => time === null && setSaid(""), { defer: true }));

  return (
    <>
      <div
        class="canvas"
        ref={element}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
        tabIndex={0}
        aria-label={description().text}
        onFocus={begin}
        onBlur={() => pointer() === null && forget()}
        onKeyDown={onKeyDown}
        onPointerMove={onPointerMove}
        onPointerDown={onPointerMove}
        onPointerLeave={leave}
        onPointerCancel={leave}
      />
      <Show when={brush.range() !== null || brush.draft()?.at === element}>
        <TimeOverlay element={element} axis={() => plot?.timeAxis ?? null} drawn={drawn} live={props.live} />
      </Show>
      <Show when={touched()}>
        <TimeGestures
          element={element}
          axis={() => plot?.timeAxis ?? null}
          first={() => first}
          say={setSaid}
          onKeys={(found) => {
            keys = found;
          }}
        />
      </Show>
      <Show when={tip()}>
        {(shown) => (
          <div
            class="tip"
            aria-hidden="true"
            style={{ top: shown().top, left: shown().left, right: shown().right }}
          >
            <div class="tip-time">{shown().time}</div>
            <div class="tip-row">
              <span class="swatch" style={{ background: `var(${colorVariable(0)})` }} />
              <span>{shown().bucket}</span>
              <b>{shown().share}</b>
            </div>
            <div class="tip-row">
              <span>values</span>
              <b>{shown().rate}</b>
            </div>
            <Show when={shown().total}>
              <div class="tip-row">
                <span>all buckets</span>
                <b>{shown().total}</b>
              </div>
            </Show>
          </div>
        )}
      </Show>
      <span class="visually-hidden" role="status">
        {said()}
      </span>
    </>
  );
}
