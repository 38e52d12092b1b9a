/**
 * Which lines of a chart stand out: the one that is pointed at, and those that were chosen to. The others are in the
 * background meanwhile.
 */
import { type Accessor, createMemo, createSignal } from "solid-js";

export interface Standout {
  /** The keys of the lines that stand out; null when all do. */
  keys: Accessor<ReadonlySet<string> | null>;
  /** Those that stay so. */
  chosen: Accessor<ReadonlySet<string> | null>;
  point(key: string | null): void;
  /** Choose one alone, or, with `toggle`, among others; what was chosen alone is let go. */
  choose(key: string, toggle: boolean): void;
  /** Let all go; return whether there were any. */
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
