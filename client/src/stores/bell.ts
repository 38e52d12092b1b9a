/**
 * Whether alerts draw attention to themselves while nobody looks: off until the viewer says so, and remembered. Those
 * that fire close together are one notification and one sound. It takes the browser's abilities as arguments; it must
 * not know the document.
 */
import { createSignal } from "solid-js";
import { type Announcement, announce, urgent } from "../alerts/announcement";
import type { Tone } from "../alerts/sound";
import type { Clock } from "../time/clock";
import type { Alert } from "../types.gen";

/** `unsupported`: the browser has no notifications, or none for a page that did not come securely. */
export type Permission = NotificationPermission | "unsupported";

export interface BellOptions {
  clock: Clock;
  load(): boolean;
  save(on: boolean): void;
  permission(): Permission;
  /** Ask the viewer. */
  ask(): Promise<Permission>;
  notify(announcement: Announcement): void;
  /** Be ready to make a sound: the viewer has just touched the page. */
  prepare(): void;
  ring(tone: Tone): void;
  board(): string;
  /** Whether an alert still fires and is not put away. */
  isFiring(id: string): boolean;
}

const GATHER_MS = 500;
/** What fires again and again is seen on the page; it must not ring all the time. */
const SILENT_MS = 5_000;

export function createBellStore(options: BellOptions) {
  const [on, setOn] = createSignal(options.load());
  const [permission, setPermission] = createSignal(options.permission());
  let waiting: Alert[] = [];
  let rung = Number.NEGATIVE_INFINITY;

  function tell(): void {
    const alerts = waiting.filter(({ id }) => options.isFiring(id));
    waiting = [];
    if (!on() || alerts.length === 0) return;
    if (permission() === "granted") options.notify(announce(alerts, options.board()));
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
    /** What the viewer should know of what the browser allows; empty when there is nothing to say. */
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
    /** Alerts that fire while nobody looks. */
    take(alerts: readonly Alert[]): void {
      const wanted = urgent(alerts);
      if (!on() || wanted.length === 0) return;
      if (waiting.length === 0) options.clock.after(GATHER_MS, tell);
      waiting.push(...wanted);
    },
    /** The viewer has touched the page: from now on it may be heard. */
    touched: () => void (on() && options.prepare()),
    /** Another tab has turned it on or off. */
    reload(): void {
      setOn(options.load());
      setPermission(options.permission());
    },
  };
}

export type BellStore = ReturnType<typeof createBellStore>;
