/**
 * Reading a drawing with a time axis by pointer and keyboard, as far as it is alike for all kinds: it moves the
 * page's cursor, chooses ranges, says values and marks, and has the tooltip beside the pointer.
 */
import "../styles/reading.css";
import { type Accessor, createEffect, createMemo, createSignal, on, onCleanup, onMount } from "solid-js";
import { formatWhen } from "../format";
import { useBrushKeys } from "./brushKeys";
import { useStores } from "./context";
import { useTimeGestures } from "./gestures";
import type { TimeDrawing } from "./TimeCanvas";
import type { Tip, TipContent } from "./Tooltip";

/** The distance between the pointer and the tooltip. */
const TIP_GAP = 16;
const PAGE = 10;
/** The cursor is at a mark if it is no further away. */
const MARK_PX = 6;

/** Pixels from the left and upper edge of the drawing. */
export interface Pointer {
  x: number;
  y: number;
}

/** What differs between the kinds of drawings. The cursor stands at one of several places, the oldest is 0. */
export interface Readable {
  places: () => number;
  timeOf: (place: number) => number;
  /** The place nearest to a time. */
  nearest: (time: number) => number;
  /** The place under the pointer; null for none. */
  at: (pointer: Pointer) => number | null;
  tip: (place: number, pointer: Pointer) => TipContent | null;
  /** The values at a place in words, beginning with its time. */
  say: (place: number, when: string) => string;
  /** Handle a key that is none of those for all drawings; return whether it was one. */
  press: (key: string, place: number) => boolean;
  /** End a choice; return whether there was one. */
  clear?: () => boolean;
  /** Follow the pointer; null when it has left. */
  point?: (pointer: Pointer | null) => void;
  /** Handle any other key; return whether it was one. */
  onKey?: (key: string) => boolean;
}

export interface Reading {
  pointer: Accessor<Pointer | null>;
  tip: Accessor<Tip | null>;
  /** The text for screen readers. */
  said: Accessor<string>;
  announce: (text: string) => void;
  /** Move the cursor to a place, and announce the values there. */
  moveTo: (place: number) => void;
}

export function pointerOf(element: HTMLElement, { clientX, clientY }: MouseEvent): Pointer {
  const { left, top } = element.getBoundingClientRect();
  return { x: clientX - left, y: clientY - top };
}

export function useReading({ element, axis, drawn, takeEarly }: TimeDrawing, own: Readable): Reading {
  const { brush, cursor, marks, stats } = useStores();
  const [pointer, setPointer] = createSignal<Pointer | null>(null);
  const [said, announce] = createSignal("");
  const keys = useBrushKeys(element, announce);
  useTimeGestures(element, axis);

  const when = (place: number): string => formatWhen(own.timeOf(place), stats.live.newestTime);

  /** The place of the cursor; the one after the newest if there is no cursor. */
  function here(): number {
    const time = cursor.time();
    return time === null ? own.places() : own.nearest(time);
  }

  /** Update the cursor's time: the ticks move on under a resting pointer. */
  function follow(): void {
    const at = pointer();
    if (at === null) return;
    const place = own.at(at);
    cursor.move(place === null ? null : own.timeOf(place));
  }

  function onPointerMove(event: PointerEvent): void {
    const at = pointerOf(element, event);
    setPointer(at);
    own.point?.(at);
    follow();
  }

  function leave(): void {
    if (pointer() === null) return;
    setPointer(null);
    own.point?.(null);
    cursor.move(null);
  }

  /** The texts of the marks at a place: near their flag, or anywhere in one that lasts. */
  function marksAt(place: number): string[] {
    const shown = axis();
    const time = own.timeOf(place);
    if (shown === null) return [];
    const near = (MARK_PX / shown.width) * (shown.to - shown.from);
    return marks
      .inRange()
      .filter(({ began, ended }) => began - near <= time && time <= ended + near)
      .map(({ text, by }) => (by === "" ? text : `${text} (${by})`));
  }

  const tip = createMemo<Tip | null>(() => {
    drawn();
    const at = pointer();
    if (at === null || brush.draft() !== null) return null;
    const place = own.at(at);
    const content = place === null ? null : own.tip(place, at);
    if (place === null || content === null) return null;
    const { clientWidth, clientHeight } = element;
    // Beside the pointer, on the side with more room.
    const rightwards = at.x < clientWidth / 2;
    return {
      ...content,
      time: when(place),
      marks: marksAt(place),
      left: rightwards ? at.x + TIP_GAP : null,
      right: rightwards ? null : clientWidth - at.x + TIP_GAP,
      top: Math.max(0, Math.min(at.y - 20, clientHeight - 44 - 18 * content.rows.length)),
    };
  });

  function moveTo(place: number): void {
    cursor.move(own.timeOf(place));
    const marked = marksAt(place).map((text) => `. Mark: ${text}`);
    announce(own.say(place, when(place)) + marked.join(""));
  }

  /** Move the cursor and announce the values there; with Shift, brush what it passes. */
  function step(key: string, shift: boolean): boolean {
    const newest = own.places() - 1;
    const from = here();
    const target = {
      ArrowLeft: from - 1,
      ArrowRight: from + 1,
      PageUp: from - PAGE,
      PageDown: from + PAGE,
      Home: 0,
      End: newest,
    }[key];
    if (target === undefined || newest < 0) return false;
    const place = Math.max(0, Math.min(newest, target));
    moveTo(place);
    if (shift) keys.extend(own.timeOf(Math.min(from, newest)), own.timeOf(place));
    else keys.restart();
    return true;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const { key } = event;
    const taken =
      step(key, event.shiftKey) ||
      own.press(key, Math.min(here(), own.places() - 1)) ||
      keys.press(key) ||
      (key === "Escape" && (own.clear?.() || cursor.time() !== null)) ||
      own.onKey?.(key);
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
      ["keydown", onKeyDown],
      ["blur", onBlur],
    ];
    for (const [type, listener] of events) element.addEventListener(type, listener as EventListener);
    onCleanup(() => {
      for (const [type, listener] of events) element.removeEventListener(type, listener as EventListener);
      leave();
    });
    const early = takeEarly();
    early.forEach(replay);
    const last = early.at(-1);
    const down = last instanceof PointerEvent && last.buttons > 0;
    if (!down && !element.matches(":hover")) leave();
  });

  createEffect(on(drawn, follow, { defer: true }));
  createEffect(on(cursor.time, (time) => time === null && announce(""), { defer: true }));

  return { pointer, tip, said, announce, moveTo };
}
