/** A tab shares the worker's feed while the worker answers, and connects by itself when it does not. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Feed, FeedEvent, Listener } from "../src/feed";
import { SharedFeed } from "../src/port";
import type { TabMessage, WorkerMessage } from "../src/share";
import { TestClock } from "./world";

const STATUS: FeedEvent = { type: "status", status: { connected: true, tried: true, retryAt: null } };

describe("a tab's end of the worker", () => {
  let clock: TestClock;
  let visible: boolean;
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

  const make = (missing = false) =>
    new SharedFeed(
      {
        base: "http://here/",
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
      (event) => heard.push(event),
    );

  beforeEach(() => {
    clock = new TestClock();
    visible = true;
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
