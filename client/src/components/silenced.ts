/** Until when an alert is silenced, milliseconds since 1970; null when it is not. */
import { createMemo } from "solid-js";
import type { Alert } from "../types.gen";
import { useStores } from "./context";

export function useSilencedUntil(alert: () => Alert): () => number | null {
  const { connection } = useStores();
  return createMemo(() => {
    const until = Date.parse(alert().silenced?.until ?? "");
    return until > connection.serverTime() ? until : null;
  });
}
