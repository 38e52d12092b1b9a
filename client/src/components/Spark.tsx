/** The window of one series, small: its line, its newest value as a dot, and a threshold. Its size is the style sheet's. */
import { createMemo, onCleanup } from "solid-js";
import { colorsOf } from "../chart/palette";
import { drawSpark } from "../chart/sparkline";
import { Surface } from "../chart/surface";
import type { Severity } from "../types.gen";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import { useInView } from "./inView";

/** Of the full scale; a spark with a range of its own shows less as a flat line. */
const LEAST_SHARE = 0.14;

/**
 * @param props.series the key of the series.
 * @param props.threshold is part of what is seen, however far the values are from it.
 * @param props.severity the threshold's.
 * @param props.firing whether the dot has the severity's colour.
 * @param props.rangeOwn whether the range is that of the values, and not the metric's scale: so in rows, where the line
 *     is grey and without a dot.
 */
export function Spark(props: {
  series: string;
  threshold?: number;
  severity?: Severity;
  firing?: boolean;
  rangeOwn?: boolean;
}) {
  const { board, stats, theme } = useStores();
  let element!: HTMLSpanElement;
  let surface: Surface | null = null;
  const metric = createMemo(() => board.metric(props.series.split("{", 1)[0]));

  function draw(): void {
    const { window } = stats;
    const values = window.ring(props.series);
    surface ??= new Surface(element);
    if (!surface.fit()) return;
    if (values === undefined) {
      surface.begin();
      return;
    }
    const { min, max } = metric() ?? {};
    drawSpark(surface, {
      ring: window,
      values,
      spanMs: (window.capacity - 1) * window.intervalMs,
      scale: props.rangeOwn ? { least: LEAST_SHARE * (max ?? window.highest(props.series)) } : { min, max },
      threshold: props.threshold,
      severity: props.severity,
      firing: props.firing,
      quiet: props.rangeOwn,
      colors: colorsOf(theme.shown()),
    });
  }

  useDrawing(
    () => element,
    useInView(() => element),
    draw,
    () => [props.series, props.threshold, props.severity, props.firing, metric()],
  );
  onCleanup(() => surface?.remove());
  return <span class="spark-canvas" ref={element} aria-hidden="true" />;
}
