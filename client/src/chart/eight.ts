/**
 * Which series have a colour, and their order. Pure. Up to eight have one each, in the order in which they appeared.
 * Of more, the highest have: a colour stays with its series for as long as it is shown, and goes to another only once
 * that has been among the highest for a while. The order changes now and then, and not at all while someone aims at it.
 */
import { COLORS } from "./palette";

/** A series gets a colour after so long among the highest. */
const SETTLED_MS = 10_000;
/** Rows that change places more often than this cannot be followed. */
const ORDER_EVERY_MS = 5_000;

export interface Ranks {
  /** All keys, the highest first. */
  order: readonly string[];
  /** The colours that are given. */
  colors: ReadonlyMap<string, number>;
}

/** What is not a number is lower than all that is. */
const rank = (value: number): number => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value);

export class Eight {
  private order: readonly string[] = [];
  private orderedAt = Number.NEGATIVE_INFINITY;
  private readonly colors = new Map<string, number>();
  /** Since when a series has been among the highest. */
  private readonly since = new Map<string, number>();
  private given: ReadonlyMap<string, number> = new Map();

  /**
   * The ranks at a time; the same objects while nothing changes.
   *
   * @param keys of all series.
   * @param value of one, by which they are ranked.
   * @param now in milliseconds.
   * @param held whether the order must stay: someone points at it.
   */
  update(keys: readonly string[], value: (key: string) => number, now: number, held: boolean): Ranks {
    return keys.length > COLORS ? this.ranked(keys, value, now, held) : this.few(keys);
  }

  private few(keys: readonly string[]): Ranks {
    const known = new Set(keys);
    if (keys.length !== this.order.length || keys.some((key, i) => key !== this.order[i]))
      this.order = [...keys];
    this.orderedAt = Number.NEGATIVE_INFINITY;
    this.color(keys, known, Number.NEGATIVE_INFINITY, true);
    return { order: this.order, colors: this.given };
  }

  private ranked(keys: readonly string[], value: (key: string) => number, now: number, held: boolean): Ranks {
    const known = new Set(keys);
    // A window that begins afresh may begin earlier.
    const due = Math.abs(now - this.orderedAt) >= ORDER_EVERY_MS && !held;
    const same = keys.length === this.order.length && this.order.every((key) => known.has(key));
    const highest = this.sorted(keys, value);
    if (due || this.order.length === 0) {
      this.order = same && highest.every((key, i) => key === this.order[i]) ? this.order : highest;
      this.orderedAt = now;
    } else if (!same) {
      // Who has gone leaves, and who is new comes last, until the order is made again.
      const before = new Set(this.order);
      this.order = [
        ...this.order.filter((key) => known.has(key)),
        ...highest.filter((key) => !before.has(key)),
      ];
    }
    this.color(highest.slice(0, COLORS), known, now, this.colors.size === 0);
    return { order: this.order, colors: this.given };
  }

  private sorted(keys: readonly string[], value: (key: string) => number): string[] {
    const values = new Map(keys.map((key) => [key, rank(value(key))]));
    const of = (key: string): number => values.get(key) as number;
    return [...keys].sort((a, b) => of(b) - of(a) || 0);
  }

  private color(highest: readonly string[], known: ReadonlySet<string>, now: number, atOnce: boolean): void {
    for (const key of this.colors.keys()) if (!known.has(key)) this.colors.delete(key);
    for (const key of this.since.keys()) if (!highest.includes(key)) this.since.delete(key);
    for (const key of highest) {
      const since = Math.min(this.since.get(key) ?? now, now);
      this.since.set(key, since);
      if (!this.colors.has(key) && (atOnce || now - since >= SETTLED_MS)) this.give(key, highest);
    }
    const changed =
      this.colors.size !== this.given.size ||
      [...this.colors].some(([key, color]) => this.given.get(key) !== color);
    if (changed) this.given = new Map(this.colors);
  }

  /** A free colour, or that of one that is not among the highest any more. */
  private give(key: string, highest: readonly string[]): void {
    const used = new Set(this.colors.values());
    let color = Array.from({ length: COLORS }, (_, i) => i).find((i) => !used.has(i));
    if (color === undefined) {
      const fallen = [...this.colors.keys()].find((other) => !highest.includes(other));
      if (fallen === undefined) return;
      color = this.colors.get(fallen) as number;
      this.colors.delete(fallen);
    }
    this.colors.set(key, color);
  }
}
