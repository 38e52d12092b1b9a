/**
 * The window of one series in small: a line, a dot for the newest value, and thresholds. The style sheet
 * sets its size.
 */
import { createMemo, onCleanup } from "solid-js";
import { colorsOf } from "../chart/palette";
import { drawSpark, type Limit } from "../chart/sparkline";
import { Surface } from "../chart/surface";
import type { Severity } from "../types.gen";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import { useInView } from "./inView";

/** The least range of a spark with its own range, as a share of the full scale. Smaller changes look flat. */
const LEAST_SHARE = 0.14;

/**
 * @param props.series the key of the series.
 * @param props.limits the thresholds. The first is in the range, however far the values are from it.
 * @param props.firing what fires: it colours the dot.
 * @param props.rangeOwn whether the range fits the values instead of the metric's scale. Used in table rows;
 *     the line is grey and has no dot.
 */
export function Spark(props: {
  series: string;
  limits?: readonly Limit[];
  firing?: Severity;
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
      band: window.bandOf(props.series),
      spanMs: window.spanMs,
      until: window.until,
      scale: props.rangeOwn ? { least: LEAST_SHARE * (max ?? window.highest(props.series)) } : { min, max },
      limits: props.limits ?? [],
      firing: props.firing,
      quiet: props.rangeOwn,
      colors: colorsOf(theme.shown()),
    });
  }

  useDrawing(
    () => element,
    useInView(() => element),
    draw,
    () => [props.series, props.limits, props.firing, metric()],
  );
  onCleanup(() => surface?.remove());
  return <span class="spark-canvas" ref={element} aria-hidden="true" />;
}
