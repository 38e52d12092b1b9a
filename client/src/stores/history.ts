/** What the server says of itself and keeps of the ticks, asked for now and then by who shows it, whom it must not know. */
import { createMemo, createSignal } from "solid-js";
import { formatDuration, formatText } from "../format";
import type { Health, HistoryHealth } from "../types.gen";

/** It changes slowly, and many may look. */
export const EVERY_MS = 600_000;
/** A tier that reaches back no further than this beyond the one before it says nothing: it begins on the hour. */
const FURTHER_MS = 2 * 3_600_000;

/** `every tick for 6 d, every minute for 31 d · 312.0 MiB`; empty where nothing is kept. */
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
 * @param load asks the server how it is.
 * @param now the time of the newest tick, milliseconds since 1970.
 */
export function createHistoryStore(load: () => Promise<Health>, now: () => number) {
  const [health, setHealth] = createSignal<Health | null>(null);
  const kept = createMemo(() => {
    const known = health()?.history ?? null;
    return known === null ? "" : sayKept(known, now());
  });

  return {
    /** As it was asked for last, null before. */
    health,
    kept,
    async refresh(): Promise<void> {
      try {
        setHealth(await load());
      } catch {
        // The header says that the server does not answer; what was known stays.
      }
    },
  };
}

export type HistoryStore = ReturnType<typeof createHistoryStore>;
