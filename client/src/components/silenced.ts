/** Until when all active alerts of an entry are silenced, in milliseconds since 1970; null if any is not. */
import { createMemo } from "solid-js";
import { activeOf, type Entry, silencedUntil } from "../alerts/entries";
import { useStores } from "./context";

export function useSilencedUntil(entry: () => Entry): () => number | null {
  const { connection } = useStores();
  return createMemo(() => silencedUntil(activeOf(entry()), connection.serverTime()));
}
