/**
 * Reuses the old list and items when a list is recomputed, so that dependents see no change and the page does
 * not rebuild elements. Pure.
 */

/** Return the old list if the new one has identical items in the same order, else the new one. */
export function kept<T>(before: readonly T[] | undefined, after: readonly T[]): readonly T[] {
  const same = before?.length === after.length && after.every((item, i) => item === before[i]);
  return same ? before : after;
}

/** Return the new list with old items wherever the content is equal; the old list if all are equal. */
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
