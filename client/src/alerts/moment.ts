/**
 * Alerts as they were at a moment, from what is known of them later: whether they fired, and whether somebody had
 * acknowledged or silenced them by then, as far as the last acknowledgement and the last silence tell. Pure.
 *
 *   alert     fired ──── acknowledged ──────────── resolved
 *   moment                              ▲ fires, acknowledged, no end and no peak yet
 */
import type { Alert } from "../types.gen";
import { type Episode, messageOf } from "./episodes";

/** When an alert changed: when it fired, first, and when it was acknowledged, silenced or resolved. */
function changesOf({ acknowledged, resolved, silenced, timestamp }: Alert): number[] {
  const times = [timestamp, acknowledged?.timestamp, silenced?.timestamp, resolved];
  return times.map((time) => Date.parse(time ?? "")).filter((time) => !Number.isNaN(time));
}

/** @param at a time at which the alert had fired. */
function episodeAt(alert: Alert, at: number): Episode {
  const { acknowledged, ended, peak, resolved, seen, silenced, ...rest } = alert;
  const before = (time: string | undefined): boolean => Date.parse(time ?? "") < at;
  const over = before(resolved);
  const then: Alert = { ...rest, message: messageOf(alert) };
  if (over) Object.assign(then, { ended, peak, resolved, seen });
  if (before(acknowledged?.timestamp)) then.acknowledged = acknowledged;
  if (before(silenced?.timestamp)) then.silenced = silenced;
  const fired = Date.parse(alert.timestamp);
  return {
    ...{ alert: then, state: over ? "resolved" : "firing", grouped: false },
    ...{ began: Date.parse(alert.started ?? "") || fired, fired },
    ended: over ? Date.parse(resolved ?? "") : Number.POSITIVE_INFINITY,
  };
}

/** The alerts of a range, for every moment in it. */
export class Moments {
  readonly #alerts: readonly { alert: Alert; changes: readonly number[] }[];
  /** The changes of all alerts, ascending. */
  readonly #changes: Float64Array;
  readonly #known = new Map<string, { changes: number; episode: Episode }>();
  #passed = -1;
  #last: readonly Episode[] = [];

  constructor(alerts: readonly Alert[]) {
    this.#alerts = alerts.map((alert) => ({ alert, changes: changesOf(alert) }));
    this.#changes = Float64Array.from(this.#alerts.flatMap(({ changes }) => changes)).sort();
  }

  /** The alerts that had fired before a moment; the same array and the same episodes while nothing changes. */
  at(moment: number): readonly Episode[] {
    const passed = countBefore(this.#changes, moment);
    if (passed === this.#passed) return this.#last;
    this.#passed = passed;
    this.#last = this.#alerts.flatMap(({ alert, changes: [fired, ...others] }) => {
      if (!(fired < moment)) return [];
      const changes = others.filter((time) => time < moment).length;
      const known = this.#known.get(alert.id);
      if (known?.changes === changes) return known.episode;
      const episode = episodeAt(alert, moment);
      this.#known.set(alert.id, { changes, episode });
      return episode;
    });
    return this.#last;
  }
}

/** How many of some ascending times are before a moment. */
function countBefore(times: Float64Array, moment: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}
