/** The cursor shared by all charts, so that they show the same moment. It must not know a chart. */
import { createSignal } from "solid-js";

export function createCursorStore() {
  const [time, move] = createSignal<number | null>(null);
  return {
    /** The time of a tick in milliseconds since 1970, null while the viewer points at no chart. */
    time,
    move,
  };
}

export type CursorStore = ReturnType<typeof createCursorStore>;
