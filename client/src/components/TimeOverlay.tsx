/**
 * What all drawings with a time axis share: the brush and the compared ranges behind their lines, marks, and
 * the brush's actions. It is loaded when there is something to show.
 */
import "../styles/brush.css";
import { type Accessor, createEffect, createMemo, onCleanup, Show } from "solid-js";
import { drawOverlay, type Overlay, type OverlayRange } from "../chart/overlay";
import { colorsOf } from "../chart/palette";
import { Surface } from "../chart/surface";
import { placeOf, type TimeAxis } from "../chart/timeaxis";
import { BrushPill } from "./BrushPill";
import { useStores } from "./context";

export interface TimeOverlayProps {
  /** The element of the drawing. */
  element: HTMLElement;
  /** Null before the first drawing. */
  axis: () => TimeAxis | null;
  /** Changes after each drawing. */
  drawn: Accessor<unknown>;
  /** Whether the drawing follows the ticks. */
  live: Accessor<boolean>;
}

export default function TimeOverlay(props: TimeOverlayProps) {
  const { brush, comparison, marks, theme } = useStores();
  let surface: Surface | null = null;

  const draft = createMemo(() => {
    const drafted = brush.draft();
    return drafted !== null && drafted.at === props.element && drafted.mode !== "view" ? drafted.range : null;
  });

  const ranges = createMemo<readonly OverlayRange[]>(() => {
    const { after, before } = comparison.ranges() ?? {};
    const chosen = draft() ?? (brush.zoomed() ? null : brush.range()) ?? after;
    const all: OverlayRange[] = chosen ? [{ ...chosen, kind: "chosen" }] : [];
    return before === undefined ? all : [{ ...before, kind: "before" }, ...all];
  });

  function clear(): void {
    surface?.remove();
    surface = null;
  }

  function paint(axis: TimeAxis, overlay: Overlay): void {
    if (surface === null) {
      surface = new Surface(props.element);
      surface.canvas.className = "time-overlay";
      // Behind the lines.
      props.element.prepend(surface.canvas);
    }
    if (surface.fit()) drawOverlay(surface, axis, overlay, colorsOf(theme.shown()));
  }

  createEffect(() => {
    if (!props.live()) return;
    props.drawn();
    const axis = props.axis();
    const overlay = { ranges: ranges(), marks: marks.inRange() };
    if (axis === null || overlay.ranges.length + overlay.marks.length === 0) clear();
    else paint(axis, overlay);
  });
  onCleanup(clear);

  /** The range beside which the pill stands here, and where its middle is on the axis. */
  const pill = createMemo(() => {
    props.drawn();
    const axis = props.axis();
    const range = draft() ?? (brush.at() === props.element ? brush.range() : null);
    if (axis === null || range === null || range.from === range.to) return null;
    const place = placeOf(axis, (range.from + range.to) / 2) - axis.left;
    return { range, at: Math.max(0, Math.min(1, place / axis.width)) };
  });

  return (
    <Show when={pill()}>
      {(here) => (
        <BrushPill
          range={here().range}
          at={here().at}
          draft={draft() !== null}
          onClose={() => props.element.focus()}
        />
      )}
    </Show>
  );
}
