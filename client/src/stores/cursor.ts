/** Where the cursor of all charts is: they show the same moment. It must not know a chart. */
import { createSignal } from "solid-js";

export function createCursorStore() {
  const [time, move] = createSignal<number | null>(null);
  return {
    /** The time of a tick in milliseconds since 1970, null while no chart is pointed at. */
    time,
    move,
  };
}

export type CursorStore = ReturnType<typeof createCursorStore>;
