/**
 * A chart's canvas, its tooltip, and its keyboard and screen reader support. It draws in turn with other
 * charts, and only while it is in view.
 */
import { type Accessor, createEffect, createMemo, createSignal, For, on, onCleanup, Show } from "solid-js";
import { colorsOf, colorVariable } from "../chart/palette";
import { Plot } from "../chart/plot";
import type { Scale, SceneLine, Threshold } from "../chart/scene";
import type { Shade } from "../chart/shade";
import { formatText, formatTime } from "../format";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import type { Line } from "./lines";
import type { Standout } from "./standout";

/** More rows would hide the chart. */
const TIP_ROWS = 8;
/** The distance between the pointer and the tooltip. */
const TIP_GAP = 16;

export interface Picture {
  title: string;
  lines: Accessor<readonly Line[]>;
  unit: Accessor<string>;
  limits: Accessor<{ min?: number; max?: number }>;
  stacked: boolean;
  thresholds: Accessor<readonly Threshold[]>;
  shades: Accessor<readonly Shade[]>;
  scale: Accessor<Scale>;
  /** Whether labels stand at the line ends. */
  labelled: Accessor<boolean>;
  standout: Standout;
  description: Accessor<string>;
}

interface Pointer {
  x: number;
  y: number;
}

interface TipRow {
  key: string;
  name: string;
  value: string;
  color: number | null;
}

interface Tip {
  time: string;
  rows: TipRow[];
  more: number;
  left: number | null;
  right: number | null;
  top: number;
}

/**
 * @param props.onDrawn receives the plot after each drawing.
 * @param props.onKey receives the keys that the canvas does not handle; returns whether it handled one.
 */
