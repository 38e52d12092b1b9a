/** The feed has each alert once, newest first, at most fifty, and what was put away stays away. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { type AlertStore, createAlertStore, MAX_ALERTS } from "../src/stores/alerts";
import { alert, at } from "./world";

describe("the alert store", () => {
  let saved: string[];
  let store: AlertStore;
  const make = () =>
    createRoot(() =>
      createAlertStore({
        load: () => saved,
        save: (ids) => {
          saved = ids;
        },
      }),
    );
  const tell = (id: string, more = {}, epoch = "e") =>
    store.apply({ type: "alert", alert: alert(id, more), epoch });
  const ids = () => store.alerts().map((entry) => entry.alert.id);

  beforeEach(() => {
    saved = [];
    store = make();
  });

  it("shows the newest first and one of each id", () => {
    tell("a", { timestamp: at(1) });
    tell("b", { timestamp: at(2) });
    tell("a", { timestamp: at(1) });
    expect(ids()).toEqual(["b", "a"]);
  });

  it("keeps at most fifty, and drops what is over before what fires", () => {
    tell("firing", { timestamp: at(0) });
    for (let i = 1; i <= MAX_ALERTS + 5; i++) tell(`r${i}`, { timestamp: at(i), resolved: at(i + 1) });
    expect(ids()).toHaveLength(MAX_ALERTS);
    expect(ids()).toContain("firing");
  });

  it("counts as critical what is critical and still fires", () => {
    tell("a", { severity: "critical" });
    tell("b", { severity: "critical" });
    tell("c");
    expect(store.critical()).toHaveLength(2);
    tell("a", { severity: "critical", resolved: at(9) });
    expect(store.critical().map((entry) => entry.alert.id)).toEqual(["b"]);
    expect(store.alerts()).toHaveLength(3);
  });

  it("does not fire again what was resolved, when the beginning is replayed", () => {
    tell("a", { resolved: at(9) });
    tell("a");
    expect(store.firing()).toEqual([]);
  });

  it("does not bring back what was dismissed, even after a reload", () => {
    tell("a");
    tell("b");
    store.dismiss("a");
    tell("a", { resolved: at(9) });
    expect(ids()).toEqual(["b"]);
    store.clear();
    store = make();
    tell("a");
    tell("b");
    tell("c");
    expect(ids()).toEqual(["c"]);
  });

  it("takes over what another tab has dismissed", () => {
    tell("a");
    saved = ["a"];
    store.reload();
    expect(ids()).toEqual([]);
  });

  it("does not let an alert fire for ever when the server that told of it is gone", () => {
    tell("a", { severity: "critical" }, "old");
    tell("b", { severity: "critical" }, "new");
    store.apply({ type: "over", epoch: "old" });
    expect(store.critical().map((entry) => entry.alert.id)).toEqual(["b"]);
    expect(store.alerts().find((entry) => entry.alert.id === "a")?.state).toBe("lost");
  });
});
