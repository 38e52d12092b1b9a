/** What the feed draws: what fires apart from what is over, each once, and of many what the worst of them is. */
import { describe, expect, it } from "vitest";
import { firingEntries, recentEntries } from "../src/alerts/entries";
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
const ids = (entries: readonly { id: string }[]) => entries.map(({ id }) => id);

describe("entries", () => {
  it("are what fires, the worst first and of one severity the newest", () => {
    const all = episodes([
      alert("info", { severity: "info", timestamp: at(9) }),
      alert("old", { timestamp: at(1) }),
      alert("new", { timestamp: at(2) }),
      alert("critical", { severity: "critical", timestamp: at(0) }),
      alert("over", { resolved: at(9) }),
    ]);
    expect(ids(firingEntries(all))).toEqual(["critical", "new", "old", "info"]);
  });

  it("are what is over, what ended last first, though it began long ago, and at most so many", () => {
    const all = episodes([
      alert("fires", { timestamp: at(1) }),
      alert("long", { timestamp: at(0), resolved: at(100) }),
      ...Array.from({ length: 9 }, (_, i) => alert(`o${i}`, { timestamp: at(10 + i), resolved: at(50 + i) })),
    ]);
    expect(ids(recentEntries(all, 3))).toEqual(["long", "o8", "o7"]);
  });

  it("are one for ten thousand series, with the worst and all of them", () => {
    const all = episodes(many(10_000, (i) => ({ value: 91, peak: 90 + (i % 1_000) / 100, threshold: 90 })));
    const [cpu, group] = firingEntries([...all, ...episodes([alert("cpu", { timestamp: at(9) })])]);
    expect(cpu.id).toBe("cpu");
    expect(group).toMatchObject({ id: "rule:disk", total: 10_000, firing: true });
    expect(group.worst.alert.peak).toBe(99.99);
    expect(group.episodes[0].alert.peak).toBe(99.99);
  });

  it("have the least as the worst where a rule fires below its threshold", () => {
    const [group] = firingEntries(episodes(many(9, (i) => ({ value: 5 + i, threshold: 20 }))));
    expect(group.worst.alert.value).toBe(5);
  });

  it("count of a group that has ended in part what fires and what is over apart", () => {
    const known = new Episodes(9);
    known.take(
      many(8, (i) => ({ value: i })),
      false,
    );
    known.take([alert("7", { rule: "disk", value: 7, resolved: at(9) })], false);
    const [firing] = firingEntries(known.all);
    const [over] = recentEntries(known.all, 50);
    expect([firing.id, firing.total, over.id, over.total]).toEqual(["rule:disk", 7, "over:disk", 1]);
    expect(firing.episodes.map((episode) => episode.alert.id)).toEqual(["6", "5", "4", "3", "2", "1", "0"]);
    expect([firing.worst.alert.id, over.worst.alert.id]).toEqual(["6", "7"]);
  });

  it("last from the first beginning to the last end", () => {
    const more = (i: number) => ({ timestamp: at(10 + i), started: at(5 + i) });
    const known = new Episodes(9);
    known.take(many(7, more), false);
    expect(firingEntries(known.all)[0]).toMatchObject({ began: 5_000, fired: 16_000 });
    known.take(
      many(7, (i) => ({ ...more(i), resolved: at(30 - i) })),
      false,
    );
    expect(recentEntries(known.all, 9)[0]).toMatchObject({ began: 5_000, fired: 16_000, ended: 30_000 });
  });

  it("take an alert without a value as the least bad", () => {
    const [group] = firingEntries(episodes(many(7, (i) => (i === 3 ? { value: 1 } : {}))));
    expect(group.worst.alert.id).toBe("3");
  });
});
