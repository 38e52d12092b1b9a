/**
 * The element of a drawing with a time axis. What reads its values, by pointer or keyboard, is loaded with the
 * first event, and what lies behind the drawing when there is something to show.
 */
import { type Accessor, createMemo, createSignal, type JSX, Show } from "solid-js";
import type { TimeAxis } from "../chart/timeaxis";
import { useStores } from "./context";
import { NotLoadedOver, onDemand } from "./LoadedPart";

const TimeOverlay = onDemand((parts) => parts.TimeOverlay, { Failed: NotLoadedOver });

/** The most events that are kept while the part that handles them loads. */
const MOST_EARLY = 200;
/** Keys that do something else when no drawing is in focus. */
const OWN_KEYS = /^(Arrow|Page|Home|End|Enter|Backspace)/;

/** A drawing, for the parts that read it or lie behind it. */
export interface TimeDrawing {
  /** Receives the pointers and keys. */
  element: HTMLElement;
  /** Null before the first drawing. Places are pixels from the left edge of the element. */
  axis: () => TimeAxis | null;
  /** Changes after each drawing. */
  drawn: Accessor<unknown>;
  /** Whether the drawing follows the ticks. */
  live: Accessor<boolean>;
  /** Return the events that came before the part that reads it. */
  takeEarly: () => readonly Event[];
}

/**
 * @param props.ground the element in which a canvas may lie behind the drawing, if that is not its own.
 * @param props.reading the part that reads the drawing.
 */
export function TimeCanvas(
  props: Omit<TimeDrawing, "element" | "takeEarly"> & {
    class?: string;
    label: string;
    ref: (element: HTMLDivElement) => void;
    ground?: () => HTMLElement;
    onFocus?: () => void;
    reading: (drawing: TimeDrawing) => JSX.Element;
    children?: JSX.Element;
  },
) {
  const { brush, comparison, marks } = useStores();
  const [read, setRead] = createSignal(false);
  let element!: HTMLDivElement;
  /** The events before the part that reads the drawing has loaded; null from then on. */
  let early: Event[] | null = [];

  /** Keep an event for the part that reads the drawing, and load it. */
  function begin(event: Event): void {
    if (early === null || early.length === MOST_EARLY) return;
    early.push(event);
    if (event instanceof KeyboardEvent && OWN_KEYS.test(event.key)) event.preventDefault();
    setRead(true);
  }

  function takeEarly(): readonly Event[] {
    const events = early ?? [];
    early = null;
    return events;
  }

  const drawing = (): TimeDrawing => ({
    ...{ element, takeEarly, axis: () => props.axis(), drawn: () => props.drawn(), live: () => props.live() },
  });

  /** Whether something is to be shown on the time axis. */
  const overlaid = createMemo(
    () =>
      brush.range() !== null ||
      (brush.draft() !== null && brush.draft()?.at === element) ||
      comparison.ranges() !== null ||
      marks.inRange().length > 0,
  );

  return (
    <>
      <div
        class={props.class ?? "canvas"}
        ref={(found) => {
          element = found;
          props.ref(found);
        }}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
        tabIndex={0}
        aria-label={props.label}
        onFocus={(event) => {
          props.onFocus?.();
          begin(event);
        }}
        onKeyDown={begin}
        onPointerMove={begin}
        onPointerDown={begin}
        onPointerUp={begin}
      >
        {props.children}
      </div>
      <Show when={overlaid()}>
        <TimeOverlay drawing={drawing()} ground={props.ground?.() ?? element} />
      </Show>
      <Show when={read()}>{props.reading(drawing())}</Show>
    </>
  );
}
