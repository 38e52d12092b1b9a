/**
 * The connection's state: live or not and why, when the next try is due, and how late the newest tick is. It
 * takes feed events and the time; it must not know a socket.
 *
 * The clocks of server and browser differ, and either may be adjusted. So this measures with a monotonic
 * clock. `skewMs` is the minimum of (arrival here - tick's own time): the clock difference plus the fastest
 * transfer. A tick is late by its excess over that. A new window may come from another server clock and
 * resets it.
 */
import { createMemo, createSignal } from "solid-js";
import type { LinkStatus } from "../link/connection";
import type { FeedEvent, Trouble } from "../link/feed";

const BEHIND_INTERVALS = 3;
const BEHIND_AT_LEAST_MS = 3_000;
const HAND_MS = 200;
/** The longest wait between two tries. */
const RETRY_AT_MOST_S = 10;
/** A loss shorter than this is not reported. */
const MISSED_MS = 1_000;

/**
 * @param now monotonic time, for measuring.
 * @param wall wall-clock time, for display.
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
  /** When the connection opened or the window was reset: the wait for the first tick starts here. */
  const [begun, setBegun] = createSignal(now());
  const [moment, setMoment] = createSignal(now());
  const [time, setTime] = createSignal(wall());

  const connected = () => link().connected;

  /** Whole seconds to the next try; null if none is scheduled. */
  const retryIn = createMemo(() => {
    const at = link().retryAt;
    return at === null ? null : Math.min(RETRY_AT_MOST_S, Math.max(0, Math.ceil((at - moment()) / 1000)));
  });

  /** Whole seconds that the newest tick is late, 0 if within the limit. */
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

  /** Update the time, but not on each of sixty ticks a second: it is read in seconds. */
  function elapse(): void {
    if (Math.abs(now() - moment()) < HAND_MS) return;
    setMoment(now());
    setTime(wall());
  }

  return {
    apply,
    /** Call it about once a second while the page is visible. */
    elapse,
    /** The viewer's wall-clock time, for display. */
    time,
    /** The server's time in milliseconds since 1970; the viewer's while that is unknown. */
    serverTime: () => (Number.isFinite(skewMs()) ? moment() - skewMs() : time()),
    connected,
    /** Whether a connection has succeeded or failed yet. */
    tried: () => link().tried,
    /** Why the WebSocket fails, if known. */
    trouble,
    retryIn,
    retry,
    behind,
    /** Whether the connection has been down long enough to report. */
    lost,
    /** Whether the page shows outdated values: none has arrived for too long. */
    stale: createMemo(() => Number.isFinite(newest()) && (lost() || behind() > 0)),
    /** Whether the page shows current values. */
    live: () => connected() && behind() === 0,
    /** The newest tick's own time, milliseconds since 1970; NaN before the first. */
    newest,
  };
}

export type ConnectionStore = ReturnType<typeof createConnectionStore>;
