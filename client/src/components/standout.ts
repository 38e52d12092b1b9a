/** Which lines of a chart stand out: the one under the pointer and the chosen ones. The others fade. */
import { type Accessor, createMemo, createSignal } from "solid-js";

export interface Standout {
  /** The keys of the lines that stand out; null when all do. */
  keys: Accessor<ReadonlySet<string> | null>;
  /** The keys of the chosen lines, which stand out until cleared. */
  chosen: Accessor<ReadonlySet<string> | null>;
  point(key: string | null): void;
  /** Choose one line alone or, with `toggle`, add or remove it. Choosing the only chosen line clears it. */
  choose(key: string, toggle: boolean): void;
  /** Clear the choice. Return whether any line stood out. */
  clear(): boolean;
}

export function createStandout(): Standout {
  const [pointed, setPointed] = createSignal<string | null>(null);
  const [chosen, setChosen] = createSignal<ReadonlySet<string> | null>(null);
  const keys = createMemo<ReadonlySet<string> | null>(() => {
    const key = pointed();
    return key === null ? chosen() : new Set([...(chosen() ?? []), key]);
  });

  function choose(key: string, toggle: boolean): void {
    const next = new Set(toggle ? chosen() : []);
    const wasAlone = chosen()?.size === 1 && chosen()?.has(key);
    if (toggle ? !next.delete(key) : !wasAlone) next.add(key);
    setChosen(next.size === 0 ? null : next);
  }

  function clear(): boolean {
    const had = keys() !== null;
    setPointed(null);
    setChosen(null);
    return had;
  }

  return { keys, chosen, point: setPointed, choose, clear };
}
