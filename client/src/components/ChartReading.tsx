/**
 * What reads a chart's values: the tooltip at the pointer, and the keys that move the cursor, isolate lines and
 * announce values. It listens to the chart's canvas. It is loaded with the first event.
 */
import "../styles/reading.css";
import {
  type Accessor,
  createEffect,
  createMemo,
  createSignal,
  on,
  onCleanup,
  onMount,
  Show,
} from "solid-js";
import type { Plot } from "../chart/plot";
import { formatText, formatWhen } from "../format";
import { useBrushKeys } from "./brushKeys";
import type { Picture } from "./ChartCanvas";
import { useStores } from "./context";
import { extremesAt } from "./extremes";
import { useTimeGestures } from "./gestures";
import { type Tip, type TipRow, Tooltip } from "./Tooltip";

/** More rows would hide the chart. */
const TIP_ROWS = 8;
/** The distance between the pointer and the tooltip. */
const TIP_GAP = 16;
const PAGE_TICKS = 10;
/** The cursor is at a mark if it is no further away. */
const MARK_PX = 6;

interface Pointer {
  x: number;
  y: number;
}

export interface ReadingProps {
  picture: Picture;
  /** The element of the canvas. */
  element: HTMLElement;
  /** Null before the first drawing. */
  plot: () => Plot | null;
  /** Changes after each drawing. */
  drawn: Accessor<unknown>;
  /** Return the events that came before this part. */
  takeEarly: () => readonly Event[];
  /** Receives the keys that are not handled here; returns whether it handled one. */
  onKey?: (key: string) => boolean;
}

