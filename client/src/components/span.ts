/** The length of the range on the page, in words: `60 s`, `24 h`. */
import { formatDuration } from "../format";
import { useStores } from "./context";

export function useSpan(): () => string {
  const { board, time } = useStores();
  return () => {
    const { window_size = 60, interval_ms = 1000 } = board.board() ?? {};
    return formatDuration(time.isOwn() ? window_size * interval_ms : time.spanMs());
  };
}
