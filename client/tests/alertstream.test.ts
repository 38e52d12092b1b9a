/** The alert stream asks for what it has missed, for a new EventSource has forgotten it. */
import { beforeEach, describe, expect, it } from "vitest";
import { AlertStream } from "../src/alertstream";
import type { Alert } from "../src/types.gen";
import { alert, TestClock, TestEvents } from "./world";

describe("the alert stream", () => {
  let clock: TestClock;
  let sources: TestEvents[];
  let told: [id: string, epoch: string, resolved: boolean][];
  let stream: AlertStream;
  const newest = () => sources[sources.length - 1];

  beforeEach(() => {
    clock = new TestClock();
    sources = [];
    told = [];
    stream = new AlertStream({
      url: "http://here/events/alerts",
      clock,
      open: (url) => {
        sources.push(new TestEvents(url));
        return newest();
      },
      onAlert: (one: Alert, epoch) => told.push([one.id, epoch, one.resolved !== undefined]),
    });
    stream.start();
  });

  it("begins with all that the server still has", () => {
    expect(newest().url).toBe("http://here/events/alerts?last_event_id=0");
  });

  it("tells what fires and what is resolved, and in which epoch", () => {
    newest().say(alert("a"), "e:1");
    newest().say(alert("a", { resolved: "T" }), "e:2", "resolved");
    expect(told).toEqual([
      ["a", "e", false],
      ["a", "e", true],
    ]);
  });

  it("comes back with the id of the last event, be it a heartbeat", () => {
    newest().say(alert("a"), "e:1");
    newest().say({ type: "heartbeat", timestamp: "T" }, "e:2");
    newest().fail();
    expect(newest().closed).toBe(true);
    clock.pass(300);
    expect(newest().url).toBe("http://here/events/alerts?last_event_id=e%3A2");
    expect(told).toHaveLength(1);
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
    sources[0].say(alert("late"), "e:9");
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
