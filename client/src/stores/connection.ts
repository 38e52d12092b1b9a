/**
 * How the page is connected: live or not, when the next try is, how far the newest tick lies back, and whether
 * the viewer has paused the drawing. It takes feed events and the time; it must not know a socket.
 *
 * The clocks of server and browser differ. `skewMs` is the least ever seen of (arrival here - tick's own time):
 * the difference of the clocks plus the fastest way. What a tick lies beyond that is what it is late.
 */
import { createMemo, createSignal } from "solid-js";
import type { LinkStatus } from "../connection";
import type { FeedEvent } from "../feed";

const BEHIND_INTERVALS = 3;
const BEHIND_AT_LEAST_MS = 3_000;

export function createConnectionStore(now: () => number, intervalMs: () => number) {
  const [link, setLink] = createSignal<LinkStatus>({ connected: false, tried: false, retryAt: null });
  const [newest, setNewest] = createSignal(Number.NaN);
  const [skewMs, setSkewMs] = createSignal(Number.POSITIVE_INFINITY);
  const [time, setTime] = createSignal(now());
  const [paused, setPaused] = createSignal(false);

  const connected = () => link().connected;

  /** Whole seconds to the next try; null while there is none to wait for. */
  const retryIn = createMemo(() => {
    const at = link().retryAt;
    return at === null ? null : Math.max(0, Math.ceil((at - time()) / 1000));
  });

  /** Whole seconds that the newest tick lies back, 0 while that is as it should be. */
  const behind = createMemo(() => {
    const late = time() - newest() - skewMs();
    const allowed = Math.max(BEHIND_INTERVALS * intervalMs(), BEHIND_AT_LEAST_MS);
    return connected() && late > allowed ? Math.floor(late / 1000) : 0;
  });

  function sawTick(tickTime: number, received: number, afresh: boolean): void {
    if (!Number.isFinite(tickTime)) return;
    setSkewMs((skew) => Math.min(afresh ? Number.POSITIVE_INFINITY : skew, received - tickTime));
    setNewest(tickTime);
  }

  function apply(event: FeedEvent): void {
    setTime(now());
    if (event.type === "status") setLink(event.status);
    if (event.type === "ticks") sawTick(event.times.at(-1) ?? Number.NaN, event.received, event.afresh);
    if (event.type === "snapshot") {
      setLink(event.status);
      setSkewMs(event.skewMs);
      setNewest(event.window?.times.at(-1) ?? Number.NaN);
    }
  }

  return {
    apply,
    /** The clock's hand has moved; called about once a second while the page is seen. */
    elapse: () => void setTime(now()),
    time,
    /** The time by the server's clock, as far as it is known, in milliseconds since 1970. */
    serverTime: () => time() - (Number.isFinite(skewMs()) ? skewMs() : 0),
    connected,
    /** Whether there has been a connection yet, or a failure to make one. */
    tried: () => link().tried,
    retryIn,
    behind,
    /** When the newest tick was made, milliseconds since 1970; NaN before the first. */
    newest,
    paused,
    setPaused,
  };
}

export type ConnectionStore = ReturnType<typeof createConnectionStore>;
