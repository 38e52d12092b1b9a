/**
 * What presses and moves on a time axis mean. Pure: it takes pointers and the axis, and returns ranges.
 *
 *   mouse, pen    drag: zoom          with Shift: brush
 *   touch         one finger: none    held, then moved: brush     two fingers: the view
 */
import type { Range } from "../time/range";
import { between, isOn, scaled, type TimeAxis, timeAt } from "./timeaxis";

/** `zoom` and `brush` choose a part of the axis; `view` is the range that the axis shall have. */
export interface Draft {
  mode: "zoom" | "brush" | "view";
  range: Range;
}

export interface Pointer {
  id: number;
  x: number;
  y: number;
}

export interface Press extends Pointer {
  touch: boolean;
  /** Whether Shift is down. */
  shift: boolean;
}

/** A shorter move is a click. */
const DRAG_PX = 4;
/** A finger that rests moves less than this. */
const REST_PX = 10;
/** Fingers closer than this count as this far apart. */
const APART_PX = 24;
/** An axis whose length differs by less shows the same range, moved on. */
const SAME_SPAN = 0.01;

/** What went down, and which time was there on an axis of this length. */
interface Pressed extends Press {
  time: number;
  spanMs: number;
}

interface Pinch {
  range: Range;
  /** The time between the fingers, and how far they are apart. */
  about: number;
  apart: number;
}

export class Gesture {
  /** What the gesture would do if it ended now; null for nothing. */
  draft: Draft | null = null;
  readonly #down = new Map<number, Pointer>();
  #pressed: Pressed | null = null;
  #pinch: Pinch | null = null;

  /** @param axis the axis now: it may move under a pointer that rests. */
  readonly #axis: () => TimeAxis | null;

  constructor(axis: () => TimeAxis | null) {
    this.#axis = axis;
  }

  /** Whether a finger rests where it went down, so that `hold` may follow. */
  get rests(): boolean {
    return this.#pressed?.touch === true && this.draft === null && this.#down.size === 1;
  }

  /** Whether a pointer is down. */
  get goesOn(): boolean {
    return this.#down.size > 0;
  }

  /** Whether the pointers that are down belong to a gesture, also one that has no range yet. */
  get claims(): boolean {
    return this.draft !== null || this.#pinch !== null;
  }

  press(press: Press): void {
    const axis = this.#axis();
    if (axis === null) return;
    const { id, x, y } = press;
    this.#down.set(id, { id, x, y });
    if (this.#down.size > 1) this.#beginPinch(axis);
    else
      this.#pressed = isOn(axis, x) ? { ...press, time: timeAt(axis, x), spanMs: axis.to - axis.from } : null;
  }

  /** A finger has rested for long: what follows is a brush. */
  hold(): void {
    if (!this.rests || this.#pressed === null) return;
    this.draft = { mode: "brush", range: between(this.#pressed.time, this.#pressed.time) };
  }

  move({ id, x, y }: Pointer): void {
    const axis = this.#axis();
    if (axis === null || !this.#down.has(id)) return;
    this.#down.set(id, { id, x, y });
    if (this.#pinch !== null) this.#movePinch(axis, this.#pinch);
    else if (this.#pressed !== null) this.#drag(axis, this.#pressed, x, y);
  }

  /** A pointer is up. Return what its gesture has come to; null for nothing. */
  release(id: number): Draft | null {
    if (!this.#down.delete(id)) return null;
    const { draft } = this;
    this.#pressed = this.#pinch = this.draft = null;
    return draft === null || draft.range.from === draft.range.to ? null : draft;
  }

  /** End without a result. */
  cancel(): void {
    this.#down.clear();
    this.#pressed = this.#pinch = this.draft = null;
  }

  #drag(axis: TimeAxis, pressed: Pressed, x: number, y: number): void {
    if (this.draft === null) {
      const [across, along] = [Math.abs(x - pressed.x), Math.abs(y - pressed.y)];
      if (pressed.touch) {
        // It reads values or scrolls the page.
        if (Math.hypot(across, along) > REST_PX) this.#pressed = null;
        return;
      }
      if (across < DRAG_PX) return;
    }
    const spanMs = axis.to - axis.from;
    if (Math.abs(spanMs / pressed.spanMs - 1) > SAME_SPAN) {
      // Another range has arrived: what counts is the place.
      Object.assign(pressed, { spanMs, time: timeAt(axis, pressed.x) });
    }
    const mode = this.draft?.mode ?? (pressed.shift ? "brush" : "zoom");
    this.draft = { mode, range: between(pressed.time, timeAt(axis, x)) };
  }

  #beginPinch({ from, to, ...axis }: TimeAxis): void {
    const fingers = this.#fingers();
    if (fingers === null) return;
    this.#pressed = this.draft = null;
    const about = timeAt({ from, to, ...axis }, fingers.middle);
    this.#pinch = { range: { from, to }, about, apart: fingers.apart };
  }

  #movePinch({ left, width }: TimeAxis, { range, about, apart }: Pinch): void {
    const fingers = this.#fingers();
    if (fingers === null) return;
    const { from, to } = scaled(range, about, apart / fingers.apart);
    // The time that was between the fingers stays between them.
    const moved = about - (from + ((fingers.middle - left) / width) * (to - from));
    this.draft = { mode: "view", range: { from: from + moved, to: to + moved } };
  }

  #fingers(): { middle: number; apart: number } | null {
    const [one, other] = this.#down.values();
    if (other === undefined) return null;
    const apart = Math.max(APART_PX, Math.hypot(one.x - other.x, one.y - other.y));
    return { middle: (one.x + other.x) / 2, apart };
  }
}
