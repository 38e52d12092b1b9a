/** The alert stream asks for what it has missed, for a new EventSource has forgotten it, and tells a burst in one. */
import { beforeEach, describe, expect, it } from "vitest";
import { AlertStream } from "../src/link/alertstream";
import type { Alert } from "../src/types.gen";
import { alert, TestClock, TestEvents } from "./world";

describe("the alert stream", () => {
  let clock: TestClock;
  let sources: TestEvents[];
  let told: [ids: string[], whole: boolean][];
  let live: boolean[];
  let marks: string[];
  let stream: AlertStream;
  const newest = () => sources[sources.length - 1];
  const said = (one: Alert) => one.id + (one.resolved ? " resolved" : "") + (one.acknowledged ? " seen" : "");

  beforeEach(() => {
    clock = new TestClock();
    sources = [];
    told = [];
    live = [];
    marks = [];
    stream = new AlertStream({
      url: "http://here/events/alerts",
      clock,
      open: (url) => {
        sources.push(new TestEvents(url));
        return newest();
      },
      onAlerts: (alerts, whole) => told.push([alerts.map(said), whole]),
      onMark: (mark) => marks.push(mark.text),
      onLive: (now) => live.push(now),
    });
    stream.start();
  });

  it("says that it is live when all that fires is known, and that it is not when the stream has ended", () => {
    newest().open();
    newest().say(alert("a"), "e-3");
    expect(live).toEqual([]);
    newest().place(7, true);
    expect(live).toEqual([true]);
    newest().fail();
    expect(live).toEqual([true, false]);
    clock.pass(1_000);
    newest().place(7, false);
    expect(live).toEqual([true, false, true]);
  });

  it("begins with what fires, and says that it is all", () => {
    expect(newest().url).toBe("http://here/events/alerts");
    newest().say(alert("a"), "e-3");
    newest().say(alert("b"), "e-5");
    clock.pass(1_000);
    expect(told).toEqual([]);
    newest().place(7, true);
    expect(told).toEqual([[["a", "b"], true]]);
  });

  it("says that nothing fires where nothing does", () => {
    newest().place(0, true);
    expect(told).toEqual([[[], true]]);
  });

  it("tells what fires, is changed and is resolved, in the order it happened", () => {
    newest().place(0, true);
    newest().say(alert("a"), "e-1");
    newest().say(alert("a", { acknowledged: { timestamp: "T" } }), "e-2", "changed");
    newest().say(alert("a", { resolved: "T" }), "e-3", "resolved");
    clock.pass(40);
    expect(told[1]).toEqual([["a", "a seen", "a resolved"], false]);
  });

  it("tells ten thousand that fire in one tick in one", () => {
    newest().place(0, true);
    for (let i = 1; i <= 10_000; i++) newest().say(alert(`a${i}`), `e-${i}`);
    clock.pass(40);
    expect(told).toHaveLength(2);
    expect(told[1][0]).toHaveLength(10_000);
  });

  it("waits while more comes, but not for ever", () => {
    newest().place(0, true);
    for (let i = 1; i <= 40; i++) {
      newest().say(alert(`a${i}`), `e-${i}`);
      clock.pass(10);
    }
    expect(told).toHaveLength(2);
    expect(told[1][0]).toHaveLength(26);
    clock.pass(30);
    expect(told[2][0]).toHaveLength(14);
  });

  it("comes back with the id of the last event, be it a heartbeat", () => {
    newest().place(0, true);
    newest().say(alert("a"), "e-1");
    newest().say({ type: "heartbeat", timestamp: "T" }, "e-2");
    newest().fail();
    expect(newest().closed).toBe(true);
    // What was gathered is told though the stream is gone: it does not come again.
    expect(told[1]).toEqual([["a"], false]);
    clock.pass(300);
    expect(newest().url).toBe("http://here/events/alerts?last_event_id=e-2");
    newest().place(2, false);
    expect(told).toHaveLength(2);
  });

  it("tells of a mark at once, and comes back after it", () => {
    newest().place(0, true);
    newest().say({ id: "m", text: "deployed 1.4", timestamp: "T", by: "" }, "e-1", "mark");
    newest().say({ id: "m", text: 1.4, timestamp: "T" }, "e-1", "mark");
    expect(marks).toEqual(["deployed 1.4"]);
    clock.pass(1_000);
    expect(told).toEqual([[[], true]]);
    newest().fail();
    clock.pass(300);
    expect(newest().url).toBe("http://here/events/alerts?last_event_id=e-1");
  });

  it("asks for all again when the stream ended before it had told all that fires", () => {
    newest().say(alert("a"), "e-3");
    newest().fail();
    clock.pass(300);
    expect(newest().url).toBe("http://here/events/alerts");
    expect(told).toEqual([]);
  });

  it("takes nothing for a position that does not say whether it is whole", () => {
    newest().say({ type: "position", epoch: "e", number: 1 }, "e-1", "position");
    newest().say("nonsense", "e-1", "position");
    expect(told).toEqual([]);
  });

  it("leaves a stream that has missed its heartbeats", () => {
    newest().open();
    clock.pass(75_001);
    expect(sources[0].closed).toBe(true);
    clock.pass(300);
    expect(sources).toHaveLength(2);
  });

  it("does not listen to a source that it has left", () => {
    newest().fail();
    clock.pass(300);
    sources[0].place(1, true);
    sources[0].say(alert("late"), "e-9");
    sources[0].fail();
    expect(told).toEqual([]);
    expect(newest().closed).toBe(false);
  });

  it("tries at once when it is woken while it waits, and never once it is stopped", () => {
    newest().fail();
    stream.wake();
    expect(sources).toHaveLength(2);
    stream.stop();
    clock.pass(600_000);
    expect(sources).toHaveLength(2);
  });
});
