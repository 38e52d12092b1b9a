/**
 * What all drawings with a time axis share: the brush and the compared ranges behind their lines, marks, and
 * the brush's actions. It is loaded when there is something to show.
 */
import "../styles/brush.css";
import { createEffect, createMemo, onCleanup, Show } from "solid-js";
import { drawOverlay, type Overlay, type OverlayRange } from "../chart/overlay";
import { colorsOf } from "../chart/palette";
import { Surface } from "../chart/surface";
import { placeOf, type TimeAxis } from "../chart/timeaxis";
import { BrushPill } from "./BrushPill";
import { useStores } from "./context";
import type { TimeDrawing } from "./TimeCanvas";

/** @param props.ground receives the canvas behind the drawing. */
export default function TimeOverlay(props: { drawing: TimeDrawing; ground: HTMLElement }) {
  const { element, axis, drawn, live } = props.drawing;
  const { brush, comparison, marks, theme } = useStores();
  let surface: Surface | null = null;

  const draft = createMemo(() => {
    const drafted = brush.draft();
    return drafted !== null && drafted.at === element && drafted.mode !== "view" ? drafted.range : null;
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

  function paint(on: TimeAxis, overlay: Overlay): void {
    if (surface === null) {
      surface = new Surface(props.ground);
      surface.canvas.className = "time-overlay";
      // Behind the lines.
      props.ground.prepend(surface.canvas);
    }
    if (surface.fit()) drawOverlay(surface, on, overlay, colorsOf(theme.shown()));
  }

  createEffect(() => {
    if (!live()) return;
    drawn();
    const here = axis();
    const overlay = { ranges: ranges(), marks: marks.inRange() };
    if (here === null || overlay.ranges.length + overlay.marks.length === 0) clear();
    else paint(here, overlay);
  });
  onCleanup(clear);

  /** The range beside which the pill stands here, and where its middle is on the axis. */
  const pill = createMemo(() => {
    drawn();
    const here = axis();
    const range = draft() ?? (brush.at() === element ? brush.range() : null);
    if (here === null || range === null || range.from === range.to) return null;
    const place = placeOf(here, (range.from + range.to) / 2) - here.left;
    return { range, at: Math.max(0, Math.min(1, place / here.width)) };
  });

  return (
    <Show when={pill()}>
      {(here) => (
        <BrushPill
          range={here().range}
          at={here().at}
          draft={draft() !== null}
          onClose={() => element.focus()}
        />
      )}
    </Show>
  );
}
