/** A tab shares the worker's feed while the worker answers, and connects by itself when it does not. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Feed, FeedEvent, Listener } from "../src/link/feed";
import { SharedFeed } from "../src/link/port";
import type { TabMessage, WorkerMessage } from "../src/link/share";
import { TestClock, tick } from "./world";

const STATUS: FeedEvent = { type: "status", status: { connected: true, tried: true, retryAt: null } };

describe("a tab's end of the worker", () => {
  let clock: TestClock;
  let visible: boolean;
  let base: string;
  let posted: TabMessage[];
  let closed: boolean;
  let answer: (message: WorkerMessage) => void;
  let fail: () => void;
  let spares: { running: boolean; tell: Listener }[];
  let heard: FeedEvent[];
  const types = () => posted.map(({ type }) => type);

  const spare = (tell: Listener): Feed => {
    const made = { running: false, tell };
    spares.push(made);
    return {
      start: () => {
        made.running = true;
      },
      stop: () => {
        made.running = false;
      },
      wake: () => {},
    };
  };

  const make = (missing = false, hear: Listener = (event) => heard.push(event)) =>
    new SharedFeed(
      {
        base,
        clock,
        visible: () => visible,
        connect: (receive, failed) => {
          if (missing) throw new Error("SharedWorker is not defined");
          answer = receive;
          fail = failed;
          return {
            post: (message) => posted.push(message),
            close: () => {
              closed = true;
            },
          };
        },
        spare,
      },
      hear,
    );

  beforeEach(() => {
    clock = new TestClock();
    visible = true;
    base = "http://here/";
    posted = [];
    closed = false;
    spares = [];
    heard = [];
  });

  it("says hello, is told what the worker hears, and says that it is there", () => {
    make().start();
    answer(STATUS);
    clock.pass(20_000);
    answer({ type: "here" });
    expect(types()).toEqual(["hello", "alive"]);
    expect(heard).toEqual([STATUS]);
    expect(spares).toEqual([]);
  });

  it("says when it has taken ticks, for the worker to post no more than it takes", () => {
    make().start();
    answer({ ...tick(1, { cpu: 1 }), received: 0 });
    answer(STATUS);
    expect(types()).toEqual(["hello", "taken"]);
  });

  it("says so of ticks that could not be shown as well, for those that follow to come", () => {
    make(false, () => {
      throw new Error("a defect");
    }).start();
    expect(() => answer({ ...tick(1, { cpu: 1 }), received: 0 })).toThrow("a defect");
    expect(types()).toEqual(["hello", "taken"]);
  });

  it("connects by itself where there is no shared worker", () => {
    make(true).start();
    expect(spares[0].running).toBe(true);
  });

  it("connects by itself when the worker's script does not run", () => {
    make().start();
    fail();
    expect(spares[0].running).toBe(true);
    expect(closed).toBe(true);
  });

  it("connects by itself when the worker says nothing, once, and does not listen to it any more", () => {
    make().start();
    clock.pass(60_000);
    answer(STATUS);
    expect(spares).toHaveLength(1);
    expect(heard).toEqual([]);
    expect(types()).toEqual(["hello", "bye"]);
  });

  it("connects by itself when the worker gets no WebSocket over TLS, which may be for the certificate alone", () => {
    const trouble: FeedEvent = { type: "trouble", trouble: { kind: "upgrade", said: "" } };
    make().start();
    answer(trouble);
    expect(spares).toEqual([]);
    expect(heard).toEqual([trouble]);
    base = "https://here/";
    make().start();
    answer({ type: "trouble", trouble: { kind: "refused", said: "403" } });
    answer({ type: "trouble", trouble: null });
    expect(spares).toEqual([]);
    answer(trouble);
    expect(spares[0].running).toBe(true);
    expect(closed).toBe(true);
    expect(heard).toHaveLength(3);
  });

  it("does not take a hidden tab's throttled timers for a dead worker", () => {
    visible = false;
    make().start();
    clock.pass(60_000);
    expect(spares).toEqual([]);
  });

  it("says bye when it goes away and hello when it is back from the cache", () => {
    const feed = make();
    feed.start();
    answer(STATUS);
    feed.stop();
    feed.start();
    expect(types()).toEqual(["hello", "bye", "hello"]);
  });

  it("tells the worker when nobody sees it and when someone does again", () => {
    const feed = make();
    feed.start();
    answer(STATUS);
    visible = false;
    feed.visibilityChanged();
    visible = true;
    feed.visibilityChanged();
    expect(posted.filter(({ type }) => type === "visible")).toEqual([
      { type: "visible", visible: false },
      { type: "visible", visible: true },
    ]);
  });
});
