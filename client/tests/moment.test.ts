/** An alert at a moment is what it was then, whatever has happened to it since. */
import { describe, expect, it } from "vitest";
import { Moments } from "../src/alerts/moment";
import { alert, at } from "./world";

const full = alert("a", {
  ...{ timestamp: at(100), started: at(90), value: 91, peak: 99, seen: at(190), ended: "the value" },
  ...{ acknowledged: { timestamp: at(120), by: "me" }, resolved: at(200) },
  silenced: { rule: "r", until: at(500), reason: "known", timestamp: at(150) },
});

describe("the alerts of a range at a moment", () => {
  const then = (seconds: number) => new Moments([full]).at(seconds * 1000);

  it("have fired before it", () => {
    expect(then(100)).toEqual([]);
    expect(then(100.001)).toMatchObject([{ state: "firing", began: 90_000, fired: 100_000 }]);
  });

  it("fire until they were resolved, without the end and the peak that they came to have", () => {
    const [{ alert: shown, ended, state }] = then(200);
    expect([state, ended]).toEqual(["firing", Number.POSITIVE_INFINITY]);
    expect(shown).not.toHaveProperty("resolved");
    expect(shown).not.toHaveProperty("peak");
    expect(shown).toMatchObject({ id: "a", value: 91, message: "alert a" });
    expect(then(200.001)).toMatchObject([
      { state: "resolved", ended: 200_000, alert: { resolved: at(200), peak: 99, ended: "the value" } },
    ]);
  });

  it("are acknowledged and silenced as far as that had happened", () => {
    const care = (seconds: number) => {
      const { acknowledged, silenced } = then(seconds)[0].alert;
      return [acknowledged?.by, silenced?.reason];
    };
    expect(care(120)).toEqual([undefined, undefined]);
    expect(care(121)).toEqual(["me", undefined]);
    expect(care(151)).toEqual(["me", "known"]);
  });

  it("are the same objects while nothing changes, and those of other alerts when one does", () => {
    const moments = new Moments([full, alert("b", { timestamp: at(50) })]);
    const before = moments.at(110_000);
    expect(moments.at(119_000)).toBe(before);
    const after = moments.at(121_000);
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(moments.at(110_000)).toEqual(before);
  });
});
