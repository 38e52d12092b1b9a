/**
 * Finding by words: which of many texts have all words of a question, the best first. Pure.
 *
 * A text that begins with the first word comes before one in which a word begins with it, and that before others.
 */

export interface Searched {
  /** What is shown and looked through. */
  text: string;
  /** What is shown beside it and looked through too. */
  detail?: string;
  /** What is looked through and not shown, as the name behind a title. */
  more?: string;
}

/** The words of a question, in lower case. */
export const wordsOf = (question: string): string[] => question.toLowerCase().split(/\s+/).filter(Boolean);

function rank(text: string, [first]: readonly string[]): number {
  const lower = text.toLowerCase();
  if (lower.startsWith(first)) return 0;
  const at = lower.indexOf(first);
  if (at === -1) return 3;
  return /[\p{L}\p{N}]/u.test(lower[at - 1]) ? 2 : 1;
}

/** The items that have all words, at most so many; all items where there are no words. */
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

/** A text in parts, those at odd places being words that were looked for. */
export function marked(text: string, words: readonly string[]): string[] {
  if (words.length === 0) return [text];
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.split(new RegExp(`(${escaped.sort((a, b) => b.length - a.length).join("|")})`, "i"));
}
