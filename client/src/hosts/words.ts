/** What is said of a host in few words. Pure. */
import { formatDuration, formatMinute, formatText, formatWhen } from "../format";
import type { Column, Host } from "./model";

/** A host is said to have restarted for this long. */
const RESTARTED_MS = 600_000;

/** `48.3` of a percentage, whose unit is in the head of its column; else `14.1 MB/s`. */
export function valueText(value: number, { limit, unit }: Pick<Column, "limit" | "unit">): string {
  const text = formatText(value, unit, limit > 0 ? [limit, 1.01 * limit] : undefined);
  return unit === "%" ? text.replace(/ ?%$/, "") : text;
}

/** `Mem` of `Memory`, `Disk` of `Disk Space`. */
export function wordOf(title: string): string {
  const [word] = title.split(" ");
  return word.length > 4 ? word.slice(0, 3) : word;
}

/** `mem 41`, `load 0.5` */
export function briefText(value: number, { title, unit }: Pick<Column, "title" | "unit">): string {
  const number = Number.isNaN(value) ? "–" : value.toFixed(unit === "%" ? 0 : 1);
  return `${title === title.toUpperCase() ? wordOf(title) : wordOf(title).toLowerCase()} ${number}`;
}

/** `gone 14:21:40`, or how long its machine, or else its board, has been up. @param isPast whether `now` is over. */
export function upText({ info, since, state }: Host, now: number, isPast = false): string {
  if (state === "gone") return Number.isFinite(since) ? `gone ${formatWhen(since, now)}` : "gone";
  if (state === "left") return "stopped";
  if (state === "waiting") return isPast ? "not known" : "waiting";
  const began = Date.parse(info?.booted || info?.started || "");
  return Number.isFinite(began) ? formatDuration(now - began) : "";
}

/** What is not usual: `restarted`, `clock +4.2 s`, `filling 14:02–14:09`, or what somebody has to fix. */
export function noteText({ info, state }: Host, now: number): string {
  if (info === undefined || state === "gone") return "";
  const { clock_s = 0, filling, problem, started = "" } = info;
  if (problem) return problem;
  if (filling)
    return `filling ${formatMinute(Date.parse(filling.from))}–${formatMinute(Date.parse(filling.to))}`;
  if (clock_s !== 0) return `clock ${clock_s > 0 ? "+" : "−"}${clockText(Math.abs(clock_s))}`;
  return now - Date.parse(started) < RESTARTED_MS ? "restarted" : "";
}

/** `4.2 s`, `3 min`. */
const clockText = (seconds: number): string =>
  seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(1000 * seconds);

/** `web-1`, `web-1 and web-2`, `web-1 and 3 others`. */
export function namesText(names: readonly string[]): string {
  if (names.length < 3) return names.join(" and ");
  return `${names[0]} and ${names.length - 1} others`;
}

/** What the names of all hosts end with, from a dot on: `.eu.example.net`; empty if they differ. */
export function sharedEnd(names: readonly string[]): string {
  const [first = ""] = names;
  const end = first.includes(".") ? first.slice(first.indexOf(".")) : "";
  return names.length > 1 &&
    names.every((name) => name.endsWith(end) && name.indexOf(".") === name.length - end.length)
    ? end
    : "";
}
