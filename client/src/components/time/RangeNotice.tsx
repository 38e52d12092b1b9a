/**
 * What is to be said of the range on the page: that it is loading, why it could not be loaded, and what of it is
 * not kept.
 */
import "../../styles/notice.css";
import { createEffect, createMemo, createSignal, onCleanup, Show } from "solid-js";
import { formatDate, formatRange, formatSpan, formatTime } from "../../format";
import { useStores } from "../context";
import { useSpanMs } from "../span";

/** A shorter wait is not worth a word. */
const SAY_AFTER_MS = 300;
/** Buckets begin at round times, and the oldest entry is known only of some minutes ago. */
const ABOUT_MS = 120_000;

export default function RangeNotice() {
  const { history, past, time } = useStores();
  const spanMs = useSpanMs();
  const [slow, setSlow] = createSignal(false);
  createEffect(() => {
    setSlow(false);
    if (!past.state().loading) return;
    const timer = setTimeout(() => setSlow(true), SAY_AFTER_MS);
    onCleanup(() => clearTimeout(timer));
  });
  const what = () => (time.follows() ? `the last ${formatSpan(spanMs())}` : formatRange(time.range()));

  const since = () => `${formatDate(history.oldest())}, ${formatTime(history.oldest())}`;
  /** Whether the window of the range has arrived, and holds nothing. */
  const isEmpty = createMemo(() => {
    const window = past.window();
    return window !== null && !past.state().loading && window.ticks === 0;
  });
  const lack = createMemo((): { text: string; oldest: boolean } | null => {
    const { from, to } = time.range();
    const oldest = history.oldest();
    if (history.hasNone()) {
      return isEmpty()
        ? { text: "This board keeps no history: only its window can be shown.", oldest: false }
        : null;
    }
    if (to <= oldest) {
      return { text: `This range is no longer kept: the oldest values are from ${since()}.`, oldest: true };
    }
    if (from < oldest - ABOUT_MS)
      return { text: `Nothing is kept from before ${since()}.`, oldest: !time.follows() };
    return isEmpty() ? { text: "Nothing was recorded in this range.", oldest: false } : null;
  });
  const goToOldest = () => time.stand({ from: history.oldest(), to: history.oldest() + spanMs() });

  return (
    <div class="range-said" role="status">
      <Show when={slow() && past.state().failed === ""}>
        <p class="range-loading">{`Loading ${what()}…`}</p>
      </Show>
      <Show when={past.state().failed}>
        {(why) => (
          <p class="range-notice">
            <span>{`Could not load ${what()}: ${why()}. The page keeps what it had.`}</span>
            <button type="button" class="button small" onClick={past.retry}>
              Retry
            </button>
          </p>
        )}
      </Show>
      <Show when={past.state().failed === "" && lack()}>
        {(known) => (
          <p class="range-notice">
            <span>{known().text}</span>
            <Show when={known().oldest}>
              <button type="button" class="button small" onClick={goToOldest}>
                Go to the oldest
              </button>
            </Show>
          </p>
        )}
      </Show>
    </div>
  );
}
