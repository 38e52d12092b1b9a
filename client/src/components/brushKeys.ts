/**
 * Choosing a range by keys on a drawing with a time axis: with Shift, the keys that move the cursor brush;
 * Enter zooms, plus and minus too, Backspace goes back, Escape ends.
 */
import { between, scaled } from "../chart/timeaxis";
import { formatPart, formatSpan } from "../format";
import type { Range } from "../time/range";
import { useStores } from "./context";

const ZOOMS: Readonly<Record<string, number>> = { "+": 1 / 2, "=": 1 / 2, "-": 2, _: 2 };

export interface BrushKeys {
  /** The cursor has moved with Shift: brush from where it was. */
  extend(from: number, to: number): void;
  /** The cursor has moved without Shift: the next brush begins there. */
  restart(): void;
  /** Return whether it is one of these keys. */
  press(key: string): boolean;
}

/**
 * @param element the element of the drawing.
 * @param say announces a text to screen readers.
 */
export function useBrushKeys(element: HTMLElement, say: (text: string) => void): BrushKeys {
  const { brush, cursor, time } = useStores();
  /** Where the brush that Shift extends began. */
  let anchor: number | null = null;

  const describe = (range: Range) =>
    `${formatPart(range, time.range()).replace(" – ", " to ")}, ${formatSpan(range.to - range.from)}`;

  function zoom(range: Range): void {
    time.stand(range);
    say(`Zoomed to ${describe(time.range())}`);
  }

  const keys: Record<string, () => boolean> = {
    Enter() {
      const range = brush.range();
      if (range === null || brush.zoomed()) return false;
      zoom(range);
      brush.set({ range, at: element, zoomed: true });
      return true;
    },
    Backspace() {
      if (!time.back()) return false;
      say(`Back to ${describe(time.range())}`);
      return true;
    },
    Escape: () => brush.clear(),
  };

  return {
    extend(from, to) {
      if (anchor === null || brush.range() === null) anchor = from;
      const range = between(anchor, to);
      brush.set({ range, at: element, zoomed: false });
      say(`Chosen: ${describe(range)}. Enter zooms, Escape ends`);
    },
    restart() {
      anchor = null;
    },
    press(key) {
      const times = ZOOMS[key];
      if (times === undefined) return keys[key]?.() ?? false;
      const range = time.range();
      zoom(scaled(range, cursor.time() ?? (range.from + range.to) / 2, times));
      return true;
    },
  };
}