export default function ChartReading(props: ReadingProps) {
  const { brush, cursor, marks, stats } = useStores();
  const { element, picture, plot } = props;
  const { standout } = picture;
  const [pointer, setPointer] = createSignal<Pointer | null>(null);
  const [said, setSaid] = createSignal("");
  const keys = useBrushKeys(element, setSaid);
  useTimeGestures(element, () => plot()?.timeAxis ?? null);

  const tickAt = (at: Pointer | null): number | null => (at === null ? null : (plot()?.tickAt(at.x) ?? null));

  /** The tick at the cursor; undefined if there is none. */
  function tickAtCursor(): number | undefined {
    const time = cursor.time();
    return time === null ? undefined : plot()?.nearestTick(time);
  }

  /** Update the cursor's time: the ticks move on under a resting pointer. */
  function follow(): void {
    if (pointer() === null) return;
    const tick = tickAt(pointer());
    cursor.move(tick === null ? null : timeOf(tick));
  }

  const timeOf = (tick: number): number => {
    const { window } = stats;
    return window.times[(window.oldest + tick) % window.capacity];
  };
  const when = (tick: number): string => formatWhen(timeOf(tick), stats.live.newestTime);
  const valueAt = (key: string, tick: number): number => {
    const { window } = stats;
    return window.ring(key)?.[(window.oldest + tick) % window.capacity] ?? Number.NaN;
  };

  function placeOf(event: MouseEvent): Pointer {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  function onPointerMove(event: PointerEvent): void {
    const at = placeOf(event);
    setPointer(at);
    const label = plot()?.labelAt(at.x, at.y);
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
    const { x, y } = placeOf(event);
    const label = plot()?.labelAt(x, y);
    if (label !== undefined) standout.choose(label, event.ctrlKey || event.metaKey);
  }

  const tip = createMemo<Tip | null>(() => {
    props.drawn();
    const at = pointer();
    const tick = tickAt(at);
    if (at === null || tick === null || brush.draft() !== null) return null;
    const rows = rowsAt(tick, plot()?.nearestLine(tick, at.y));
    const { clientWidth, clientHeight } = element;
    // Place the tooltip beside the pointer, on the side with more room.
    const rightwards = at.x < clientWidth / 2;
    return {
      time: when(tick),
      marks: marksAt(tick),
      rows: rows.slice(0, TIP_ROWS),
      more: rows.length - TIP_ROWS,
      left: rightwards ? at.x + TIP_GAP : null,
      right: rightwards ? null : clientWidth - at.x + TIP_GAP,
      top: Math.max(0, Math.min(at.y - 20, clientHeight - 44 - 18 * Math.min(rows.length, TIP_ROWS))),
    };
  });

  /** The texts of the marks at a tick: near their flag, or anywhere in one that lasts. */
  function marksAt(tick: number): string[] {
    const axis = plot()?.timeAxis;
    const time = timeOf(tick);
    if (!axis) return [];
    const near = (MARK_PX / axis.width) * (axis.to - axis.from);
    return marks
      .inRange()
      .filter(({ began, ended }) => began - near <= time && time <= ended + near)
      .map(({ text, by }) => (by === "" ? text : `${text} (${by})`));
  }

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
        value: formatText(value, line.unit, undefined, stats.window.isWhole(line.key)),
        extremes: extremesAt(stats.window, line, tick),
        color: line.color,
      }));
  }

  /** Move the cursor by ticks and announce the values there; with Shift, brush what it passes. */
  function step(key: string, shift: boolean): boolean {
    const newest = stats.window.ticks - 1;
    const from = tickAtCursor() ?? newest + 1;
    const target = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      PageUp: from - PAGE_TICKS,
      PageDown: from + PAGE_TICKS,
      Home: 0,
      End: newest,
    }[key];
    if (target === undefined || newest < 0) return false;
    const tick = Math.max(0, Math.min(newest, target));
    cursor.move(timeOf(tick));
    if (shift) keys.extend(timeOf(Math.min(from, newest)), timeOf(tick));
    else {
      keys.restart();
      say(tick);
    }
    return true;
  }

  function say(tick: number): void {
    const alone = picture.lines().length === 1;
    const values = rowsAt(tick, undefined)
      .slice(0, TIP_ROWS)
      .map(({ name, value, extremes }) =>
        [alone ? "" : name, value, extremes && `from ${extremes.replace(" – ", " to ")}`]
          .filter(Boolean)
          .join(" "),
      );
    const marked = marksAt(tick).map((text) => `. Mark: ${text}`);
    setSaid(`${when(tick)}: ${values.join(", ") || "no value"}${marked.join("")}`);
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
    const tick = tickAtCursor() ?? stats.window.ticks - 1;
    const whole = stats.window.isWhole(next.key);
    setSaid(`${next.label}: ${formatText(valueAt(next.key, tick), next.unit, undefined, whole)}`);
    return true;
  }

  /** Isolate the line nearest to the pointer, or show all lines again. */
  function isolate(key: string): boolean {
    if (key !== "i" || picture.lines().length < 2) return false;
    if (standout.clear()) return true;
    const at = pointer();
    const tick = tickAt(at);
    const nearest = at === null || tick === null ? undefined : plot()?.nearestLine(tick, at.y);
    standout.choose(nearest ?? picture.lines()[0].key, false);
    return true;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { key } = event;
    const taken =
      step(key, event.shiftKey) ||
      change(key) ||
      isolate(key) ||
      keys.press(key) ||
      (key === "Escape" && (standout.clear() || cursor.time() !== null)) ||
      props.onKey?.(key);
    if (!taken) return;
    if (key === "Escape") cursor.move(null);
    event.preventDefault();
    event.stopPropagation();
  }

  const onBlur = (): void => {
    if (pointer() === null) cursor.move(null);
  };

  /** A drag or a key is not lost because it was quick. */
  function replay(event: Event): void {
    if (event instanceof PointerEvent) element.dispatchEvent(new PointerEvent(event.type, event));
    if (!(event instanceof KeyboardEvent)) return;
    // The page has had it already.
    const { key, shiftKey, ctrlKey, altKey, metaKey } = event;
    onKeyDown(new KeyboardEvent(event.type, { key, shiftKey, ctrlKey, altKey, metaKey }));
  }

  onMount(() => {
    const events: [string, (event: never) => void][] = [
      ["pointermove", onPointerMove],
      ["pointerdown", onPointerMove],
      ["pointerleave", leave],
      ["pointercancel", leave],
      ["click", onClick],
      ["keydown", onKeyDown],
      ["blur", onBlur],
    ];
    for (const [type, listener] of events) element.addEventListener(type, listener as EventListener);
    onCleanup(() => {
      for (const [type, listener] of events) element.removeEventListener(type, listener as EventListener);
      leave();
    });
    const early = props.takeEarly();
    early.forEach(replay);
    const last = early.at(-1);
    const down = last instanceof PointerEvent && last.buttons > 0;
    if (!down && !element.matches(":hover")) leave();
  });

  createEffect(on(props.drawn, follow, { defer: true }));
  createEffect(on(cursor.time, (time) => time === null && setSaid(""), { defer: true }));

  return (
    <>
      <Show when={tip()}>{(shown) => <Tooltip tip={shown()} />}</Show>
      <span class="visually-hidden" role="status">
        {said()}
      </span>
    </>
  );
}
