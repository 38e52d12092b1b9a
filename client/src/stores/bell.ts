/**
 * Notifications and sounds for alerts that fire in the background: off until the viewer turns them on, and
 * remembered. Alerts that fire close together make one notification and one sound. The browser's functions
 * are arguments; it must not know the document.
 */
import { createSignal } from "solid-js";
import type { Tone } from "../alerts/sound";
import type { Clock } from "../time/clock";
import type { Alert } from "../types.gen";

/** `unsupported`: the browser has no notifications, or blocks them outside a secure context. */
export type Permission = NotificationPermission | "unsupported";

export interface BellOptions {
  clock: Clock;
  load(): boolean;
  save(on: boolean): void;
  permission(): Permission;
  /** Ask the viewer for permission. */
  ask(): Promise<Permission>;
  /** Show one notification for alerts: at least one. */
  notify(alerts: readonly Alert[]): void;
  /** Unlock sound, during a click or key press. */
  prepare(): void;
  ring(tone: Tone): void;
  /** Whether an alert still fires. */
  isFiring(id: string): boolean;
}

const GATHER_MS = 500;
/** Minimum time between sounds, so that a flapping alert does not ring constantly. */
const SILENT_MS = 5_000;

/** The alerts worth a notification: above info, not acknowledged, not silenced. */
function urgent(alerts: readonly Alert[]): Alert[] {
  return alerts.filter(
    ({ severity, acknowledged, silenced }) =>
      severity !== "info" && acknowledged === undefined && silenced === undefined,
  );
}

export function createBellStore(options: BellOptions) {
  const [on, setOn] = createSignal(options.load());
  const [permission, setPermission] = createSignal(options.permission());
  let waiting: Alert[] = [];
  let rung = Number.NEGATIVE_INFINITY;

  function tell(): void {
    const alerts = waiting.filter(({ id }) => options.isFiring(id));
    waiting = [];
    if (!on() || alerts.length === 0) return;
    if (permission() === "granted") options.notify(alerts);
    const now = options.clock.now();
    if (now - rung < SILENT_MS) return;
    rung = now;
    options.ring(alerts.some(({ severity }) => severity === "critical") ? "critical" : "warning");
  }

  function turn(next: boolean): void {
    setOn(next);
    options.save(next);
  }

  return {
    on,
    /** A note on what the browser blocks; empty if there is none. */
    note(): string {
      if (!on() || permission() === "granted") return "";
      if (permission() === "denied") return "The browser blocks notifications: sound only";
      return permission() === "default"
        ? "Notifications are not allowed yet: sound only"
        : "Sound only on this address";
    },
    async toggle(): Promise<void> {
      turn(!on());
      if (!on()) return;
      options.prepare();
      setPermission(await options.ask());
    },
    /** Gather alerts that fired in the background, and notify soon. */
    take(alerts: readonly Alert[]): void {
      const wanted = urgent(alerts);
      if (!on() || wanted.length === 0) return;
      if (waiting.length === 0) options.clock.after(GATHER_MS, tell);
      waiting.push(...wanted);
    },
    /** Call it on viewer input: the browser then allows sound. */
    touched: () => void (on() && options.prepare()),
    /** Reload the setting after another tab changed it. */
    reload(): void {
      setOn(options.load());
      setPermission(options.permission());
    },
  };
}

export type BellStore = ReturnType<typeof createBellStore>;
