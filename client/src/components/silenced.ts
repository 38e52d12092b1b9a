/** Until when alerts are silenced, as a time and in words. */
import { createMemo } from "solid-js";
import { activeOf, type Entry, silencedUntil } from "../alerts/entries";
import { formatUntil } from "../format";
import type { Silence } from "../types.gen";
import { useMoment } from "./moment";

/** When the first silence of an entry's active alerts ends, in milliseconds since 1970; null if any has none. */
export function useSilencedUntil(entry: () => Entry, moment = useMoment()): () => number | null {
  return createMemo(() => silencedUntil(activeOf(entry()), moment()));
}

/** `until 14:32`, `until it is over`, `on all series until 14:32`. */
export function sayUntil({ scope, until, until_resolved }: Silence, now: number): string {
  const end = until_resolved ? "until it is over" : `until ${formatUntil(Date.parse(until), now)}`;
  return scope === "rule" ? `on all series ${end}` : end;
}
