/** Long texts for screen readers, which would otherwise talk all the time. */
import { createMemo, untrack } from "solid-js";

const EVERY_MS = 10_000;

/**
 * @param beat a time in milliseconds.
 * @param write returns the text, null if there is none yet. It runs untracked.
 * @param first the text before.
 */
export function useSeldom(beat: () => number, write: () => string | null, first: string): () => string {
  let written = Number.NaN;
  return createMemo<string>((before) => {
    const now = beat();
    if (Math.abs(now - written) < EVERY_MS) return before;
    const text = untrack(write);
    if (text === null) return before;
    written = now;
    return text;
  }, first);
}
