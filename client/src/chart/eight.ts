/**
 * The order of the series and which eight have a colour. Pure. Up to eight series get one each, in order of
 * appearance. With more, the highest get them: a colour moves to another series only after that one has been
 * among the highest for a while. The order changes every few seconds, and not while the viewer points at it.
 */
import { COLORS } from "./palette";

/** A series gets a colour after this long among the highest. */
const SETTLED_MS = 10_000;
/** Rows that reorder more often are hard to follow. */
const ORDER_EVERY_MS = 5_000;

export interface Ranks {
  /** All keys, highest first. */
  order: readonly string[];
  /** The colour of each series that has one. */
  colors: ReadonlyMap<string, number>;
}

/** Ranks NaN below every number. */
const rank = (value: number): number => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);

export class Eight {
  #order: readonly string[] = [];
  #orderedAt = Number.NEGATIVE_INFINITY;
  readonly #colors = new Map<string, number>();
  /** When a series joined the highest. */
  readonly #since = new Map<string, number>();
  #given: ReadonlyMap<string, number> = new Map();

  /**
   * Return the ranks at a time; the same objects while nothing changes.
   *
   * @param keys of all series.
   * @param value returns the number to rank a series by.
   * @param now in milliseconds.
   * @param held keeps the order, because the viewer points at it.
   */
  update(keys: readonly string[], value: (key: string) => number, now: number, held: boolean): Ranks {
    return keys.length > COLORS ? this.#ranked(keys, value, now, held) : this.#few(keys);
  }

  #few(keys: readonly string[]): Ranks {
    const known = new Set(keys);
    if (keys.length !== this.#order.length || keys.some((key, i) => key !== this.#order[i]))
      this.#order = [...keys];
    this.#orderedAt = Number.NEGATIVE_INFINITY;
    this.#color(keys, known, Number.NEGATIVE_INFINITY, true);
    return { order: this.#order, colors: this.#given };
  }

  #ranked(keys: readonly string[], value: (key: string) => number, now: number, held: boolean): Ranks {
    const known = new Set(keys);
    // A new window may start at an earlier time.
    const due = Math.abs(now - this.#orderedAt) >= ORDER_EVERY_MS && !held;
    const same = keys.length === this.#order.length && this.#order.every((key) => known.has(key));
    const highest = this.#sorted(keys, value);
    if (due || this.#order.length === 0) {
      this.#order = same && highest.every((key, i) => key === this.#order[i]) ? this.#order : highest;
      this.#orderedAt = now;
    } else if (!same) {
      // Until the next reordering, drop vanished series and append new ones.
      const before = new Set(this.#order);
      this.#order = [
        ...this.#order.filter((key) => known.has(key)),
        ...highest.filter((key) => !before.has(key)),
      ];
    }
    this.#color(highest.slice(0, COLORS), known, now, this.#colors.size === 0);
    return { order: this.#order, colors: this.#given };
  }

  #sorted(keys: readonly string[], value: (key: string) => number): string[] {
    const values = new Map(keys.map((key) => [key, rank(value(key))]));
    const of = (key: string): number => values.get(key) as number;
    return [...keys].sort((a, b) => of(b) - of(a) || 0);
  }

  #color(highest: readonly string[], known: ReadonlySet<string>, now: number, atOnce: boolean): void {
    for (const key of this.#colors.keys()) if (!known.has(key)) this.#colors.delete(key);
    for (const key of this.#since.keys()) if (!highest.includes(key)) this.#since.delete(key);
    for (const key of highest) {
      const since = Math.min(this.#since.get(key) ?? now, now);
      this.#since.set(key, since);
      if (!this.#colors.has(key) && (atOnce || now - since >= SETTLED_MS)) this.#give(key, highest);
    }
    const changed =
      this.#colors.size !== this.#given.size ||
      [...this.#colors].some(([key, color]) => this.#given.get(key) !== color);
    if (changed) this.#given = new Map(this.#colors);
  }

  /** Assign a free colour, or one of a series that is no longer among the highest. */
  #give(key: string, highest: readonly string[]): void {
    const used = new Set(this.#colors.values());
    let color = Array.from({ length: COLORS }, (_, i) => i).find((i) => !used.has(i));
    if (color === undefined) {
      const fallen = [...this.#colors.keys()].find((other) => !highest.includes(other));
      if (fallen === undefined) return;
      color = this.#colors.get(fallen) as number;
      this.#colors.delete(fallen);
    }
    this.#colors.set(key, color);
  }
}
