/** The feed of a page: every address under the page's own, and the board of the epoch that the ticks are of. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { browserNetwork, DirectFeed, type FeedEvent, type Network } from "../src/feed";
import type { Board } from "../src/types.gen";
import {
  alert,
  amendedBytes,
  amendment,
  board,
  metric,
  TestClock,
  TestEvents,
  TestSocket,
  tick,
  tickBytes,
  windowOf,
} from "./world";

describe("a feed", () => {
  let clock: TestClock;
  let served: Board | null;
  let asked: string[];
  let answers: Map<string, unknown>;
  let sockets: TestSocket[];
  let events: TestEvents[];
  let heard: FeedEvent[];
  let feed: DirectFeed;
  const of = (type: FeedEvent["type"]) => heard.filter((event) => event.type === type);
  /** Let the promises of a fetch come to their end. */
  const settle = () => new Promise((resolve) => setTimeout(resolve));

  const network: Network = {
    socket: (url) => {
      sockets.push(new TestSocket(url));
      return sockets[sockets.length - 1];
    },
    events: (url) => {
      events.push(new TestEvents(url));
      return events[events.length - 1];
    },
    json: async (url) => {
      asked.push(url);
      if (answers.has(url)) return answers.get(url);
      if (served === null) throw new Error("no server");
      return served;
    },
  };
  const overUrl = "https://here/live/api/alerts?state=resolved&limit=50";

  beforeEach(() => {
    clock = new TestClock();
    served = board("e");
    asked = [];
    answers = new Map();
    sockets = [];
    events = [];
    heard = [];
    feed = new DirectFeed("https://here/live/", network, clock, (event) => heard.push(event));
  });

  it("asks only under the path where the board is mounted", () => {
    feed.start();
    expect(asked).toEqual(["https://here/live/api/board"]);
    expect(sockets[0].url).toBe("wss://here/live/ws/metrics");
    expect(events[0].url).toBe("https://here/live/events/alerts");
  });

  it("asks for the alerts that are over when it has heard of all that fire, and only then", async () => {
    feed.start();
    await settle();
    answers.set(overUrl, { alerts: [alert("old", { resolved: "T" })], total: 1 });
    events[0].say(alert("a"), "e-3");
    events[0].place(4, true);
    await settle();
    expect(asked.at(-1)).toBe(overUrl);
    expect(of("alerts")).toEqual([
      { type: "alerts", alerts: [alert("a")], whole: true },
      { type: "alerts", alerts: [alert("old", { resolved: "T" })], whole: false },
    ]);
    asked = [];
    events[0].fail();
    clock.pass(300);
    events[1].place(4, false);
    await settle();
    expect(asked).toEqual([]);
  });

  it("knows what fires also where the server does not tell what is over", async () => {
    feed.start();
    events[0].place(0, true);
    await settle();
    feed.stop();
    answers.set(overUrl, { alerts: [alert("late")], total: 1 });
    feed.start();
    events[1].place(0, true);
    feed.stop();
    await settle();
    expect(of("alerts").map((event) => event.type === "alerts" && event.alerts)).toEqual([[], []]);
  });

  it("asks for the board again until there is one", async () => {
    served = null;
    feed.start();
    await settle();
    served = board("e");
    clock.pass(300);
    await settle();
    expect(asked).toHaveLength(2);
    expect(of("board")).toHaveLength(1);
  });

  it("asks for the board again when the ticks are of another epoch", async () => {
    feed.start();
    await settle();
    sockets[0].open();
    sockets[0].sayWindow(windowOf("e", [tick(1, {})]));
    expect(asked).toHaveLength(1);
    served = board("f");
    sockets[0].sayWindow(windowOf("f", []));
    await settle();
    expect(of("board").at(-1)).toEqual({ type: "board", board: served });
  });

  it("does not ask for a board that it was just told", async () => {
    feed.start();
    await settle();
    sockets[0].open();
    sockets[0].sayWindow(windowOf("e", []));
    sockets[0].say({ type: "board", board: board("f") });
    sockets[0].sayWindow(windowOf("f", []));
    expect(asked).toHaveLength(1);
  });

  it("does not ask again with every tick when the board that it got is of another epoch", async () => {
    feed.start();
    await settle();
    sockets[0].open();
    sockets[0].sayWindow(windowOf("f", [tick(1, {})]));
    await settle();
    for (const seq of [2, 3, 4]) sockets[0].say(tickBytes(tick(seq, {})));
    await settle();
    expect(asked).toHaveLength(2);
  });

  it("says when ticks came in, and what they are of only where that is new", () => {
    feed.start();
    sockets[0].open();
    sockets[0].sayWindow(windowOf("e", [tick(1, { cpu: 1 })]));
    clock.pass(1000);
    sockets[0].say(tickBytes(tick(2, { cpu: 2 })));
    const received = clock.now();
    expect(of("ticks")).toEqual([
      { ...windowOf("e", [tick(1, { cpu: 1 })]), received: received - 1000 },
      { ...tick(2, { cpu: 2 }), series: null, received },
    ]);
  });

  describe("of a board whose metrics come and go", () => {
    const grown = (epoch = "e") => board(epoch, { metrics: [metric("cpu"), metric("load")] });
    const open = async () => {
      served = board("e", { metrics: [metric("cpu")] });
      feed.start();
      await settle();
      sockets[0].open();
      sockets[0].sayWindow(windowOf("e", [tick(1, { cpu: 1 })]));
    };
    const later = async (milliseconds = 1_000) => {
      clock.pass(milliseconds);
      await settle();
    };

    it("asks for the board, once, when the series name a metric that it lacks", async () => {
      await open();
      served = grown();
      sockets[0].sayWindow(windowOf("e", [tick(2, { cpu: 2, load: 2 })], true));
      await later();
      sockets[0].say(tickBytes(tick(3, { cpu: 3, load: 3 })));
      await later(60_000);
      expect(asked).toHaveLength(2);
      expect(of("board").at(-1)).toEqual({ type: "board", board: served });
    });

    it("asks once for a message of series, and less and less often, though the metric is never there", async () => {
      await open();
      for (let seq = 2; seq < 62; seq++) {
        sockets[0].sayWindow(windowOf("e", [tick(seq, { cpu: seq, ghost: seq })], true));
        await later();
      }
      const often = asked.length;
      expect(often).toBeGreaterThan(4);
      expect(often).toBeLessThan(14);
      await later(600_000);
      expect(asked.length - often).toBeLessThan(2);
    });

    it("does not ask when the board is told before its turn", async () => {
      await open();
      sockets[0].sayWindow(windowOf("e", [tick(2, { cpu: 2, load: 2 })], true));
      sockets[0].say({ type: "board", board: grown() });
      await later();
      expect(asked).toHaveLength(1);
    });

    it("asks again when the answer under way is from before the series, one at a time", async () => {
      const answers: ((board: Board) => void)[] = [];
      const slow: Network = {
        ...network,
        json: (url) => {
          asked.push(url);
          return new Promise((resolve) => answers.push(resolve));
        },
      };
      feed = new DirectFeed("https://here/live/", slow, clock, (event) => heard.push(event));
      feed.start();
      sockets[0].open();
      sockets[0].sayWindow(windowOf("e", [tick(1, { cpu: 1, load: 1 })]));
      await later(60_000);
      expect(answers).toHaveLength(1);
      answers[0](board("e", { metrics: [metric("cpu")] }));
      await settle();
      await later();
      expect(answers).toHaveLength(2);
      answers[1](grown());
      await settle();
      await later(60_000);
      expect(answers).toHaveLength(2);
    });

    it("does not show an answer in place of a board that was told meanwhile", async () => {
      feed.start();
      sockets[0].open();
      sockets[0].say({ type: "board", board: grown() });
      await settle();
      expect(of("board")).toEqual([{ type: "board", board: grown() }]);
    });

    it("asks for the board when it is back: what has gone meanwhile is told by nobody", async () => {
      await open();
      sockets[0].end();
      clock.pass(300);
      sockets[1].open();
      await settle();
      expect(asked).toHaveLength(2);
    });

    it("passes an amendment on as it is", async () => {
      await open();
      sockets[0].say(amendedBytes(tick(1, { cpu: 5 })));
      expect(of("amended")).toEqual([{ ...amendment(1, { cpu: 5 }), series: null }]);
      expect(of("ticks")).toHaveLength(1);
    });
  });

  it("says nothing of a board that comes after it was stopped", async () => {
    feed.start();
    feed.stop();
    await settle();
    expect(of("board")).toEqual([]);
    expect(sockets[0].closed && events[0].closed).toBe(true);
  });
});

describe("the browser's network", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("speaks the binary subprotocol", () => {
    class Opened {
      binaryType = "blob";

      constructor(
        readonly url: string,
        readonly protocol: string,
      ) {}
    }
    vi.stubGlobal("WebSocket", Opened);
    const socket = browserNetwork.socket("ws://here/ws/metrics");
    expect(socket).toEqual({
      url: "ws://here/ws/metrics",
      protocol: "tickboard.v1",
      binaryType: "arraybuffer",
    });
  });
});
