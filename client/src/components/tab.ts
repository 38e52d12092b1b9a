/**
 * The browser tab's title and icon: the alerts that fire now, whatever time the page shows, a stale page, or a
 * board that waits for data.
 */
import { createEffect, createMemo } from "solid-js";
import { formatTime, plural } from "../format";
import icon from "../icon.svg?raw";
import { useStores } from "./context";
import { later } from "./LoadedPart";

const plainIcon = document.querySelector<HTMLLinkElement>("link[rel=icon]")?.href ?? "";

/** Whether the board has no metric yet. */
export function useWaiting(): () => boolean {
  const { board, stats } = useStores();
  return createMemo(() => {
    const { metrics, panels } = board.board() ?? {};
    return stats.loaded() && metrics?.length === 0 && panels?.length === 0;
  });
}

/** The count of firing critical alerts or, without any, of warnings. A tab has room for one number. */
function useUrgent(): () => { count: number; severity: "critical" | "warning" } | null {
  const { alerts } = useStores();
  return () => {
    for (const severity of ["critical", "warning"] as const) {
      const count = alerts.countNow(severity);
      if (count > 0) return { count, severity };
    }
    return null;
  };
}

export function useTab(waiting: () => boolean): void {
  const { board, connection } = useStores();
  const urgent = useUrgent();
  createEffect(() => {
    const title = board.title();
    const { count = 0, severity = "critical" } = urgent() ?? {};
    const what = severity === "critical" ? `${count}` : `${count} ${plural(count, "warning")}`;
    if (connection.stale()) document.title = `Stale since ${formatTime(connection.newest())} · ${title}`;
    else if (waiting()) document.title = `${title}: waiting for the first value`;
    else document.title = count > 0 ? `(${what}) ${title}` : title;
  });
  createEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    const icons = later();
    if (link === null || icons === undefined) return;
    const { count = 0, severity = "critical" } = urgent() ?? {};
    let address = count > 0 ? icons.badged(icon, count, severity) : plainIcon;
    if (connection.stale()) address = icons.marked(icon, "stale");
    else if (waiting()) address = icons.marked(icon, "waiting");
    if (link.href !== address) link.href = address;
  });
}
