/** The server's health and its stored history, loaded when a view asks. It must not know the view. */
import { createMemo, createSignal } from "solid-js";
import { formatDuration, formatText } from "../format";
import type { Health, HistoryHealth } from "../types.gen";

/** How often a view refreshes: the data changes slowly, and many pages may ask. */
export const EVERY_MS = 600_000;
/** Omit a tier that reaches back no further than this beyond the finer one: tiers begin on the hour. */
const FURTHER_MS = 2 * 3_600_000;

/** `every tick for 6 d, every minute for 31 d · 312.0 MiB`; empty if nothing is stored. */
export function sayKept({ raw, minutes, hours, file_bytes }: HistoryHealth, now: number): string {
  const tiers = [
    { what: "tick", oldest: raw.oldest },
    { what: "minute", oldest: minutes.oldest },
    { what: "hour", oldest: hours.oldest },
  ];
  let longest = -FURTHER_MS;
  const parts: string[] = [];
  for (const { what, oldest } of tiers) {
    const age = oldest === null ? Number.NaN : now - Date.parse(oldest);
    if (!(age >= longest + FURTHER_MS)) continue;
    longest = age;
    parts.push(`every ${what} for ${formatDuration(age)}`);
  }
  return parts.length === 0 ? "" : `${parts.join(", ")} · ${formatText(file_bytes, "B")}`;
}

/**
 * @param load fetches the server's health.
 * @param now the time of the newest tick, milliseconds since 1970.
 */
export function createHistoryStore(load: () => Promise<Health>, now: () => number) {
  const [health, setHealth] = createSignal<Health | null>(null);
  const kept = createMemo(() => {
    const known = health()?.history ?? null;
    return known === null ? "" : sayKept(known, now());
  });

  return {
    /** The last answer, null before the first. */
    health,
    kept,
    async refresh(): Promise<void> {
      try {
        setHealth(await load());
      } catch {
        // Keep the last answer: the header already shows that the server is unreachable.
      }
    },
  };
}

export type HistoryStore = ReturnType<typeof createHistoryStore>;
