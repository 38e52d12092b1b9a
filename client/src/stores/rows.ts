/**
 * Which sections are folded. A section starts as its board declares; the viewer's changes are remembered
 * between visits. It must not know what is in a section.
 */
import { createSignal } from "solid-js";

export interface RowsMemory {
  load(): string[];
  save(paths: string[]): void;
}

/** A section: its joined titles, and whether it starts folded. */
export interface Foldable {
  path: string;
  folded: boolean;
}

const MOST_REMEMBERED = 1000;

export function createRowsStore(foldedMemory: RowsMemory, openedMemory: RowsMemory) {
  const [folded, setFolded] = createSignal<ReadonlySet<string>>(new Set(foldedMemory.load()));
  const [opened, setOpened] = createSignal<ReadonlySet<string>>(new Set(openedMemory.load()));

  const isOpen = ({ path, folded: begins }: Foldable): boolean =>
    begins ? opened().has(path) : !folded().has(path);

  function setOpen(row: Foldable, open: boolean): void {
    if (isOpen(row) === open) return;
    // Store only differences from how a section starts.
    const [paths, set, memory] = row.folded
      ? ([opened(), setOpened, openedMemory] as const)
      : ([folded(), setFolded, foldedMemory] as const);
    const next = new Set(paths);
    if (!next.delete(row.path)) next.add(row.path);
    set(next);
    memory.save([...next].slice(-MOST_REMEMBERED));
  }

  return { isOpen, setOpen, toggle: (row: Foldable): void => setOpen(row, !isOpen(row)) };
}

export type RowsStore = ReturnType<typeof createRowsStore>;
