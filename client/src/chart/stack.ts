/**
 * Stacked lines, in the slots of a ring. Pure. A line without a value adds nothing; where no line has a value
 * there is a gap, not a zero.
 */
type Column = Float64Array | undefined;

/** Reset the sums: zero at each tick, NaN where no line has a value. */
export function beginStack(columns: readonly Column[], sums: Float64Array): void {
  for (let slot = 0; slot < sums.length; slot++) {
    sums[slot] = columns.some((values) => values !== undefined && !Number.isNaN(values[slot]))
      ? 0
      : Number.NaN;
  }
}

/** Add a line on top. */
export function addToStack(values: Column, sums: Float64Array): void {
  if (values === undefined) return;
  for (let slot = 0; slot < sums.length; slot++) sums[slot] += values[slot] || 0;
}

/** The lowest and highest point of a stack, NaN if there is no value. */
export function stackExtent(columns: readonly Column[], sums: Float64Array): [low: number, high: number] {
  let [low, high] = [Number.NaN, Number.NaN];
  beginStack(columns, sums);
  for (const values of columns) {
    addToStack(values, sums);
    for (const sum of sums) {
      if (sum < low || Number.isNaN(low)) low = sum;
      if (sum > high || Number.isNaN(high)) high = sum;
    }
  }
  return [low, high];
}
