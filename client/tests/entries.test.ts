/** What the feed draws: what fires apart from what is over, each once, and of many what the worst of them is. */
import { describe, expect, it } from "vitest";
import {
  activeOf,
  type Entry,
  firingEntries,
  isQuiet,
  recentEntries,
  silencedUntil,
} from "../src/alerts/entries";
import { type Episode, Episodes } from "../src/alerts/episodes";
import type { Alert } from "../src/types.gen";
import { alert, at } from "./world";

const episodes = (alerts: readonly Alert[]): Episode[] => {
  const known = new Episodes(1_000);
  known.take(alerts, false);
  return known.all;
};
const many = (count: number, more: (i: number) => Partial<Alert>): Alert[] =>
  Array.from({ length: count }, (_, i) => alert(`${i}`, { rule: "disk", ...more(i) }));
const ids = (entries: readonly Entry[]) => entries.map(({ lead }) => lead.alert.id);

describe("entries", () => {
  it("are what fires, the worst first and of one severity the first that fired", () => {
    const all = episodes([
      alert("info", { severity: "info", timestamp: at(9) }),
      alert("old", { timestamp: at(1) }),
      alert("new", { timestamp: at(2) }),
      alert("critical", { severity: "critical", timestamp: at(9) }),
    ]);
    expect(ids(firingEntries(all))).toEqual(["critical", "old", "new", "info"]);
  });

  it("stay in their order, and what is new comes after those of its severity", () => {
    const known = new Episodes(9);
    known.take([alert("b", { timestamp: at(5) }), alert("c", { timestamp: at(6) })], false);
    const before = firingEntries(known.all).map(({ id }) => id);
    known.take([alert("a", { timestamp: at(1) }), alert("x", { severity: "critical" })], false);
    expect(ids(firingEntries(known.all, before))).toEqual(["x", "b", "c", "a"]);
  });

  it("are what is over, what ended last first, though it began long ago, and at most so many", () => {
    const all = episodes([
      alert("long", { timestamp: at(0), resolved: at(100) }),
      ...Array.from({ length: 9 }, (_, i) => alert(`o${i}`, { timestamp: at(10 + i), resolved: at(50 + i) })),
    ]);
    expect(ids(recentEntries(all, 3))).toEqual(["long", "o8", "o7"]);
  });

  it("are one for a rule, with its worst series first, be they two or ten thousand", () => {
    const all = episodes(many(10_000, (i) => ({ value: 91, peak: 90 + (i % 1_000) / 100, threshold: 90 })));
    const [group, cpu] = firingEntries([...all, ...episodes([alert("cpu", { timestamp: at(9) })])]);
    expect([cpu.total, cpu.lead.alert.id]).toEqual([1, "cpu"]);
    expect(group).toMatchObject({ total: 10_000, firing: true });
    expect(group.lead.alert.peak).toBe(99.99);
    expect(group.episodes[1].alert.peak).toBe(99.99);
    expect(firingEntries(episodes(many(2, () => ({}))))).toHaveLength(1);
  });

  it("keep a rule's place from one series to many and back", () => {
    const id = (count: number) => firingEntries(episodes(many(count, () => ({}))))[0].id;
    expect(id(1)).toBe(id(3));
  });

  it("are two for two severities of one rule", () => {
    const severities = ["critical", "warning"] as const;
    expect(firingEntries(episodes(many(2, (i) => ({ severity: severities[i] }))))).toHaveLength(2);
  });

  it("have the least as the worst where a rule fires below its threshold", () => {
    const [group] = firingEntries(episodes(many(9, (i) => ({ value: 5 + i, threshold: 20 }))));
    expect(group.lead.alert.value).toBe(5);
  });

  it("count what fires of a rule, and have what has ended last", () => {
    const known = new Episodes(9);
    known.take(
      many(8, (i) => ({ value: i })),
      false,
    );
    known.take([alert("7", { rule: "disk", value: 7, resolved: at(9) })], false);
    const [firing] = firingEntries(known.all);
    expect([firing.total, firing.firing, firing.lead.alert.id]).toEqual([7, true, "6"]);
    expect(firing.episodes.map((episode) => episode.alert.id)).toEqual([
      "6",
      "5",
      "4",
      "3",
      "2",
      "1",
      "0",
      "7",
    ]);
  });

  it("have the newest as what speaks for all that are over", () => {
    const all = episodes(many(14, (i) => ({ timestamp: at(i), resolved: at(20 + i), value: 100 - i })));
    const [row] = recentEntries(all, 50);
    expect([row.total, row.firing, row.lead.alert.id]).toEqual([14, false, "13"]);
    expect(row).toMatchObject({ began: 0, fired: 0, ended: 33_000 });
  });

  it("last from the first beginning and the first firing", () => {
    const more = (i: number) => ({ timestamp: at(10 + i), started: at(5 + i) });
    expect(firingEntries(episodes(many(7, more)))[0]).toMatchObject({ began: 5_000, fired: 10_000 });
  });

  it("take an alert without a value as the least bad", () => {
    const [group] = firingEntries(episodes(many(7, (i) => (i === 3 ? { value: 1 } : {}))));
    expect(group.lead.alert.id).toBe("3");
  });
});

describe("what somebody did about an entry", () => {
  const now = Date.parse(at(100));
  const silenced = (seconds: number) => ({
    silenced: { rule: "disk", until: at(seconds), reason: "planned", timestamp: at(50) },
  });
  const acknowledged = { acknowledged: { timestamp: at(50) } };
  const active = (...alerts: Alert[]) => activeOf(firingEntries(episodes(alerts))[0]);
  const one = (id: string, value: number, more: Partial<Alert> = {}) =>
    alert(id, { rule: "disk", value, ...more });

  it("counts for it when it was done to all that fire, not only to the worst", () => {
    const part = active(one("worst", 99, silenced(200)), one("other", 95));
    expect([silencedUntil(part, now), isQuiet(part, now)]).toEqual([null, false]);
    const all = active(one("worst", 99, silenced(300)), one("other", 95, silenced(200)));
    expect([silencedUntil(all, now), isQuiet(all, now)]).toEqual([Date.parse(at(200)), true]);
    expect([silencedUntil(all, Date.parse(at(250))), isQuiet(all, Date.parse(at(250)))]).toEqual([
      null,
      false,
    ]);
    const mixed = active(one("worst", 99, silenced(200)), one("other", 95, acknowledged));
    expect([silencedUntil(mixed, now), isQuiet(mixed, now)]).toEqual([null, true]);
  });

  it("does not depend on what of it is over, until all is", () => {
    const over = one("over", 95, { resolved: at(90) });
    expect(active(one("fires", 99), over).map(({ id }) => id)).toEqual(["fires"]);
    expect(active(over).map(({ id }) => id)).toEqual(["over"]);
  });
});
