/** Whether a metric's values are stale: still shown, although nothing updates them any more. */

import { formatWhen } from "../format";
import { useStores } from "./context";

/** `stale since 12:03:04`; empty while the metric's values are current. */
export function useStale(metric: string): () => string {
  const { board, connection } = useStores();
  return () => {
    const since = board.staleSince(metric);
    return since === undefined ? "" : `stale since ${formatWhen(since, connection.time())}`;
  };
}
