/** The text of one notification for any number of alerts that fire in the background. Pure. */
import { formatCount } from "../format";
import type { Alert } from "../types.gen";

export interface Announcement {
  title: string;
  body: string;
}

const NAMED = 3;

/** @param alerts at least one. */
export function announce(alerts: readonly Alert[], board: string): Announcement {
  const worst = alerts.toSorted(
    (a, b) => Number(b.severity === "critical") - Number(a.severity === "critical"),
  );
  if (worst.length === 1) {
    return { title: `${worst[0].severity.toUpperCase()}: ${worst[0].message}`, body: board };
  }
  const critical = worst.filter(({ severity }) => severity === "critical").length;
  const parts = [
    critical > 0 ? `${formatCount(critical)} critical` : "",
    critical < worst.length ? `${formatCount(worst.length - critical)} warning` : "",
  ];
  const lines = worst.slice(0, NAMED).map(({ message }) => message);
  if (worst.length > NAMED) lines.push(`and ${formatCount(worst.length - NAMED)} more`);
  return { title: `${board}: ${parts.filter(Boolean).join(", ")}`, body: lines.join("\n") };
}
