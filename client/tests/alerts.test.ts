/** What fires is always there and counted; what is over can be put away; both can be undone, and are remembered. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import type { Entry } from "../src/alerts/entries";
import type { FeedEvent } from "../src/link/feed";
import { type AlertStore, createAlertStore, MAX_ALERTS, type Memory, UNDO_MS } from "../src/stores/alerts";
import { STAY_MS } from "../src/stores/staying";
import type { Alert } from "../src/types.gen";
import { alert, at, TestClock } from "./world";

describe("the alert store", () => {
  let clock: TestClock;
  let saved: Record<string, string[]>;
  let rung: [ids: string[], quiet: boolean][];
  let store: AlertStore;
  const memory = (name: string): Memory => ({
    load: () => saved[name] ?? [],
    save: (texts) => {
      saved[name] = texts;
    },
  });
  const make = () =>
    createRoot(() =>
      createAlertStore({
        clock,
        dismissed: memory("dismissed"),
        folded: memory("folded"),
        hidden: memory("hidden"),
        onFiring: (alerts, quiet) => rung.push([alerts.map(({ id }) => id), quiet]),
      }),
    );
  const take = (...alerts: Alert[]) => store.apply({ type: "alerts", alerts, whole: false });
  const over = (id: string, more: Partial<Alert> = {}) => alert(id, { resolved: at(9), ...more });
  const named = (ids: readonly string[]) => ids.map((id) => store.entry(id)?.lead.alert.id ?? "none");
  const firing = () => named(store.firingIds());
  const recent = () => named(store.recentIds());
  /** The entry of which an alert is the first. */
  const entry = (id: string): Entry => {
    const all = [...store.firingIds(), ...store.recentIds()].map((one) => store.entry(one));
    const found = all.find((one) => one?.lead.alert.id === id);
    if (found === undefined) throw new Error(`there is no entry of ${id}`);
    return found;
  };
  const folded = () => firing().filter((id) => store.isFolded(entry(id)));

  beforeEach(() => {
    clock = new TestClock();
    saved = {};
    rung = [];
    store = make();
  });

  it("has each alert once, what fires apart from what is over", () => {
    take(alert("a", { timestamp: at(1) }), over("c"));
    take(alert("b", { timestamp: at(2) }), alert("a", { timestamp: at(1) }));
    expect([firing(), recent()]).toEqual([["a", "b"], ["c"]]);
    take(over("a"));
    clock.pass(STAY_MS);
    expect([firing(), recent()]).toEqual([["b"], ["a", "c"]]);
    expect([store.firing().length, store.over().length]).toEqual([1, 2]);
  });

  it("keeps what fires, and all that is counted from it, when all is cleared or it is dismissed", () => {
    take(alert("a", { severity: "critical", metric: "cpu" }), alert("b"), over("c"), over("d"));
    store.clear();
    store.dismiss(entry("a"));
    const check = () => {
      expect([firing(), recent()]).toEqual([["a", "b"], []]);
      expect([store.firing().length, store.firingCount("critical"), store.firingCount("warning")]).toEqual([
        2, 1, 1,
      ]);
      expect([store.severityOf("cpu"), store.isFiring("a")]).toEqual(["critical", true]);
      expect(folded()).toEqual(["a"]);
    };
    check();
    store = make();
    take(alert("a", { severity: "critical", metric: "cpu" }), alert("b"), over("c"), over("d"));
    check();
    store.unfold(entry("a"));
    expect(folded()).toEqual([]);
  });

  it("shows what fires though it was put away while it was over", () => {
    take(over("a"));
    store.dismiss(entry("a"));
    saved = { dismissed: ["a"] };
    store = make();
    take(alert("a"));
    expect(firing()).toEqual(["a"]);
  });

  it("shows an alert that was folded among what is over when it ends", () => {
    take(alert("a"));
    store.dismiss(entry("a"));
    take(over("a"));
    // Where it is it stays a line.
    expect([firing(), folded()]).toEqual([["a"], ["a"]]);
    clock.pass(STAY_MS);
    expect([firing(), recent()]).toEqual([[], ["a"]]);
  });

  it("undoes what was done last, for a while", () => {
    take(alert("a"), over("b"), over("c"));
    store.clear();
    expect([recent(), store.undo()?.text]).toEqual([[], "2 cleared"]);
    store.undo()?.undo();
    expect([recent(), store.undo(), saved.dismissed]).toEqual([["b", "c"], null, []]);
    store.dismiss(entry("a"));
    expect([folded(), store.undo()?.text]).toEqual([["a"], "Folded"]);
    store.undo()?.undo();
    expect([folded(), saved.folded]).toEqual([[], []]);
    store.dismiss(entry("b"));
    clock.pass(UNDO_MS - 1);
    store.dismiss(entry("c"));
    clock.pass(UNDO_MS - 1);
    store.undo()?.undo();
    expect(recent()).toEqual(["c"]);
    store.clear();
    clock.pass(UNDO_MS);
    expect(store.undo()).toBeNull();
  });

  it("keeps what ends in its place for a while, counted as over", () => {
    take(alert("a", { timestamp: at(1) }), alert("b", { timestamp: at(2) }));
    take(over("a"));
    expect([firing(), recent(), store.firing().length]).toEqual([["a", "b"], [], 1]);
    expect(entry("a").firing).toBe(false);
    clock.pass(STAY_MS - 1);
    expect(firing()).toEqual(["a", "b"]);
    clock.pass(1);
    expect([firing(), recent()]).toEqual([["b"], ["a"]]);
  });

  it("keeps it for as long as the viewer reads there or writes why it is silenced", () => {
    take(alert("a"), alert("b"));
    store.reads(true);
    store.setDraft({ id: entry("b").id, duration: "2h", ofRule: false, reason: "" });
    take(over("a"), over("b"));
    clock.pass(10 * STAY_MS);
    expect(firing()).toEqual(["a", "b"]);
    store.reads(false);
    expect(firing()).toEqual(["a", "b"]);
    store.setDraft(null);
    expect([firing(), recent()]).toEqual([[], ["a", "b"]]);
  });

  it("holds nothing any more when the form of a silence has gone, but for another one's", () => {
    take(alert("a"), alert("b"));
    const { id } = entry("b");
    store.setDraft({ id, duration: "2h", ofRule: false, reason: "" });
    store.closeDraft(entry("a").id);
    expect(store.draft()?.id).toBe(id);
    take(over("a"), over("b"));
    clock.pass(STAY_MS);
    expect(firing()).toEqual(["a", "b"]);
    store.closeDraft(id);
    expect([store.draft(), firing(), recent()]).toEqual([null, [], ["a", "b"]]);
  });

  it("shows a series that fires again in its place, and its last time among what is over", () => {
    const cpu = (id: string, more: Partial<Alert> = {}) => alert(id, { rule: "cpu", metric: "cpu", ...more });
    take(cpu("a"));
    take(cpu("a", { resolved: at(9) }));
    const [place] = store.firingIds();
    take(cpu("b", { timestamp: at(10) }));
    expect([firing(), recent(), store.firingIds()[0]]).toEqual([["b"], ["a"], place]);
  });

  it("knows since when the first of a severity fires, and when the last ended", () => {
    expect(store.lastEnded()).toBeNaN();
    take(
      alert("a", { timestamp: at(5) }),
      alert("b", { timestamp: at(3) }),
      over("c"),
      over("d", { resolved: at(7) }),
    );
    expect([store.firingSince("warning"), store.lastEnded()]).toEqual([3_000, 9_000]);
  });

  it("unfolds a group when another alert of it fires", () => {
    const disk = (i: number) => alert(`d${i}`, { rule: "disk" });
    take(...Array.from({ length: 8 }, (_, i) => disk(i)));
    store.dismiss(entry("d0"));
    expect(folded()).toEqual(["d0"]);
    take(disk(8));
    expect(folded()).toEqual([]);
  });

  it("draws at most fifty, what fires first and the worst of it, and says how many it does not draw", () => {
    for (let i = 0; i < 60; i++) take(over(`o${i}`, { resolved: at(i + 1) }));
    take(alert("critical", { severity: "critical", timestamp: at(0) }));
    expect([firing().length, recent().length]).toEqual([1, MAX_ALERTS - 1]);
    expect(store.recentLeftOut()).toEqual({ hidden: 0, more: 11 });
    for (let i = 0; i < 60; i++) take(alert(`s${i}`, { rule: `rule ${i}`, timestamp: at(i) }));
    expect([firing().length, firing()[0], recent().length]).toEqual([MAX_ALERTS, "critical", 0]);
    expect([store.firingLeftOut(), store.recentLeftOut()]).toEqual([
      { hidden: 0, more: 11 },
      { hidden: 0, more: 60 },
    ]);
  });

  it("counts ten thousand and draws one", () => {
    take(...Array.from({ length: 10_000 }, (_, i) => alert(`d${i}`, { rule: "disk" })));
    expect([store.firing().length, firing()]).toEqual([10_000, ["d0"]]);
    expect(store.firingLeftOut()).toEqual({ hidden: 0, more: 0 });
  });

  it("counts what fires of each severity", () => {
    const critical = (id: string, more = {}) => alert(id, { severity: "critical", ...more });
    take(critical("a", { timestamp: at(2) }), critical("b", { timestamp: at(1) }), alert("c"));
    expect([store.firingCount("critical"), store.firingCount("warning")]).toEqual([2, 1]);
    take(critical("a", { resolved: at(9) }));
    expect([store.firingCount("critical"), store.overCount("critical")]).toEqual([1, 1]);
  });

  it("has a critical alert as news when it is the newest, not when a newer one has ended", () => {
    const critical = (id: string, seconds: number, more = {}) =>
      alert(id, { severity: "critical", timestamp: at(seconds), message: `${id} is high`, ...more });
    expect(store.criticalNews()).toBe("");
    take(critical("a", 1), alert("w", { timestamp: at(5) }));
    expect(store.criticalNews()).toBe("a is high");
    take(critical("b", 2), critical("c", 2));
    expect(store.criticalNews()).toBe("b is high");
    take(critical("b", 2, { resolved: at(3) }));
    expect(store.criticalNews()).toBe("");
    take(critical("d", 4));
    expect(store.criticalNews()).toBe("d is high");
    take(...["a", "c", "d"].map((id) => critical(id, 4, { resolved: at(9) })));
    // A server whose clock was set back has news too.
    take(critical("e", 3));
    expect(store.criticalNews()).toBe("e is high");
  });

  it("keeps the place of an alert while it changes", () => {
    take(alert("a"), alert("b"));
    const before = store.firingIds();
    take(alert("a", { acknowledged: { timestamp: at(2) } }));
    expect(store.firingIds()).toBe(before);
    expect(entry("a").lead.alert.acknowledged).toBeDefined();
  });

  it("does not bring back what was dismissed, even after a reload", () => {
    take(over("a"), over("b"));
    store.dismiss(entry("a"));
    take(over("a"));
    expect(recent()).toEqual(["b"]);
    store.clear();
    store = make();
    take(over("a"), over("b"), over("c"));
    expect(recent()).toEqual(["c"]);
  });

  it("follows what another tab has dismissed, folded and undone", () => {
    take(over("a"), alert("b"));
    saved = { dismissed: ["a"], folded: ["b"] };
    store.reload();
    expect([recent(), folded()]).toEqual([[], ["b"]]);
    saved = {};
    store.reload();
    expect([recent(), folded()]).toEqual([["a"], []]);
  });

  it("ends an alert of which the log is gone", () => {
    take(alert("a", { severity: "critical" }), alert("b", { severity: "critical" }));
    store.apply({ type: "alerts", alerts: [alert("b", { severity: "critical" })], whole: true });
    expect([firing(), entry("a").lead.state]).toEqual([["a", "b"], "lost"]);
    expect(store.firing().length).toBe(1);
  });

  it("does not claim to know what fires before the stream has said it, nor when it has ended", () => {
    const apply = (event: FeedEvent) => store.apply(event);
    expect(store.live()).toBe(false);
    apply({ type: "alertsLive", live: true });
    expect(store.live()).toBe(true);
    apply({ type: "alertsLive", live: false });
    expect(store.live()).toBe(false);
  });

  it("does not list a hidden severity, counts it all the same, and remembers that", () => {
    take(alert("a", { severity: "critical" }), alert("b"), alert("c", { severity: "info" }), over("d"));
    store.toggle("warning");
    const check = () => {
      expect([firing(), recent()]).toEqual([["a", "c"], []]);
      expect([store.firingCount("warning"), store.firing().length, store.over().length]).toEqual([1, 3, 1]);
      expect([store.firingLeftOut().hidden, store.recentLeftOut().hidden]).toEqual([1, 1]);
    };
    check();
    store = make();
    take(alert("a", { severity: "critical" }), alert("b"), alert("c", { severity: "info" }), over("d"));
    check();
    store.showAll();
    expect([firing(), recent()]).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("knows the worst that fires on each series", () => {
    const disk = (id: string, more = {}) => alert(id, { metric: "disk", labels: { mount: "/" }, ...more });
    take(disk("a"), disk("b", { severity: "critical" }), alert("c", { metric: "cpu", severity: "info" }));
    expect([store.severityOf('disk{mount="/"}'), store.severityOf("cpu")]).toEqual(["critical", "info"]);
    take(disk("b", { severity: "critical", resolved: at(9) }));
    expect(store.severityOf('disk{mount="/"}')).toBe("warning");
  });

  it("gives the episodes of a metric, the same until they change, whatever was put away", () => {
    take(over("a", { metric: "cpu" }));
    const before = store.episodesOf("cpu");
    take(alert("b", { metric: "memory" }));
    store.clear();
    expect(store.episodesOf("cpu")).toBe(before);
    expect(store.episodesOf("memory")).toHaveLength(1);
    expect(store.episodesOf("load")).toEqual([]);
  });

  it("rings for what is new and fires, not for what a snapshot says or was folded before", () => {
    saved.folded = ["folded"];
    store = make();
    take(alert("a"), alert("folded"), over("over"));
    take(alert("a", { acknowledged: { timestamp: at(2) } }));
    store.apply({ type: "alerts", alerts: [alert("b")], whole: false, quiet: true });
    expect(rung).toEqual([
      [["a"], false],
      [["b"], true],
    ]);
    expect([store.isFiring("a"), store.isFiring("over"), store.isFiring("folded")]).toEqual([
      true,
      false,
      true,
    ]);
  });
});
