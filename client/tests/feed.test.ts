/** The feed of a page: every address under the page's own, and the board of the epoch that the ticks are of. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { browserNetwork, DirectFeed, type FeedEvent, type Network } from "../src/link/feed";
import type { BoardInfo, MetricsChanged } from "../src/types.gen";
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
  let served: BoardInfo | null;
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
    ask: async (url) => {
      probed.push(url);
      if (answer === null) throw new Error("no server");
      return answer;
    },
  };
  let probed: string[];
  let answer: { status: number; text: string } | null;
  const overUrl = "https://here/live/api/alerts?state=resolved&limit=50";

  beforeEach(() => {
    clock = new TestClock();
    served = board("e");
    answer = null;
    probed = [];
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
    expect(sockets[0].url).toBe("wss://here/live/ws/metrics?changes=1");
    expect(events[0].url).toBe("https://here/live/events/alerts");
  });

  describe("whose handshakes fail", () => {
    const fail = async (times: number) => {
      for (let i = 0; i < times; i++) {
        sockets[sockets.length - 1].end();
        clock.pass(10_000);
        await settle();
      }
    };
    const told = () => of("trouble").map((event) => event.type === "trouble" && event.trouble);

    beforeEach(() => feed.start());

    it("asks the same address why, and says it when it is so twice", async () => {
      answer = { status: 426, text: '{"error": "it is a WebSocket"}' };
      await fail(2);
      expect(probed).toEqual([]);
      await fail(1);
      expect(probed).toEqual(["https://here/live/ws/metrics"]);
      expect(told()).toEqual([]);
      await fail(1);
      expect(told()).toEqual([{ kind: "upgrade", said: "it is a WebSocket" }]);
      sockets[sockets.length - 1].open();
      expect(told().at(-1)).toBeNull();
    });

    it.each([
      [403, '{"error": "a page of another site"}', "403: a page of another site"],
      [401, "", "401"],
      [421, "not my name\n", "421: not my name"],
      [502, "<html><h1>Bad Gateway</h1></html>", "502"],
    ])("says what the server said with %i", async (status, text, said) => {
      answer = { status, text };
      await fail(4);
      expect(told()).toEqual([{ kind: "refused", said }]);
    });

    it("says that nobody is logged in any more", async () => {
      answer = { status: 401, text: '{"error": "this needs the role viewer: log in"}' };
      await fail(4);
      expect(told()).toEqual([{ kind: "login", said: "this needs the role viewer: log in" }]);
    });

    it("says nothing of it while nobody answers", async () => {
      await fail(6);
      expect(told()).toEqual([]);
      answer = { status: 404, text: "" };
      await fail(2);
      answer = null;
      await fail(1);
      expect(told()).toEqual([{ kind: "upgrade", said: "" }, null]);
    });
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
      const answers: ((board: BoardInfo) => void)[] = [];
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

    const changed = (before: number, name: string): MetricsChanged => ({
      type: "metrics_changed",
      epoch: "e",
      before,
      revision: before + 1,
      added: [metric(name)],
    });
    const names = () => (of("board").at(-1) as { board: BoardInfo }).board.metrics.map(({ name }) => name);

    it("keeps the board up by what has changed, and asks for nothing", async () => {
      await open();
      sockets[0].say({ type: "problems", problems: [] });
      sockets[0].say(changed(0, "load"));
      sockets[0].say(changed(1, "heat"));
      await later(60_000);
      expect(names()).toEqual(["cpu", "load", "heat"]);
      expect(asked).toHaveLength(1);
    });

    it("keeps the problems that were told last when metrics come", async () => {
      await open();
      const problems = [{ source: "s", message: "m", since: "t" }];
      sockets[0].say({ type: "problems", problems });
      sockets[0].say(changed(0, "load"));
      expect(of("board").at(-1)).toMatchObject({ board: { problems } });
    });

    it("asks for the board where a change before was missed, and puts those that come meanwhile on top", async () => {
      await open();
      const wanted: ((board: unknown) => void)[] = [];
      answers.set("https://here/live/api/board", new Promise((resolve) => wanted.push(resolve)));
      sockets[0].say(changed(3, "d"));
      sockets[0].say(changed(4, "e"));
      sockets[0].say(changed(5, "f"));
      expect(asked).toHaveLength(2);
      wanted[0](board("e", { metrics: [metric("cpu"), metric("d")], revision: 4 }));
      await settle();
      expect(names()).toEqual(["cpu", "d", "e", "f"]);
      await later(60_000);
      expect(asked).toHaveLength(2);
    });

    it("leaves out a change that its board has already", async () => {
      served = board("e", { metrics: [metric("cpu"), metric("load")], revision: 1 });
      feed.start();
      await settle();
      sockets[0].open();
      sockets[0].say(changed(0, "load"));
      await later();
      expect(names()).toEqual(["cpu", "load"]);
      expect(asked).toHaveLength(1);
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
      protocol: "tickboard.v2",
      binaryType: "arraybuffer",
    });
  });
});
