/** The time that the page shows: now by the server's clock, or the time at which it stands still. */
import { useStores } from "./context";

export function useMoment(): () => number {
  const { alerts, connection } = useStores();
  return () => alerts.at() ?? connection.serverTime();
}
