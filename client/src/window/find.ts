/**
 * Word search: find the texts that contain all words of a query, best match first. Pure.
 *
 * A text that starts with the first word ranks above one with that word at the start of a later word, then
 * the rest.
 */

export interface Searched {
  /** Shown and searched. */
  text: string;
  /** Shown beside the text, and searched. */
  detail?: string;
  /** Searched but not shown, such as the name behind a title. */
  more?: string;
}

/** Split a query into lower-case words. */
export const wordsOf = (question: string): string[] => question.toLowerCase().split(/\s+/).filter(Boolean);

function rank(text: string, [first]: readonly string[]): number {
  const lower = text.toLowerCase();
  if (lower.startsWith(first)) return 0;
  const at = lower.indexOf(first);
  if (at === -1) return 3;
  return /[\p{L}\p{N}]/u.test(lower[at - 1]) ? 2 : 1;
}

/** At most `limit` items that contain all words; without words, the first `limit` items. */
export function found<T extends Searched>(items: readonly T[], words: readonly string[], limit: number): T[] {
  if (words.length === 0) return items.slice(0, limit);
  const matches = items.filter(({ text, detail = "", more = "" }) => {
    const all = `${text} ${detail} ${more}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
  const ranked = matches.map((item) => ({ item, rank: rank(item.text, words) }));
  return ranked
    .sort((one, other) => one.rank - other.rank)
    .slice(0, limit)
    .map(({ item }) => item);
}

/** Split a text at the query's words; the matches are at the odd indices. */
export function marked(text: string, words: readonly string[]): string[] {
  if (words.length === 0) return [text];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.sort((a, b) => b.length - a.length).join("|")})`, "i"));
}
