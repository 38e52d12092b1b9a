/**
 * What changed between two ranges, as the server finds it. A busy server is asked again when it says so. It
 * must not know how the answer is shown.
 */
import { createSignal } from "solid-js";
import { askChanges, type Get, Unanswered } from "../comparing/asking";
import { formatDuration } from "../format";
import type { Clock } from "../time/clock";
import type { Comparison } from "../time/comparison";
import type { ChangesAnswer } from "../types.gen";

export type Found =
  /** The note says why it takes long; empty if there is no reason. */
  | { state: "loading"; note: string }
  | { state: "failed"; message: string }
  | { state: "found"; answer: ChangesAnswer };

/** How often a busy server is asked. */
const MOST_TRIES = 5;
const LEAST_WAIT_MS = 1000;
const MOST_WAIT_MS = 30_000;

export function createChangesStore({ clock, get }: { clock: Clock; get: Get }) {
  const [found, setFound] = createSignal<Found>({ state: "loading", note: "" });
  let asked: Comparison | null = null;
  let abort = new AbortController();
  let cancelRetry = () => {};

  function stop(): void {
    cancelRetry();
    abort.abort();
  }

  async function run(comparison: Comparison, tries: number): Promise<void> {
    abort = new AbortController();
    const { signal } = abort;
    let next: Found;
    try {
      next = { state: "found", answer: await askChanges(get, comparison, signal) };
    } catch (error) {
      if (signal.aborted) return;
      const { message, retryMs } = error instanceof Unanswered ? error : new Unanswered(String(error));
      next = { state: "failed", message };
      if (!Number.isNaN(retryMs) && tries < MOST_TRIES) {
        const wait = Math.min(MOST_WAIT_MS, Math.max(LEAST_WAIT_MS, retryMs));
        next = { state: "loading", note: `The server is busy. Asking again in ${formatDuration(wait)}.` };
        cancelRetry = clock.after(wait, () => void run(comparison, tries + 1));
      }
    }
    if (!signal.aborted) setFound(next);
  }

  function ask(comparison: Comparison): void {
    stop();
    asked = comparison;
    setFound({ state: "loading", note: "" });
    void run(comparison, 1);
  }

  return {
    found,
    /** Ask what changed between two ranges. An earlier question is dropped. */
    ask,
    /** Ask the last question again. */
    retry: () => asked !== null && ask(asked),
    stop,
  };
}

export type ChangesStore = ReturnType<typeof createChangesStore>;
