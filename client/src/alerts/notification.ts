/**
 * The browser's notifications: whether they are allowed, and one that takes the place of the one before. They exist
 * only on pages that came securely, or from this machine.
 */

import type { Permission } from "../stores/bell";
import type { Announcement } from "./announcement";

const supported = (): boolean => typeof Notification !== "undefined" && isSecureContext;

export const notificationPermission = (): Permission =>
  supported() ? Notification.permission : "unsupported";

export async function askToNotify(): Promise<Permission> {
  return supported() ? Notification.requestPermission() : "unsupported";
}

/** @param board what tells the notifications of one board from those of another. */
export function showNotification({ title, body }: Announcement, board: string): void {
  const more = { body, tag: `tickboard:${board}`, renotify: true };
  try {
    const shown = new Notification(title, more);
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // A phone shows them by a service worker alone, which this page has none of.
  }
}
