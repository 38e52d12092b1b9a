/**
 * Browser notifications: the permission, and one notification that replaces the last. They need a secure
 * context (HTTPS or localhost).
 */

import type { Permission } from "../stores/bell";
import type { Announcement } from "./announcement";

const supported = (): boolean => typeof Notification !== "undefined" && isSecureContext;

export const notificationPermission = (): Permission =>
  supported() ? Notification.permission : "unsupported";

export async function askToNotify(): Promise<Permission> {
  return supported() ? Notification.requestPermission() : "unsupported";
}

/** @param board identifies the board, so that boards do not replace each other's notifications. */
export function showNotification({ title, body }: Announcement, board: string): void {
  const more = { body, tag: `tickboard:${board}`, renotify: true };
  try {
    const shown = new Notification(title, more);
    shown.onclick = () => {
      window.focus();
      shown.close();
    };
  } catch {
    // Phones show notifications only through a service worker, and this page has none.
  }
}
