/** Off until the viewer says so; then many alerts are one notification and one sound, and what is no news is none. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { type Announcement, announce } from "../src/alerts/announcement";
import { type BellStore, createBellStore, type Permission } from "../src/stores/bell";
import type { Alert } from "../src/types.gen";
import { alert, TestClock } from "./world";

const critical = (id: string, more: Partial<Alert> = {}) => alert(id, { severity: "critical", ...more });

describe("the bell", () => {
  let clock: TestClock;
  let saved: boolean;
  let granted: Permission;
  let shown: Announcement[];
  let heard: string[];
  let over: Set<string>;
  let bell: BellStore;
  const make = () =>
    createRoot(() =>
      createBellStore({
        clock,
        load: () => saved,
        save: (on) => {
          saved = on;
        },
        permission: () => granted,
        ask: async () => granted,
        notify: (alerts) => shown.push(announce(alerts, "Wall")),
        prepare: () => heard.push("prepared"),
        ring: (tone) => heard.push(tone),
        isFiring: (id) => !over.has(id),
      }),
    );

  beforeEach(async () => {
    clock = new TestClock();
    [saved, granted, shown, heard, over] = [false, "granted", [], [], new Set()];
    bell = make();
  });

  it("is off at first, and says nothing", () => {
    bell.take([critical("a")]);
    clock.pass(10_000);
    expect([bell.on(), shown, heard]).toEqual([false, [], []]);
  });

  it("tells many that fire close together in one, with one sound, for the worst", async () => {
    await bell.toggle();
    bell.take([alert("w")]);
    bell.take(Array.from({ length: 9_999 }, (_, i) => critical(`${i}`)));
    clock.pass(600);
    expect(shown).toEqual([
      {
        title: "Wall: 9,999 critical, 1 warning",
        body: "alert 0\nalert 1\nalert 2\nand 9,997 more",
      },
    ]);
    expect(heard).toEqual(["prepared", "critical"]);
  });

  it("does not call for info, nor for what somebody has seen or silenced, nor for what is over by then", async () => {
    await bell.toggle();
    over.add("short");
    bell.take([
      alert("i", { severity: "info" }),
      critical("seen", { acknowledged: { timestamp: "T" } }),
      critical("silent", { silenced: { rule: "r", until: "T", reason: "", timestamp: "T" } }),
      critical("short"),
    ]);
    clock.pass(600);
    expect([shown, heard]).toEqual([[], ["prepared"]]);
  });

  it("notifies again soon, but is not heard all the time", async () => {
    await bell.toggle();
    for (const id of ["a", "b", "c"]) {
      bell.take([alert(id)]);
      clock.pass(600);
    }
    expect([shown.length, heard]).toEqual([3, ["prepared", "warning"]]);
    clock.pass(5_000);
    bell.take([alert("d")]);
    clock.pass(600);
    expect(heard).toEqual(["prepared", "warning", "warning"]);
  });

  it("is heard where the browser allows no notifications, and says so", async () => {
    for (const [permission, note] of [
      ["denied", "The browser blocks notifications: sound only"],
      ["default", "Notifications are not allowed yet: sound only"],
      ["unsupported", "Sound only on this address"],
    ] as [Permission, string][]) {
      granted = permission;
      saved = false;
      bell = make();
      await bell.toggle();
      expect(bell.note()).toBe(note);
      heard = [];
      bell.take([critical("a")]);
      clock.pass(600);
      expect([shown, heard]).toEqual([[], ["critical"]]);
    }
  });

  it("is remembered, and follows another tab", async () => {
    await bell.toggle();
    bell = make();
    expect([bell.on(), bell.note()]).toEqual([true, ""]);
    saved = false;
    bell.reload();
    expect(bell.on()).toBe(false);
    bell.touched();
    expect(heard).toEqual(["prepared"]);
    saved = true;
    bell.reload();
    bell.touched();
    expect(heard).toEqual(["prepared", "prepared"]);
  });
});

describe("an announcement", () => {
  it("of one alert is its message", () => {
    expect(announce([critical("a")], "Wall")).toEqual({ title: "CRITICAL: alert a", body: "Wall" });
  });

  it("of several has the critical ones first", () => {
    expect(announce([alert("w"), critical("c")], "Wall")).toEqual({
      title: "Wall: 1 critical, 1 warning",
      body: "alert c\nalert w",
    });
  });
});
