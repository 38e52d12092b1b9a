/** The ranges that can be chosen by one press or key. Without history, only those that the window has. */
import { PRESETS } from "../time/range";
import { useStores } from "./context";

export interface OfferedRange {
  /** The key that chooses it; empty for the board's own window if that is none of the usual ranges. */
  key: string;
  spanMs: number;
  isShown(): boolean;
  choose(): void;
}

export function useRanges(): () => readonly OfferedRange[] {
  const { board, history, time } = useStores();
  const ownMs = () => {
    const { window_size = 60, interval_ms = 1000 } = board.board() ?? {};
    return window_size * interval_ms;
  };

  const offer = (key: string, spanMs: number): OfferedRange => ({
    ...{ key, spanMs },
    isShown: () => (spanMs === ownMs() ? time.isOwn() : !time.isOwn() && time.spanMs() === spanMs),
    // The board's own window needs no loading.
    choose: () => time.follow(spanMs === ownMs() ? null : spanMs),
  });

  return () => {
    const usual = PRESETS.map((spanMs, i) => offer(String(i + 1), spanMs));
    const kept = history.hasNone() ? usual.filter(({ spanMs }) => spanMs <= ownMs()) : usual;
    return kept.some(({ spanMs }) => spanMs === ownMs()) ? kept : [offer("", ownMs()), ...kept];
  };
}
