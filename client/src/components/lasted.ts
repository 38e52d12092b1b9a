/** How long an alert entry has fired, or how it ended, by the time on the page as far as it is known. */
import type { Entry } from "../alerts/entries";
import { formatLength } from "../format";
import { useStores } from "./context";

/** `7 min 58 s`, `resolved after 12 s`, `ended with a restart`. */
export function useLasted(entry: () => Entry): () => string {
  const { alerts, connection } = useStores();
  return () => {
    const { began, ended, firing, lead } = entry();
    // Without a connection, count only to the newest tick.
    const now = alerts.at() ?? (alerts.live() ? connection.serverTime() : connection.newest());
    if (firing) return formatLength(now - began);
    return lead.state === "lost" ? "ended with a restart" : `resolved after ${formatLength(ended - began)}`;
  };
}
