/**
 * Reduce the points of a line to the width of a plot. Pure. With more ticks than pixels, each pixel keeps its
 * lowest and highest value in their original order, so no peak is lost.
 *
 *   ticks    . ' . : ' | . . '       9 ticks, 3 pixels
 *   points   . '   . |   . '         2 of each
 */

/** A ring of `ticks` ticks: the oldest is at `oldest`, and the last slot is followed by the first. */
export interface Ring {
  times: Float64Array;
  oldest: number;
  ticks: number;
}

/** The lowest and the highest value of each bucket, in slots of the ring; NaN where it has no value. */
export interface Band {
  lows: Float64Array;
  highs: Float64Array;
}

/**
 * The indices of what is far among distances: `times` the average of as many as `around` on both sides and
 * `atLeast`, or in any case `least`.
 */
export function farAmong(
  distances: Float64Array,
  { times, around, atLeast, least }: { times: number; around: number; atLeast: number; least: number },
): number[] {
  const found: number[] = [];
  const { length } = distances;
  let [sum, from, to] = [0, 0, 0];
  for (let i = 0; i < length; i++) {
    while (to < length && to <= i + around) sum += distances[to++];
    while (from < i - around) sum -= distances[from++];
    const usual = (sum - distances[i]) / Math.max(1, to - from - 1);
    if (distances[i] >= Math.min(least, Math.max(atLeast, times * usual))) found.push(i);
  }
  return found;
}

/** The index of the tick nearest to a time, oldest first. */
export function nearestTick({ times, oldest, ticks }: Ring, time: number): number {
  const at = (index: number): number => times[(oldest + index) % times.length];
  let [low, high] = [0, ticks - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < time) low = middle + 1;
    else high = middle;
  }
  return low > 0 && time - at(low - 1) < at(low) - time ? low - 1 : low;
}

/** The points of one line, in arrays that are reused for the next. NaN marks a gap. */
export class Points {
  length = 0;
  times = new Float64Array(256);
  values = new Float64Array(256);

  /** Read all ticks of a ring, or two per pixel if there are more than that. */
  take(ring: Ring, values: Float64Array, spanMs: number, pixels: number): void {
    this.length = 0;
    const { ticks } = ring;
    if (ticks > 2 * pixels)
      this.#takeReduced(ring, { lows: values, highs: values }, spanMs / Math.max(1, pixels));
    else this.#takeAll(ring, values);
  }

  /** Read the extremes of all buckets, or of each pixel if there are more. */
  takeBand(ring: Ring, band: Band, spanMs: number, pixels: number): void {
    this.length = 0;
    this.#takeReduced(ring, band, spanMs / Math.max(1, pixels));
  }

  #takeAll({ times, oldest, ticks }: Ring, values: Float64Array): void {
    const capacity = times.length;
    this.#reserve(ticks);
    for (let i = 0, slot = oldest; i < ticks; i++) {
      this.times[i] = times[slot];
      this.values[i] = values[slot];
      if (++slot === capacity) slot = 0;
    }
    this.length = ticks;
  }

  /** Pixels start at whole multiples of `pixelMs`, so that a point keeps its value as it moves. */
  #takeReduced({ times, oldest, ticks }: Ring, { lows, highs }: Band, pixelMs: number): void {
    const capacity = times.length;
    let pixel = Number.NaN;
    let low = Number.NaN;
    let high = Number.NaN;
    let lowTime = 0;
    let highTime = 0;
    for (let i = 0, slot = oldest; i < ticks; i++) {
      const time = times[slot];
      const [least, most] = [lows[slot], highs[slot]];
      if (++slot === capacity) slot = 0;
      const here = Math.floor(time / pixelMs);
      if (here !== pixel) {
        if (i > 0) this.#close(low, lowTime, high, highTime);
        pixel = here;
        low = high = Number.NaN;
        lowTime = highTime = time;
      }
      if (!(least >= low) && !Number.isNaN(least)) {
        low = least;
        lowTime = time;
      }
      if (!(most <= high) && !Number.isNaN(most)) {
        high = most;
        highTime = time;
      }
    }
    if (ticks > 0) this.#close(low, lowTime, high, highTime);
  }

  #close(low: number, lowTime: number, high: number, highTime: number): void {
    if (lowTime <= highTime) this.#push(lowTime, low);
    if (low !== high && !Number.isNaN(low)) this.#push(highTime, high);
    if (lowTime > highTime) this.#push(lowTime, low);
  }

  #push(time: number, value: number): void {
    if (this.length === this.times.length) this.#reserve(2 * this.length);
    this.times[this.length] = time;
    this.values[this.length++] = value;
  }

  #reserve(length: number): void {
    if (this.times.length >= length) return;
    const [times, values] = [this.times, this.values];
    this.times = new Float64Array(length);
    this.values = new Float64Array(length);
    this.times.set(times);
    this.values.set(values);
  }
}
