/**
 * Long names that stand beside each other, shortened to what tells them apart. Pure. What they share at the beginning
 * and at the end is cut, at the edge of a word, and of what is too long then the middle. Two that differ never look
 * the same: where they would, they are left whole.
 *
 *   dc-frankfurt-hall-b-rack-0001-node-a.example.net   …frankfurt-hall-b-rack-0001…
 *   dc-frankfurt-hall-b-rack-0002-node-a.example.net   …frankfurt-hall-b-rack-0002…
 */
export const LONGEST = 28;

const isWord = (text: string, at: number): boolean => /[\p{L}\p{N}]/u.test(text[at] ?? "");

/** How many characters all texts share, from one end. */
function sharedLength(texts: readonly string[], at: (text: string, i: number) => string | undefined): number {
  const shortest = Math.min(...texts.map(({ length }) => length));
  let count = 0;
  while (count < shortest && texts.every((text) => at(text, count) === at(texts[0], count))) count++;
  return count;
}

/** The edge of a word at or before a place, or at or after it. */
function edge(text: string, place: number, step: -1 | 1): number {
  let at = place;
  const inside = () => at > 0 && at < text.length && isWord(text, at - 1) && isWord(text, at);
  while (inside()) at += step;
  return at;
}

/** The next edge of a word beyond one. */
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

/** @param longest a text up to here stays as it is, if all others do. */
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

/** The part of a text in which it differs, with as many whole words around it as there is room for. */
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

/** What a number of names share, said once, and what is left of each. */
export interface Shared {
  before: string;
  after: string;
  parts: readonly string[];
}

/** Less is not worth saying elsewhere. */
const WORTH_SAYING = 4;

/** The names without what all of them share at their edges, cut between words; nothing is cut when a name would vanish. */
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
  // The outermost edge of a word in any of the names.
  const from = Math.min(...all.map((text) => edge(text, prefix, -1)));
  const to = Math.min(...all.map((text) => text.length - edge(text, text.length - suffix, 1)));
  if (from + to < WORTH_SAYING || least - from - to < 1) return none;
  return {
    before: all[0].slice(0, from),
    after: all[0].slice(all[0].length - to),
    parts: texts.map((text) => text.slice(from, text.length - to)),
  };
}

/** How the series of a chart are told apart. */
export interface Named {
  /** What all have in common, `pod = checkout-[…]`; empty when that is nothing. */
  common: string;
  /** The labels that differ, `pod`. */
  what: string;
  /** What is left for each, in their order. */
  parts: readonly string[];
}

/** Tell series apart by their labels: what they share is said once. */
export function named(labels: readonly Readonly<Record<string, string>>[]): Named {
  const keys = [...new Set(labels.flatMap((each) => Object.keys(each)))];
  const differing = keys.filter((key) => labels.some((each) => each[key] !== labels[0][key]));
  const constant = keys.filter((key) => !differing.includes(key));
  const columns = differing.map((key) => ({ key, ...factored(labels.map((each) => each[key] ?? "")) }));
  const said = columns
    .filter(({ before, after }) => before !== "" || after !== "")
    .map(({ key, before, after }) => `${key} = ${before}[…]${after}`);
  return {
    common: [...constant.map((key) => `${key} = ${labels[0][key]}`), ...said].join(", "),
    what: differing.join(" / "),
    parts: labels.map((_, i) => columns.map(({ parts }) => parts[i]).join(" / ")),
  };
}
