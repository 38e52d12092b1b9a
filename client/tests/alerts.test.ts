/** The feed has each alert once, newest first, at most fifty entries, and what was put away stays away. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { type AlertStore, createAlertStore, MAX_ALERTS, type Memory } from "../src/stores/alerts";
import type { Alert } from "../src/types.gen";
import { alert, at } from "./world";

describe("the alert store", () => {
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
        dismissed: memory("dismissed"),
        hidden: memory("hidden"),
        onFiring: (alerts, quiet) => rung.push([alerts.map(({ id }) => id), quiet]),
      }),
    );
  const tell = (...alerts: Alert[]) => store.apply({ type: "alerts", alerts, whole: false });
  const ids = () => [...store.ids()];

  beforeEach(() => {
    saved = {};
    rung = [];
    store = make();
  });

  it("shows the newest first and one of each id", () => {
    tell(alert("a", { timestamp: at(1) }));
    tell(alert("b", { timestamp: at(2) }), alert("a", { timestamp: at(1) }));
    expect(ids()).toEqual(["b", "a"]);
  });

  it("keeps at most fifty, and drops what is over before what fires", () => {
    tell(alert("firing", { timestamp: at(0) }));
    for (let i = 1; i <= MAX_ALERTS + 5; i++) tell(alert(`r${i}`, { timestamp: at(i), resolved: at(i + 1) }));
    expect(ids()).toHaveLength(MAX_ALERTS);
    expect(ids()).toContain("firing");
  });

  it("counts ten thousand and draws one, and says how many it does not draw", () => {
    tell(...Array.from({ length: 10_000 }, (_, i) => alert(`d${i}`, { rule: "disk" })));
    expect(store.all()).toHaveLength(10_000);
    expect(ids()).toEqual(["rule:disk"]);
    expect(store.more()).toBe(0);
    store.dismiss("rule:disk");
    for (let i = 0; i < 60; i++) tell(alert(`s${i}`, { rule: `rule ${i}` }));
    expect(ids()).toHaveLength(MAX_ALERTS);
    expect([store.all().length, store.more()]).toEqual([60, 10]);
  });

  it("counts as critical what is critical and still fires", () => {
    tell(alert("a", { severity: "critical" }), alert("b", { severity: "critical" }), alert("c"));
    expect(store.critical()).toHaveLength(2);
    tell(alert("a", { severity: "critical", resolved: at(9) }));
    expect(store.critical().map((episode) => episode.alert.id)).toEqual(["b"]);
    expect(store.all()).toHaveLength(3);
  });

  it("keeps the place of an alert while it changes", () => {
    tell(alert("a"), alert("b"));
    const before = store.ids();
    tell(alert("a", { acknowledged: { timestamp: at(2) } }));
    tell(alert("a", { resolved: at(9) }));
    expect(store.ids()).toBe(before);
    expect(store.entry("a")?.worst.state).toBe("resolved");
  });

  it("does not bring back what was dismissed, even after a reload", () => {
    tell(alert("a"), alert("b"));
    store.dismiss("a");
    tell(alert("a", { resolved: at(9) }));
    expect(ids()).toEqual(["b"]);
    store.clear();
    store = make();
    tell(alert("a"), alert("b"), alert("c"));
    expect(ids()).toEqual(["c"]);
  });

  it("takes over what another tab has dismissed", () => {
    tell(alert("a"));
    saved.dismissed = ["a"];
    store.reload();
    expect(ids()).toEqual([]);
  });

  it("does not let an alert fire for ever when the log that told of it is gone", () => {
    tell(alert("a", { severity: "critical" }), alert("b", { severity: "critical" }));
    store.apply({ type: "alerts", alerts: [alert("b", { severity: "critical" })], whole: true });
    expect(store.critical().map((episode) => episode.alert.id)).toEqual(["b"]);
    expect(store.entry("a")?.worst.state).toBe("lost");
  });

  it("hides a severity, counts it all the same, and remembers that", () => {
    tell(alert("a", { severity: "critical" }), alert("b"), alert("c", { severity: "info" }));
    store.toggle("warning");
    expect(ids()).toEqual(["a", "c"]);
    expect(store.counts("warning")).toBe(1);
    expect(store.all()).toHaveLength(3);
    store = make();
    tell(alert("b"));
    expect(ids()).toEqual([]);
    store.toggle("warning");
    expect(ids()).toEqual(["b"]);
  });

  it("knows the worst that fires on each series", () => {
    const disk = (id: string, more = {}) => alert(id, { metric: "disk", labels: { mount: "/" }, ...more });
    tell(disk("a"), disk("b", { severity: "critical" }), alert("c", { metric: "cpu", severity: "info" }));
    expect([store.severityOf('disk{mount="/"}'), store.severityOf("cpu")]).toEqual(["critical", "info"]);
    tell(disk("b", { severity: "critical", resolved: at(9) }));
    expect(store.severityOf('disk{mount="/"}')).toBe("warning");
  });

  it("gives the episodes of a metric, the same until they change", () => {
    tell(alert("a", { metric: "cpu" }));
    const before = store.episodesOf("cpu");
    tell(alert("b", { metric: "memory" }));
    expect(store.episodesOf("cpu")).toBe(before);
    expect(store.episodesOf("memory")).toHaveLength(1);
    expect(store.episodesOf("load")).toEqual([]);
  });

  it("rings for what is new and fires, not for what a snapshot says or was put away", () => {
    saved.dismissed = ["away"];
    store = make();
    tell(alert("a"), alert("away"), alert("over", { resolved: at(9) }));
    tell(alert("a", { acknowledged: { timestamp: at(2) } }));
    store.apply({ type: "alerts", alerts: [alert("b")], whole: false, quiet: true });
    expect(rung).toEqual([
      [["a"], false],
      [["b"], true],
    ]);
    expect([store.isFiring("a"), store.isFiring("over"), store.isFiring("away")]).toEqual([
      true,
      false,
      false,
    ]);
  });
});