export function ChartCanvas(props: {
  picture: Picture;
  live: Accessor<boolean>;
  onDrawn?: (plot: Plot) => void;
  onFocus?: () => void;
  onKey?: (key: string) => boolean;
}) {
  const { connection, cursor, stats, theme } = useStores();
  const { picture } = props;
  const { standout } = picture;
  let element!: HTMLDivElement;
  let plot: Plot | null = null;
  const [pointer, setPointer] = createSignal<Pointer | null>(null);
  const [drawn, setDrawn] = createSignal(0, { equals: false });
  const [said, setSaid] = createSignal("");

  const lost = () => connection.tried() && !connection.live();
  let sceneOf: { window: unknown; series: number; lines: readonly Line[]; lost: boolean } | null = null;
  let sceneLines: readonly SceneLine[] = [];
  /** Return the same array while the lines and their buffers are unchanged. */
  function linesFor(): readonly SceneLine[] {
    const { window } = stats;
    const now = { window, series: window.seriesVersion, lines: picture.lines(), lost: lost() };
    if (
      sceneOf === null ||
      (Object.keys(now) as (keyof typeof now)[]).some((key) => sceneOf?.[key] !== now[key])
    ) {
      sceneOf = now;
      sceneLines = now.lines.map(({ key, short, color, stale }) => ({
        ...{ key, name: short, color, stale: stale !== "" || now.lost },
        values: window.ring(key),
        band: window.bandOf(key),
        whole: () => window.isWhole(key),
      }));
    }
    return sceneLines;
  }

  function draw(): void {
    const { window } = stats;
    plot ??= new Plot(element);
    plot.draw({
      ring: window,
      version: window.version,
      spanMs: window.spanMs,
      until: window.until,
      lines: linesFor(),
      unit: picture.unit(),
      limits: { ...picture.limits(), unit: picture.unit() },
      scale: picture.scale(),
      stacked: picture.stacked,
      labelled: picture.labelled(),
      thresholds: picture.thresholds(),
      shades: picture.shades(),
      isolated: standout.keys(),
      colors: colorsOf(theme.shown()),
    });
    follow();
    setDrawn(0);
    props.onDrawn?.(plot);
  }

  useDrawing(
    () => element,
    props.live,
    draw,
    () => [
      picture.lines(),
      picture.unit(),
      picture.limits(),
      picture.scale(),
      picture.labelled(),
      picture.thresholds(),
      picture.shades(),
      standout.keys(),
      lost(),
    ],
  );
  createEffect(() => {
    const time = cursor.time();
    if (props.live()) plot?.moveCursor(time);
  });
  onCleanup(() => {
    plot?.destroy();
    leave();
  });

  /** Update the cursor's time: the ticks move on under a resting pointer. */
  function follow(): void {
    const at = pointer();
    if (at === null || plot === null) return;
    const tick = plot.tickAt(at.x);
    cursor.move(tick === null ? null : timeOf(tick));
  }

  const timeOf = (tick: number): number => {
    const { window } = stats;
    return window.times[(window.oldest + tick) % window.capacity];
  };
  const valueAt = (key: string, tick: number): number => {
    const { window } = stats;
    return window.ring(key)?.[(window.oldest + tick) % window.capacity] ?? Number.NaN;
  };

  function onPointerMove(event: PointerEvent): void {
    const { left, top } = element.getBoundingClientRect();
    const at = { x: event.clientX - left, y: event.clientY - top };
    setPointer(at);
    const label = plot?.labelAt(at.x, at.y);
    standout.point(label ?? null);
    element.style.cursor = label === undefined ? "" : "pointer";
    follow();
  }

  function leave(): void {
    if (pointer() === null) return;
    setPointer(null);
    standout.point(null);
    cursor.move(null);
  }

  function onClick(event: MouseEvent): void {
    const { left, top } = element.getBoundingClientRect();
    const label = plot?.labelAt(event.clientX - left, event.clientY - top);
    if (label !== undefined) standout.choose(label, event.ctrlKey || event.metaKey);
  }

  const tip = createMemo<Tip | null>(() => {
    drawn();
    const at = pointer();
    if (at === null || plot === null) return null;
    const tick = plot.tickAt(at.x);
    if (tick === null) return null;
    const rows = rowsAt(tick, plot.nearestLine(tick, at.y));
    const { clientWidth, clientHeight } = element;
    // Place the tooltip beside the pointer, on the side with more room.
    const rightwards = at.x < clientWidth / 2;
    return {
      time: formatTime(timeOf(tick)),
      rows: rows.slice(0, TIP_ROWS),
      more: rows.length - TIP_ROWS,
      left: rightwards ? at.x + TIP_GAP : null,
      right: rightwards ? null : clientWidth - at.x + TIP_GAP,
      top: Math.max(0, Math.min(at.y - 20, clientHeight - 44 - 18 * Math.min(rows.length, TIP_ROWS))),
    };
  });

  /** List the values at a tick, highest first, with the nearest line before all others. */
  function rowsAt(tick: number, nearest: string | undefined): TipRow[] {
    const stands = standout.keys();
    const shown = picture.lines().filter(({ key }) => stands === null || stands.has(key) || key === nearest);
    return shown
      .map((line) => ({ line, value: valueAt(line.key, tick) }))
      .filter(({ value }) => !Number.isNaN(value))
      .sort((a, b) => (a.line.key === nearest ? -1 : b.line.key === nearest ? 1 : b.value - a.value))
      .map(({ line, value }) => ({
        key: line.key,
        name: line.short,
        value: formatText(value, line.unit),
        color: line.color,
      }));
  }

  /** Move the cursor by ticks and announce the values there. */
  function step(key: string): boolean {
    const newest = stats.window.ticks - 1;
    const time = cursor.time();
    const from = time === null || plot === null ? newest + 1 : plot.nearestTick(time);
    const target = {
      ArrowLeft: Math.max(0, from - 1),
      ArrowRight: Math.min(newest, from + 1),
      Home: 0,
      End: newest,
    }[key];
    if (target === undefined || newest < 0) return false;
    cursor.move(timeOf(target));
    say(target);
    return true;
  }

  function say(tick: number): void {
    const rows = rowsAt(tick, undefined).slice(0, TIP_ROWS);
    const values = rows.map(({ name, value }) => (picture.lines().length === 1 ? value : `${name} ${value}`));
    setSaid(`${formatTime(timeOf(tick))}: ${values.join(", ") || "no value"}`);
  }

  /** Isolate the next or previous line, in drawing order. */
  function change(key: string): boolean {
    const way = { ArrowDown: 1, ArrowUp: -1 }[key];
    const lines = picture.lines();
    if (way === undefined || lines.length < 2) return false;
    const now = lines.findIndex((line) => standout.chosen()?.has(line.key));
    const next =
      lines[now === -1 ? (way === 1 ? 0 : lines.length - 1) : (now + way + lines.length) % lines.length];
    if (!(standout.chosen()?.size === 1 && standout.chosen()?.has(next.key)))
      standout.choose(next.key, false);
    const time = cursor.time();
    const tick = time === null || plot === null ? stats.window.ticks - 1 : plot.nearestTick(time);
    setSaid(`${next.label}: ${formatText(valueAt(next.key, tick), next.unit)}`);
    return true;
  }

  /** Isolate the line nearest to the pointer, or show all lines again. */
  function isolate(key: string): boolean {
    if (key !== "i" || picture.lines().length < 2) return false;
    if (standout.clear()) return true;
    const at = pointer();
    const tick = at === null ? null : (plot?.tickAt(at.x) ?? null);
    const nearest = at === null || tick === null ? undefined : plot?.nearestLine(tick, at.y);
    standout.choose(nearest ?? picture.lines()[0].key, false);
    return true;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const taken =
      step(key) ||
      change(key) ||
      isolate(key) ||
      (key === "Escape" && (standout.clear() || cursor.time() !== null)) ||
      props.onKey?.(key);
    if (!taken) return;
    if (key === "Escape") cursor.move(null);
    event.preventDefault();
    event.stopPropagation();
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
        aria-label={picture.description() || picture.title}
        onFocus={() => props.onFocus?.()}
        onBlur={() => pointer() === null && cursor.move(null)}
        onKeyDown={onKeyDown}
        onPointerMove={onPointerMove}
        onPointerDown={onPointerMove}
        onPointerLeave={leave}
        onPointerCancel={leave}
        onClick={onClick}
      />
      <Show when={tip()}>
        {(shown) => (
          <div
            class="tip"
            aria-hidden="true"
            style={{
              top: `${shown().top}px`,
              left: shown().left === null ? "auto" : `${shown().left}px`,
              right: shown().right === null ? "auto" : `${shown().right}px`,
            }}
          >
            <div class="tip-time">{shown().time}</div>
            <For each={shown().rows}>
              {(row) => (
                <div class="tip-row">
                  <span
                    class="swatch"
                    style={{
                      background: `var(${row.color === null ? "--ghost" : colorVariable(row.color)})`,
                    }}
                  />
                  <span>{row.name}</span>
                  <b>{row.value}</b>
                </div>
              )}
            </For>
            <Show when={shown().more > 0}>
              <div class="tip-time">{shown().more} more below</div>
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
