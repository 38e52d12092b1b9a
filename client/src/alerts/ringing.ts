/**
 * What a bell that is on needs: the sound, and one notification that replaces the last. Loaded when it is turned on.
 */
import type { Alert } from "../types.gen";
import { announce } from "./announcement";
import { Sound } from "./sound";

export const sound = new Sound();

/**
 * @param alerts at least one.
 * @param title the board's title.
 * @param board identifies the board, so that boards do not replace each other's notifications.
 */
export function showNotification(alerts: readonly Alert[], title: string, board: string): void {
  const announcement = announce(alerts, title);
  const more = { body: announcement.body, tag: `tickboard:${board}`, renotify: true };
  try {
    const shown = new Notification(announcement.title, more);
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // Phones show notifications only through a service worker, and this page has none.
  }
}
