/**
 * Columns of the window in the form that uPlot draws: plain arrays, null for a gap (it takes NaN for a number),
 * sums where lines are stacked. Pure.
 */
export type Drawn = (number | null)[];

export function withNulls(column: Float64Array): Drawn {
  return Array.from(column, (value) => (Number.isFinite(value) ? value : null));
}

/** Each line on top of the ones before it. Where none has a value there is a gap, not a zero. */
export function stack(columns: readonly Float64Array[]): Drawn[] {
  const ticks = columns[0]?.length ?? 0;
  const drawn: Drawn[] = columns.map(() => new Array<number | null>(ticks).fill(null));
  for (let tick = 0; tick < ticks; tick++) {
    if (columns.every((column) => Number.isNaN(column[tick]))) continue;
    let sum = 0;
    columns.forEach((column, line) => {
      sum += column[tick] || 0;
      drawn[line][tick] = sum;
    });
  }
  return drawn;
}

/** Least and greatest of all lines, NaN when there is no value. */
export function extent(lines: readonly Drawn[]): [low: number, high: number] {
  let low = Number.NaN;
  let high = Number.NaN;
  for (const line of lines) {
    for (const value of line) {
      if (value === null) continue;
      if (!(value >= low)) low = value;
      if (!(value <= high)) high = value;
    }
  }
  return [low, high];
}

/** The ticks whose value has a gap on both sides: no line passes through them, so they are drawn as points. */
export function isolated(line: readonly (number | null | undefined)[]): number[] {
  const empty = (index: number) => line[index] === null || line[index] === undefined;
  return line.flatMap((_, i) => (!empty(i) && empty(i - 1) && empty(i + 1) ? [i] : []));
}
