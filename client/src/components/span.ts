/** The length of the range on the page: in milliseconds, and in words: `60 s`, `24 h`. */
import { formatDuration } from "../format";
import { useStores } from "./context";

/** While it is the board's own window, its whole length, also before it is full. */
export function useSpanMs(): () => number {
  const { board, time } = useStores();
  return () => {
    const { window_size = 60, interval_ms = 1000 } = board.board() ?? {};
    return time.isOwn() ? window_size * interval_ms : time.spanMs();
  };
}

export function useSpan(): () => string {
  const spanMs = useSpanMs();
  return () => formatDuration(spanMs());
}
