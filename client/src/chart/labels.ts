/**
 * Place the labels at the lines' ends: each as near to its line as possible, without overlap. Pure.
 *
 *   ends     ─────────── a          labels   ── a
 *            ─────────── b                   ── b
 *            ─────────── c                   ── c
 */

/**
 * Move labels apart and return their positions, in the same order.
 *
 * @param wanted the preferred positions, in any order.
 * @param gap the least distance between two labels.
 * @param low the first allowed position; if the labels do not all fit, they start there.
 * @param high the last allowed position.
 */
export function pushApart(wanted: readonly number[], gap: number, low: number, high: number): number[] {
  const order = [...wanted.keys()].sort((a, b) => wanted[a] - wanted[b] || a - b);
  const groups: { place: number; count: number }[] = [];
  for (const i of order) {
    // A group is centred on the average of its labels' preferred positions; groups that touch merge.
    let group = { place: Math.min(high, Math.max(low, wanted[i])), count: 1 };
    for (let last = groups.at(-1); last !== undefined && overlap(last, group, gap); last = groups.at(-1)) {
      groups.pop();
      const count = last.count + group.count;
      const place = (last.place * last.count + group.place * group.count) / count;
      group = { place: within(place, count, gap, low, high), count };
    }
    groups.push(group);
  }
  const places = new Array<number>(wanted.length);
  let next = 0;
  for (const { place, count } of groups) {
    for (let i = 0; i < count; i++) places[order[next++]] = place + (i - (count - 1) / 2) * gap;
  }
  return places;
}

type Group = { place: number; count: number };

function overlap(one: Group, other: Group, gap: number): boolean {
  return other.place - one.place < ((one.count + other.count) / 2) * gap - 1e-9;
}

function within(place: number, count: number, gap: number, low: number, high: number): number {
  const half = ((count - 1) / 2) * gap;
  return Math.max(low + half, Math.min(high - half, place));
}
