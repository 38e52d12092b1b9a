/**
 * Choose the highest of very many lines to draw. Pure. A line that stays keeps its place and its colour; a
 * new line takes a free place.
 */

/** Ranks NaN and infinities below every finite score. */
const rank = (score: number): number => (Number.isFinite(score) ? score : Number.NEGATIVE_INFINITY);

/**
 * The `limit` items with the highest scores, highest first except for those that keep their place.
 *
 * @param before the previous choice; it wins ties.
 */
export function highest<T>(
  items: readonly T[],
  score: (item: T) => number,
  limit: number,
  before: readonly T[] = [],
): T[] {
  if (items.length <= limit) return [...items];
  const scores = Float64Array.from(items, (item) => rank(score(item)));
  const least = scores.slice().sort()[scores.length - limit];
  const above = [...items.keys()]
    .filter((i) => scores[i] > least)
    .sort((one, other) => scores[other] - scores[one])
    .map((i) => items[i]);
  const equal = items.filter((_, i) => scores[i] === least);
  const was = new Set(before);
  const first = [...equal.filter((item) => was.has(item)), ...equal.filter((item) => !was.has(item))];
  return inPlace([...above, ...first.slice(0, limit - above.length)], before);
}

function inPlace<T>(chosen: readonly T[], before: readonly T[]): T[] {
  const wanted = new Set(chosen);
  const placed = new Set(before);
  const fresh = chosen.filter((item) => !placed.has(item));
  const places = before.map((item) => (wanted.has(item) ? item : fresh.shift()));
  return [...places.filter((item) => item !== undefined), ...fresh];
}
