/**
 * How the page is connected: live or not, why not, when the next try is, how far the newest tick lies back, and
 * whether the viewer has paused the drawing. It takes feed events and the time; it must not know a socket.
 *
 * The clocks of server and browser differ, and both are set while they run. Here time is measured by a clock that
 * nobody sets. `skewMs` is the least ever seen of (arrival here - tick's own time): the difference of the clocks plus
 * the fastest way. What a tick lies beyond that is what it is late. A window that begins afresh has another clock.
 */
import { createMemo, createSignal } from "solid-js";
import type { LinkStatus } from "../link/connection";
import type { FeedEvent, Trouble } from "../link/feed";

const BEHIND_INTERVALS = 3;
const BEHIND_AT_LEAST_MS = 3_000;
const HAND_MS = 200;
/** The longest that there is between two tries. */
const RETRY_AT_MOST_S = 10;
/** A connection that is back sooner was not missed. */
const MISSED_MS = 1_000;

/**
 * @param now the time that is measured with, which nobody sets.
 * @param wall the time that is shown.
 * @param retry tries to connect at once.
 */
export function createConnectionStore(
  now: () => number,
  wall: () => number,
  intervalMs: () => number,
  retry: () => void = () => {},
) {
  const [link, setLink] = createSignal<LinkStatus>({ connected: false, tried: false, retryAt: null });
  const [trouble, setTrouble] = createSignal<Trouble | null>(null);
  const [newest, setNewest] = createSignal(Number.NaN);
  const [skewMs, setSkewMs] = createSignal(Number.POSITIVE_INFINITY);
  /** When the connection was lost. */
  const [lostAt, setLostAt] = createSignal(now());
  /** When the connection was opened or the window began afresh: the first tick is waited for from then on. */
  const [begun, setBegun] = createSignal(now());
  const [moment, setMoment] = createSignal(now());
  const [time, setTime] = createSignal(wall());
  const [paused, setPaused] = createSignal(false);

  const connected = () => link().connected;

  /** Whole seconds to the next try; null while there is none to wait for. */
  const retryIn = createMemo(() => {
    const at = link().retryAt;
    return at === null ? null : Math.min(RETRY_AT_MOST_S, Math.max(0, Math.ceil((at - moment()) / 1000)));
  });

  /** Whole seconds that the newest tick lies back, 0 while that is as it should be. */
  const behind = createMemo(() => {
    const known = Number.isFinite(newest()) && Number.isFinite(skewMs());
    const late = known ? moment() - newest() - skewMs() : moment() - begun();
    const allowed = Math.max(BEHIND_INTERVALS * intervalMs(), BEHIND_AT_LEAST_MS);
    return connected() && late > allowed ? Math.floor(late / 1000) : 0;
  });

  const lost = createMemo(() => link().tried && !connected() && moment() - lostAt() >= MISSED_MS);

  function begin(): void {
    setSkewMs(Number.POSITIVE_INFINITY);
    setNewest(Number.NaN);
    setBegun(now());
  }

  function sawTick(tickTime: number): void {
    if (!Number.isFinite(tickTime)) return;
    setSkewMs((skew) => Math.min(skew, now() - tickTime));
    setNewest(tickTime);
  }

  function showLink(status: LinkStatus): void {
    if (status.connected && !connected()) setBegun(now());
    if (!status.connected && connected()) setLostAt(now());
    setLink(status);
  }

  function apply(event: FeedEvent): void {
    elapse();
    if (event.type === "status") showLink(event.status);
    if (event.type === "trouble") setTrouble(event.trouble);
    if (event.type === "ticks") {
      if (event.afresh) begin();
      sawTick(event.times.at(-1) ?? Number.NaN);
    }
    if (event.type === "snapshot") {
      showLink(event.status);
      setTrouble(event.trouble);
      setSkewMs(Number.isFinite(event.serverTime) ? now() - event.serverTime : Number.POSITIVE_INFINITY);
      setNewest(event.window?.times.at(-1) ?? Number.NaN);
    }
  }

  /** Not with each of sixty ticks a second: what depends on it is read in seconds. */
  function elapse(): void {
    if (Math.abs(now() - moment()) < HAND_MS) return;
    setMoment(now());
    setTime(wall());
  }

  return {
    apply,
    /** The clock's hand has moved; called about once a second while the page is seen. */
    elapse,
    /** The time by the viewer's clock, to show beside. */
    time,
    /** The time by the server's clock, as far as it is known, in milliseconds since 1970. */
    serverTime: () => (Number.isFinite(skewMs()) ? moment() - skewMs() : time()),
    connected,
    /** Whether there has been a connection yet, or a failure to make one. */
    tried: () => link().tried,
    /** Why there is no WebSocket, where that is known. */
    trouble,
    retryIn,
    retry,
    behind,
    /** Whether there is no connection, and has not been for so long that it is missed. */
    lost,
    /** Whether what is shown is not what is now: there are values, and none has come for too long. */
    stale: createMemo(() => Number.isFinite(newest()) && (lost() || behind() > 0)),
    /** Whether what is shown is what is now. */
    live: () => connected() && behind() === 0,
    /** When the newest tick was made, milliseconds since 1970; NaN before the first. */
    newest,
    paused,
    setPaused,
  };
}

export type ConnectionStore = ReturnType<typeof createConnectionStore>;
