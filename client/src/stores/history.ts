/** The server's health and its stored history, loaded when a view asks. It must not know the view. */
import { createEffect, createMemo, createSignal, untrack } from "solid-js";
import { formatDuration, formatText } from "../format";
import type { Health, HistoryHealth } from "../types.gen";

/** How often a view refreshes: the data changes slowly, and many pages may ask. */
export const EVERY_MS = 600_000;
/** Omit a tier that reaches back no further than this beyond the finer one: tiers begin on the hour. */
const FURTHER_MS = 2 * 3_600_000;
/** History is worth a strip once it is this many times as long as the window. */
const WINDOWS = 2;

/** A tier that reaches further back than the finer ones: what it keeps, and the time of its oldest entry. */
export interface Tier {
  what: "tick" | "minute" | "hour";
  oldest: number;
}

function tiersOf({ raw, minutes, hours }: HistoryHealth, now: number): Tier[] {
  const all = { tick: raw.oldest, minute: minutes.oldest, hour: hours.oldest };
  let oldest = now + FURTHER_MS;
  const further: Tier[] = [];
  for (const [what, time] of Object.entries(all) as [Tier["what"], string | null][]) {
    const from = Date.parse(time ?? "");
    if (!(from <= oldest - FURTHER_MS)) continue;
    oldest = from;
    further.push({ what, oldest });
  }
  return further;
}

const sayTiers = (tiers: readonly Tier[], now: number): string =>
  tiers.map(({ what, oldest }) => `every ${what} for ${formatDuration(now - oldest)}`).join(", ");

/** `every tick for 6 d, every minute for 31 d · 312.0 MiB`; empty if nothing is stored. */
export function sayKept(history: HistoryHealth, now: number): string {
  const said = sayTiers(tiersOf(history, now), now);
  return said === "" ? "" : `${said} · ${formatText(history.file_bytes, "B")}`;
}

/** The memory of whether a board has a strip, so that the page reserves its room before it knows. */
export interface StripMemory {
  load(): boolean;
  save(on: boolean): void;
}

export interface HistoryStoreOptions {
  /** Fetches the server's health. */
  load(): Promise<Health>;
  /** The time of the newest tick, milliseconds since 1970. */
  now(): number;
  /** The length of the board's own window. */
  windowMs(): number;
  strip: StripMemory;
}

export function createHistoryStore({ load, now, windowMs, strip }: HistoryStoreOptions) {
  const [health, setHealth] = createSignal<Health | null>(null);
  const history = createMemo(() => health()?.history ?? null);
  const kept = createMemo(() => {
    const known = history();
    return known === null ? "" : sayKept(known, now());
  });
  /** The tiers change once in minutes, not with each tick. */
  const tiers = createMemo(() => {
    const known = history();
    return known === null ? [] : tiersOf(known, untrack(now) || Number.POSITIVE_INFINITY);
  });
  const oldest = createMemo(() => tiers().at(-1)?.oldest ?? Number.NaN);
  const hasStrip = createMemo<boolean>((before) => {
    if (health() === null) return before;
    return before && history() !== null ? true : now() - oldest() > WINDOWS * windowMs();
  }, strip.load());
  createEffect(() => health() !== null && strip.save(hasStrip()));

  return {
    /** The last answer, null before the first. */
    health,
    kept,
    /** The tiers that reach further back than the finer ones, the finest first. */
    tiers,
    /** The oldest time that is kept, milliseconds since 1970; NaN while unknown, or if nothing is. */
    oldest,
    /** `every tick for 6 d, every minute for 31 d`; empty if nothing is stored. */
    keptFor: () => sayTiers(tiers(), now()),
    /** Whether the server answered that this board keeps no history. */
    hasNone: () => health() !== null && history() === null,
    /** Whether history has more than the board's own window, so that the strip has something to show. */
    hasStrip,
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
