/**
 * What stays the same when a list is made again: who depends on a list or on one of its items then sees no change
 * where there is none, and what is on the page is not made anew. Pure.
 */

/** The list before when the new one has the very same items in the same order, else the new one. */
export function kept<T>(before: readonly T[] | undefined, after: readonly T[]): readonly T[] {
  const same = before?.length === after.length && after.every((item, i) => item === before[i]);
  return same ? before : after;
}

/** The new list with the items before wherever they say the same; the list before when all do. */
export function keptByContent<T>(before: readonly T[], after: readonly T[]): readonly T[] {
  const known = new Map<string, T[]>();
  for (const item of before) {
    const content = JSON.stringify(item);
    known.set(content, [...(known.get(content) ?? []), item]);
  }
  return kept(
    before,
    after.map((item) => known.get(JSON.stringify(item))?.shift() ?? item),
  );
}
