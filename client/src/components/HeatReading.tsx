/** What reads the cells of a heat map.. */
import { createEffect, createSignal } from "solid-js";
import { cellAt, cellText, fullestRow, shareText } from "../chart/heat";
import type { HeatPlot } from "../chart/heatplot";
import { formatText } from "../format";
import { type Pointer, useReading } from "./reading";
import type { TimeDrawing } from "./TimeCanvas";
import { Readout } from "./Tooltip";

/**
 * @param props.onRow receives the row at the cursor.
 * @param props.onKey receives the keys that are not handled here; returns whether it handled one.
 */
export default function HeatReading(props: {
  drawing: TimeDrawing;
  plot: () => HeatPlot;
  unit: string;
  onRow: (row: number | null) => void;
  onKey?: (key: string) => boolean;
}) {
  /** The row that the arrow keys have chosen. */
  const [chosen, setChosen] = createSignal<number | null>(null);
  const cells = () => props.plot().cells;

  const rowAt = ({ x, y }: Pointer) => props.plot().cellAt(x, y)?.row ?? null;

  /** What a cell holds: `100–150 ms`, `24 %`, `12.4 /s`. */
  function textsOf(column: number, row: number): [bucket: string, share: string, rate: string] {
    const { rate, share } = cellAt(cells(), column, row);
    return [cellText(cells(), row, props.unit), shareText(share), formatText(rate, "/s")];
  }

  const reading = useReading(props.drawing, {
    places: () => cells().columns.length,
    timeOf: (column) => cells().columns[column].time,
    nearest: (time) => props.plot().columnAt(time),
    at: ({ x, y }) => props.plot().cellAt(x, y)?.column ?? null,
    tip(column, at) {
      const row = rowAt(at);
      if (row === null) return null;
      const [name, value, rate] = textsOf(column, row);
      const { total } = cells().columns[column];
      const all = Number.isNaN(total) ? [] : [{ name: "all buckets", value: formatText(total, "/s") }];
      return { rows: [{ name, value, color: 0 }, { name: "values", value: rate }, ...all] };
    },
    /** The chosen bucket, or the fullest one. */
    say(column, when) {
      const row = chosen() ?? fullestRow(cells(), column);
      return `${when}: ${row === null ? "no values" : textsOf(column, row).join(", ")}`;
    },
    /** Choose the bucket above or below. */
    press(key, column) {
      const way = { ArrowUp: 1, ArrowDown: -1 }[key];
      const rows = cells().edges.length - 1;
      if (way === undefined || rows < 1) return false;
      const now = chosen() ?? fullestRow(cells(), column) ?? 0;
      setChosen(Math.max(0, Math.min(rows - 1, now + way)));
      reading.moveTo(column);
      return true;
    },
    clear() {
      setChosen(null);
      return false;
    },
    point: () => setChosen(null),
    onKey: props.onKey,
  });

  createEffect(() => {
    props.drawing.drawn();
    const at = reading.pointer();
    props.onRow((at && rowAt(at)) ?? chosen());
  });

  return <Readout reading={reading} />;
}
