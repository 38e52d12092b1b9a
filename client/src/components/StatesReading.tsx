/** What reads the states of a timeline.. */
import { createEffect, createSignal } from "solid-js";
import { nearestTick } from "../chart/reduce";
import type { Meaning, Stretch } from "../chart/states";
import { isOn, timeAt } from "../chart/timeaxis";
import { useStores } from "./context";
import { type Pointer, useReading } from "./reading";
import type { Named } from "./seriesNames";
import type { TimeDrawing } from "./TimeCanvas";
import { Readout } from "./Tooltip";

/**
 * @param props.at returns the state of a series at a time.
 * @param props.onRow receives the place of the row at the cursor.
 * @param props.onKey receives the keys that are not handled here; returns whether it handled one.
 */
export default function StatesReading(props: {
  drawing: TimeDrawing;
  rows: readonly Named[];
  at: (row: Named, time: number) => Stretch | undefined;
  meaning: (stretch: Stretch) => Meaning;
  lasted: (row: Named, stretch: Stretch) => string;
  onRow: (row: number | null) => void;
  onKey: (key: string) => boolean;
}) {
  const { cursor, stats } = useStores();
  const { element, axis, drawn } = props.drawing;
  /** The row that the arrow keys have chosen. */
  const [chosen, setChosen] = createSignal(0);

  const rowOf = (place: number) => element.querySelector(`[data-row="${place}"]`);
  const textOf = (stretch: Stretch | undefined) =>
    stretch === undefined ? "no value" : props.meaning(stretch).text;

  function timeOf(tick: number): number {
    const { capacity, oldest, times } = stats.window;
    return times[(oldest + tick) % capacity];
  }

  /** The place of the row under the pointer; undefined for none. */
  function rowAt({ x, y }: Pointer): number | undefined {
    const { left, top } = element.getBoundingClientRect();
    const row = document.elementFromPoint(left + x, top + y)?.closest<HTMLElement>("[data-row]");
    return row && element.contains(row) ? Number(row.dataset.row) : undefined;
  }

  const reading = useReading(props.drawing, {
    places: () => stats.window.ticks,
    timeOf,
    nearest: (time) => nearestTick(stats.window, time),
    at(pointer) {
      const here = axis();
      if (here === null || !isOn(here, pointer.x) || rowAt(pointer) === undefined) return null;
      return nearestTick(stats.window, timeAt(here, pointer.x));
    },
    tip(tick, pointer) {
      const row = props.rows[rowAt(pointer) ?? -1];
      if (row === undefined) return null;
      const stretch = props.at(row, timeOf(tick));
      const foot = stretch === undefined ? "" : props.lasted(row, stretch);
      return { rows: [{ name: row.short, value: textOf(stretch) }], foot };
    },
    say(tick, when) {
      const row = props.rows[chosen()];
      return row === undefined ? "" : `${row.name}, ${when}: ${textOf(props.at(row, timeOf(tick)))}`;
    },
    /** Choose the row above or below. */
    press(key, tick) {
      const way = { ArrowUp: -1, ArrowDown: 1 }[key];
      if (way === undefined || props.rows.length === 0) return false;
      setChosen((place) => Math.max(0, Math.min(props.rows.length - 1, place + way)));
      rowOf(chosen())?.scrollIntoView({ block: "nearest" });
      reading.moveTo(tick);
      return true;
    },
    onKey: props.onKey,
  });

  createEffect(() => {
    drawn();
    const at = reading.pointer();
    const focused = cursor.time() !== null && document.activeElement === element;
    props.onRow(at !== null ? (rowAt(at) ?? null) : focused ? chosen() : null);
  });

  return <Readout reading={reading} />;
}
