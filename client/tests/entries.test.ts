/** What the feed draws is bounded, newest first, and says of many what the worst of them is. */
import { describe, expect, it } from "vitest";
import { entriesOf } from "../src/entries";
import { type Episode, Episodes } from "../src/episodes";
import type { Alert } from "../src/types.gen";
import { alert, at } from "./world";

const episodes = (alerts: readonly Alert[]): Episode[] => {
  const known = new Episodes(1_000);
  known.take(alerts, false);
  return known.all;
};
const many = (count: number, more: (i: number) => Partial<Alert>): Alert[] =>
  Array.from({ length: count }, (_, i) => alert(`${i}`, { rule: "disk", ...more(i) }));

describe("entries", () => {
  it("are the alerts, newest first, at most so many, and what is over makes room", () => {
    const all = episodes([
      alert("fires", { timestamp: at(1) }),
      ...Array.from({ length: 9 }, (_, i) => alert(`o${i}`, { timestamp: at(10 + i), resolved: at(99) })),
    ]);
    expect(entriesOf(all, 4).map(({ id }) => id)).toEqual(["o8", "o7", "o6", "fires"]);
  });

  it("are one for ten thousand series, with the worst and all of them", () => {
    const all = episodes(many(10_000, (i) => ({ value: 91, peak: 90 + (i % 1_000) / 100, threshold: 90 })));
    const [group, ...others] = entriesOf(
      [...all, ...episodes([alert("cpu", { timestamp: at(9) })])],
      50,
    ).reverse();
    expect(others.map(({ id }) => id)).toEqual(["cpu"]);
    expect(group).toMatchObject({ id: "rule:disk", total: 10_000, firing: 10_000 });
    expect(group.worst.alert.peak).toBe(99.99);
    expect(group.episodes[0].alert.peak).toBe(99.99);
  });

  it("has the least as the worst where a rule fires below its threshold", () => {
    const [group] = entriesOf(episodes(many(9, (i) => ({ value: 5 + i, threshold: 20 }))), 50);
    expect(group.worst.alert.value).toBe(5);
  });

  it("puts those of a group that still fire before those that are over", () => {
    const known = new Episodes(9);
    known.take(
      many(8, (i) => ({ value: i })),
      false,
    );
    known.take([alert("7", { rule: "disk", value: 7, resolved: at(9) })], false);
    const [group] = entriesOf(known.all, 50);
    expect([group.total, group.firing]).toEqual([8, 7]);
    expect(group.episodes.map((episode) => episode.alert.id)).toEqual([
      "6",
      "5",
      "4",
      "3",
      "2",
      "1",
      "0",
      "7",
    ]);
    expect(group.worst.alert.id).toBe("7");
  });

  it("lasts from the first beginning, and stands where the newest fired", () => {
    const [group] = entriesOf(episodes(many(7, (i) => ({ timestamp: at(10 + i), started: at(5 + i) }))), 50);
    expect([group.began, group.fired]).toEqual([5_000, 16_000]);
  });

  it("takes an alert without a value as the least bad", () => {
    const [group] = entriesOf(episodes(many(7, (i) => (i === 3 ? { value: 1 } : {}))), 50);
    expect(group.worst.alert.id).toBe("3");
  });
});
