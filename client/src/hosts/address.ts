/** Addresses: of a host's own board, and what the table shows, in the page's own. */
import { type Shown, writeAddress } from "../time/range";
import type { Host } from "./model";

/** How much before its end is shown of a host that is gone. */
const BEFORE_GONE_MS = 900_000;

/** The address of a host's own board, below the wall's: at the same time, or at the end of one that is gone. */
export function boardOf(
  { name, since, state }: Pick<Host, "name" | "since" | "state">,
  shown: Shown,
): string {
  const end = state === "gone" && Number.isFinite(since) ? since : null;
  const at: Shown = end === null ? shown : { follows: false, from: end - BEFORE_GONE_MS, to: end };
  return `hosts/${encodeURIComponent(name)}/${at.follows ? "" : writeAddress("", at)}`;
}

export const readParameter = (name: string): string => new URLSearchParams(location.search).get(name) ?? "";

/** Keep a choice in the page's address, so that a link has it; an empty one is not there. */
export function writeParameter(name: string, value: string): void {
  const params = new URLSearchParams(location.search);
  if (value === "") params.delete(name);
  else params.set(name, value);
  // A flag such as `kiosk` stays a flag.
  const search = params.toString().replaceAll(/=(?=&|$)/g, "");
  history.replaceState(
    history.state,
    "",
    `${location.pathname}${search === "" ? "" : `?${search}`}${location.hash}`,
  );
}
