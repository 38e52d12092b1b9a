/**
 * Which rows of panels are collapsed, by their titles, and kept for the next visit. It must not know what is in a
 * row.
 */
import { createSignal } from "solid-js";

export interface RowsMemory {
  load(): string[];
  save(titles: string[]): void;
}

const MAX_COLLAPSED = 1000;

export function createRowsStore(memory: RowsMemory) {
  const [titles, setTitles] = createSignal<ReadonlySet<string>>(new Set(memory.load()));

  return {
    collapsed: (title: string): boolean => titles().has(title),
    toggle(title: string): void {
      const next = new Set(titles());
      if (!next.delete(title)) next.add(title);
      setTitles(next);
      memory.save([...next].slice(-MAX_COLLAPSED));
    },
  };
}

export type RowsStore = ReturnType<typeof createRowsStore>;
