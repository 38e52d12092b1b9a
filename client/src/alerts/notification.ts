/** The permission for browser notifications. They need a secure context (HTTPS or localhost). */
import type { Permission } from "../stores/bell";

const supported = (): boolean => typeof Notification !== "undefined" && isSecureContext;

export const notificationPermission = (): Permission =>
  supported() ? Notification.permission : "unsupported";

export async function askToNotify(): Promise<Permission> {
  return supported() ? Notification.requestPermission() : "unsupported";
}
