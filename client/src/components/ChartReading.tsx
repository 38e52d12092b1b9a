/**
 * What reads a chart's values: the highest and the nearest in the tooltip, the keys that isolate lines, and the labels at
 * the lines' ends. It is loaded with the first event.
 */
import { onCleanup, onMount } from "solid-js";
import type { Plot } from "../chart/plot";
import { formatText } from "../format";
import type { Picture } from "./ChartCanvas";
import { useStores } from "./context";
import { extremesAt } from "./extremes";
import { pointerOf, useReading } from "./reading";
import type { TimeDrawing } from "./TimeCanvas";
import { Readout, type TipRow } from "./Tooltip";

/** More rows would hide the chart. */
const TIP_ROWS = 8;

/**
 * @param props.plot null before the first drawing.
 * @param props.onKey receives the keys that are not handled here; returns whether it handled one.
 */
export default function ChartReading(props: {
  drawing: TimeDrawing;
  picture: Picture;
  plot: () => Plot | null;
  onKey?: (key: string) => boolean;
}) {
  const { stats } = useStores();
  const { picture, plot } = props;
  const { element } = props.drawing;
  const { standout } = picture;

  const slotOf = (tick: number): number => (stats.window.oldest + tick) % stats.window.capacity;
  const valueAt = (key: string, tick: number): number => stats.window.ring(key)?.[slotOf(tick)] ?? Number.NaN;

  const reading = useReading(props.drawing, {
    places: () => stats.window.ticks,
    timeOf: (tick) => stats.window.times[slotOf(tick)],
    nearest: (time) => plot()?.nearestTick(time) ?? 0,
    at: ({ x }) => plot()?.tickAt(x) ?? null,
    tip(tick, { y }) {
      const rows = rowsAt(tick, plot()?.nearestLine(tick, y));
      const more = rows.length - TIP_ROWS;
      return { rows: rows.slice(0, TIP_ROWS), foot: more > 0 ? `${more} more below` : "" };
    },
    say(tick, when) {
      const alone = picture.lines().length === 1;
      const values = rowsAt(tick, undefined)
        .slice(0, TIP_ROWS)
        .map(({ name, value, extremes }) =>
          [alone ? "" : name, value, extremes && `from ${extremes.replace(" – ", " to ")}`]
            .filter(Boolean)
            .join(" "),
        );
      return `${when}: ${values.join(", ") || "no value"}`;
    },
    press: (key, tick) => change(key, tick) || isolate(key),
    clear: standout.clear,
    point(at) {
      const label = at === null ? undefined : plot()?.labelAt(at.x, at.y);
      standout.point(label ?? null);
      element.style.cursor = label === undefined ? "" : "pointer";
    },
    onKey: props.onKey,
  });

  function onClick(event: MouseEvent): void {
    const { x, y } = pointerOf(element, event);
    const label = plot()?.labelAt(x, y);
    if (label !== undefined) standout.choose(label, event.ctrlKey || event.metaKey);
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
        name: line.short,
        value: formatText(value, line.unit, undefined, stats.window.isWhole(line.key)),
        extremes: extremesAt(stats.window, line, tick),
        color: line.color,
      }));
  }

  /** Isolate the next or previous line, in drawing order. */
  function change(key: string, tick: number): boolean {
    const way = { ArrowDown: 1, ArrowUp: -1 }[key];
    const lines = picture.lines();
    if (way === undefined || lines.length < 2) return false;
    const now = lines.findIndex((line) => standout.chosen()?.has(line.key));
    const next =
      lines[now === -1 ? (way === 1 ? 0 : lines.length - 1) : (now + way + lines.length) % lines.length];
    if (!(standout.chosen()?.size === 1 && standout.chosen()?.has(next.key)))
      standout.choose(next.key, false);
    const whole = stats.window.isWhole(next.key);
    reading.announce(`${next.label}: ${formatText(valueAt(next.key, tick), next.unit, undefined, whole)}`);
    return true;
  }

  /** Isolate the line nearest to the pointer, or show all lines again. */
  function isolate(key: string): boolean {
    if (key !== "i" || picture.lines().length < 2) return false;
    if (standout.clear()) return true;
    const at = reading.pointer();
    const tick = at === null ? null : plot()?.tickAt(at.x);
    const nearest = at === null || tick == null ? undefined : plot()?.nearestLine(tick, at.y);
    standout.choose(nearest ?? picture.lines()[0].key, false);
    return true;
  }

  onMount(() => {
    element.addEventListener("click", onClick);
    onCleanup(() => element.removeEventListener("click", onClick));
  });

  return <Readout reading={reading} />;
}
