/**
 * Shorten long names that stand side by side to their distinguishing parts. Pure. It cuts the common start
 * and end at word edges, then the middle of texts that are still too long. Different names stay different: if
 * two would look the same, all stay whole.
 *
 *   dc-frankfurt-hall-b-rack-0001-node-a.example.net   …frankfurt-hall-b-rack-0001…
 *   dc-frankfurt-hall-b-rack-0002-node-a.example.net   …frankfurt-hall-b-rack-0002…
 */
import { differing } from "./cardText";

export const LONGEST = 28;

const isWord = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text[at] ?? "");

/** Count the characters that all texts share, from one end. */
function sharedLength(texts: readonly string[], at: (text: string, i: number) => string | undefined): number {
  const shortest = Math.min(...texts.map(({ length }) => length));
  let count = 0;
  while (count < shortest && texts.every((text) => at(text, count) === at(texts[0], count))) count++;
  return count;
}

/** Find the word edge at or before a position, or at or after it. */
function edge(text: string, place: number, step: -1 | 1): number {
  let at = place;
  const inside = () => at > 0 && at < text.length && isWord(text, at - 1) && isWord(text, at);
  while (inside()) at += step;
  return at;
}

/** Find the next word edge beyond a position. */
const beyond = (text: string, place: number, step: -1 | 1): number => {
  let at = place + step;
  while (at > 0 && at < text.length && !isWord(text, step === -1 ? at : at - 1)) at += step;
  return edge(text, Math.min(text.length, Math.max(0, at)), step);
};

function cutMiddle(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const kept = longest - 1;
  return `${text.slice(0, Math.ceil(kept / 2))}…${text.slice(text.length - Math.floor(kept / 2))}`;
}

/** @param longest if no text is longer, all stay as they are. */
export function distinct(texts: readonly string[], longest = LONGEST): string[] {
  const different = new Set(texts);
  if (different.size < 2 || texts.every(({ length }) => length <= longest)) return [...texts];
  const all = [...different];
  const prefix = sharedLength(all, (text, i) => text[i]);
  const most = Math.min(...all.map(({ length }) => length)) - prefix;
  const suffix = Math.min(
    most,
    sharedLength(all, (text, i) => text[text.length - 1 - i]),
  );
  const short = new Map(all.map((text) => [text, shorten(text, prefix, text.length - suffix, longest)]));
  return new Set(short.values()).size < all.length
    ? [...texts]
    : texts.map((text) => short.get(text) ?? text);
}

/** Keep the differing part of a text and as many whole words around it as fit. */
function shorten(text: string, from: number, to: number, longest: number): string {
  let [start, end] = [edge(text, from, -1), edge(text, to, 1)];
  const room = longest - 2;
  for (;;) {
    const [before, after] = [beyond(text, start, -1), beyond(text, end, 1)];
    if (start > 0 && end - before <= room) start = before;
    else if (end < text.length && after - start <= room) end = after;
    else break;
  }
  const middle = cutMiddle(text.slice(start, end), room);
  return `${start > 0 ? "…" : ""}${middle}${end < text.length ? "…" : ""}`;
}

/** The common start and end of some names, and the rest of each name. */
export interface Shared {
  before: string;
  after: string;
  parts: readonly string[];
}

/** A shorter common part is not worth cutting. */
const WORTH_SAYING = 4;

/** Cut the common start and end of all names at word edges. Cut nothing if a name would become empty. */
export function factored(texts: readonly string[]): Shared {
  const none = { before: "", after: "", parts: texts };
  const all = [...new Set(texts)];
  if (all.length < 2) return none;
  const least = Math.min(...all.map(({ length }) => length));
  const prefix = sharedLength(all, (text, i) => text[i]);
  const suffix = Math.min(
    least - prefix,
    sharedLength(all, (text, i) => text[text.length - 1 - i]),
  );
  // The outermost word edge in any of the names.
  const from = Math.min(...all.map((text) => edge(text, prefix, -1)));
  const to = Math.min(...all.map((text) => text.length - edge(text, text.length - suffix, 1)));
  if (from + to < WORTH_SAYING || least - from - to < 1) return none;
  return {
    before: all[0].slice(0, from),
    after: all[0].slice(all[0].length - to),
    parts: texts.map((text) => text.slice(from, text.length - to)),
  };
}

/** The common and the distinguishing parts of a chart's series. */
export interface Named {
  /** The common part, `pod = checkout-[…]`; empty if there is none. */
  common: string;
  /** The names of the labels that differ, `pod`. */
  what: string;
  /** The distinguishing part of each series, in order. */
  parts: readonly string[];
}

/** Name series by their labels, with the common part stated once. */
export function named(labels: readonly Readonly<Record<string, string>>[]): Named {
  const keys = [...new Set(labels.flatMap((each) => Object.keys(each)))];
  const differ = differing(labels);
  const constant = keys.filter((key) => labels.every((each) => each[key] === labels[0][key]));
  const columns = differ.map((key) => ({ key, ...factored(labels.map((each) => each[key] ?? "")) }));
  const said = columns
    .filter(({ before, after }) => before !== "" || after !== "")
    .map(({ key, before, after }) => `${key} = ${before}[…]${after}`);
  return {
    common: [...constant.map((key) => `${key} = ${labels[0][key]}`), ...said].join(", "),
    what: differ.join(" / "),
    parts: labels.map((_, i) => columns.map(({ parts }) => parts[i]).join(" / ")),
  };
}
