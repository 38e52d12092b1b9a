/** One feed for all tabs: a new tab is live at once, a hidden one gets no ticks, the last one ends the feed. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Ticks } from "../src/link/decoder";
import type { Feed, Listener } from "../src/link/feed";
import { MAX_WAITING, type Port, ShareHub, type WorkerMessage } from "../src/link/share";
import { Window } from "../src/window/window";
import { alert, amendment, board, metric, TestClock, tick, windowOf } from "./world";

class TestPort implements Port {
  got: WorkerMessage[] = [];

  post(message: WorkerMessage): void {
    this.got.push(structuredClone(message));
  }

  types(): string[] {
    return this.got.map(({ type }) => type);
  }
}

class TestFeed implements Feed {
  running = false;
  woken = 0;

  constructor(readonly tell: Listener) {}

  start(): void {
    this.running = true;
  }

  stop(): void {
    this.running = false;
  }

  wake(): void {
    this.woken++;
  }
}

describe("the share hub", () => {
  let clock: TestClock;
  let feeds: TestFeed[];
  let hub: ShareHub;
  const tell = (ticks: Ticks) => feeds[0].tell({ ...ticks, received: 0 });
  const join = (visible = true): TestPort => {
    const port = new TestPort();
    hub.receive(port, { type: "hello", base: "http://here/", visible });
    return port;
  };

  beforeEach(() => {
    clock = new TestClock();
    feeds = [];
    hub = new ShareHub(clock, (_, listener) => {
      feeds.push(new TestFeed(listener));
      return feeds[feeds.length - 1];
    });
  });

  it("has one feed however many tabs there are", () => {
    for (let i = 0; i < 10; i++) join();
    expect(feeds).toHaveLength(1);
    expect(hub.size).toBe(10);
  });

  it("gives a new tab everything there is at once", () => {
    join();
    tell(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    feeds[0].tell({ type: "alerts", alerts: [alert("a")], whole: true });
    const late = join();
    expect(late.types()).toEqual(["snapshot"]);
    const [snapshot] = late.got;
    if (snapshot.type !== "snapshot") throw new Error("no snapshot");
    expect(Array.from(snapshot.window?.columns[0] ?? [])).toEqual([1, 2]);
    expect(snapshot.episodes?.map((episode) => episode.alert.id)).toEqual(["a"]);
  });

  it("gives a hidden tab alerts but no ticks, and a snapshot when it is looked at again", () => {
    const port = join();
    hub.receive(port, { type: "visible", visible: false });
    port.got = [];
    tell(tick(1, { cpu: 1 }));
    feeds[0].tell({ type: "alerts", alerts: [alert("a")], whole: true });
    expect(port.types()).toEqual(["alerts"]);
    hub.receive(port, { type: "visible", visible: true });
    expect(port.types()).toEqual(["alerts", "snapshot"]);
  });

  it("gives a new tab the server's time, whether alerts are live, and why there is no connection", () => {
    join();
    feeds[0].tell({ ...tick(100, { cpu: 1 }), received: clock.now() });
    feeds[0].tell({ type: "alertsLive", live: true });
    const trouble = { kind: "upgrade", said: "" } as const;
    feeds[0].tell({ type: "trouble", trouble });
    clock.pass(60_000);
    expect(join().got[0]).toMatchObject({ serverTime: 160_000, alertsLive: true, trouble });
  });

  it("does not say what fires before it knows it", () => {
    const [snapshot] = join().got;
    expect(snapshot).toMatchObject({ type: "snapshot", episodes: null });
  });

  it("has the tab that was seen last draw attention, and none while one is looked at", () => {
    const [first, second, third] = [join(), join(), join(false)];
    const quiet = () => {
      feeds[0].tell({ type: "alerts", alerts: [alert("a")], whole: false });
      return [first, second, third].map((port) => {
        const last = port.got.at(-1);
        return last?.type === "alerts" && last.quiet;
      });
    };
    expect(quiet()).toEqual([true, true, true]);
    clock.pass(1_000);
    hub.receive(second, { type: "visible", visible: false });
    clock.pass(1_000);
    hub.receive(first, { type: "visible", visible: false });
    expect(quiet()).toEqual([false, true, true]);
  });

  it("gives a tab that comes back what the ticks after are of, though they do not say it", () => {
    const port = join();
    tell(windowOf("e", [tick(1, { cpu: 1 })]));
    hub.receive(port, { type: "visible", visible: false });
    tell(tick(2, { load: 7, cpu: 2 }));
    port.got = [];
    hub.receive(port, { type: "visible", visible: true });
    tell({ ...tick(3, { load: 8, cpu: 3 }), series: null });
    const [snapshot, next] = port.got;
    if (snapshot.type !== "snapshot" || next.type !== "ticks") throw new Error("no snapshot and tick");
    const window = new Window(60, 1000);
    if (snapshot.window !== null) window.restore(snapshot.window);
    window.take(next);
    expect(Array.from(window.ordered("cpu"))).toEqual([1, 2, 3]);
    expect(Array.from(window.ordered("load"))).toEqual([Number.NaN, 7, 8]);
  });

  it("posts no more to a tab that takes nothing, and everything as it is when it has taken what there was", () => {
    const [busy, quick] = [join(), join()];
    const take = (port: TestPort) => hub.receive(port, { type: "taken" });
    take(busy);
    take(quick);
    busy.got = [];
    quick.got = [];
    for (let seq = 1; seq <= 1_000; seq++) {
      tell(tick(seq, { cpu: seq }));
      take(quick);
    }
    feeds[0].tell({ type: "alerts", alerts: [alert("a")], whole: true });
    expect(quick.got).toHaveLength(1_001);
    // What is an event is posted all the same.
    expect(busy.types()).toEqual([...Array<string>(MAX_WAITING).fill("ticks"), "alerts"]);
    for (let i = 1; i < MAX_WAITING; i++) take(busy);
    tell(tick(1_001, { cpu: 1_001 }));
    expect(busy.got).toHaveLength(MAX_WAITING + 1);
    take(busy);
    const newest = busy.got.at(-1);
    if (newest?.type !== "snapshot") throw new Error("no snapshot");
    expect(newest.window?.seqs.at(-1)).toBe(1_001);
    take(busy);
    tell(tick(1_002, { cpu: 1_002 }));
    expect(busy.types().at(-1)).toBe("ticks");
  });

  it("amends what a later tab gets, and tells only those who look", () => {
    const [seen, hidden] = [join(), join(false)];
    tell(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    seen.got = [];
    hidden.got = [];
    feeds[0].tell(amendment(1, { cpu: 7 }));
    expect([seen.types(), hidden.types()]).toEqual([["amended"], []]);
    const [snapshot] = join().got;
    if (snapshot.type !== "snapshot") throw new Error("no snapshot");
    expect(Array.from(snapshot.window?.columns[0] ?? [])).toEqual([7, 2]);
  });

  it("gives a later tab the newest board of an epoch", () => {
    const hidden = join(false);
    feeds[0].tell({ type: "board", board: board("e") });
    const grown = board("e", {
      metrics: [metric("cpu")],
      panels: [{ type: "card", metric: "cpu", title: "" }],
    });
    feeds[0].tell({ type: "board", board: grown });
    expect(hidden.got.at(-1)).toEqual({ type: "board", board: grown });
    expect(join().got[0]).toMatchObject({ type: "snapshot", board: grown });
  });

  it("ends the feed with the last tab and begins another with the next", () => {
    const [one, other] = [join(), join()];
    hub.receive(one, { type: "bye" });
    expect(feeds[0].running).toBe(true);
    hub.receive(other, { type: "bye" });
    expect(feeds[0].running).toBe(false);
    join();
    expect(feeds).toHaveLength(2);
  });

  it("forgets a tab that is not heard of, and not one that is", () => {
    const [, lively] = [join(), join()];
    for (let i = 0; i < 10; i++) {
      clock.pass(20_000);
      hub.receive(lively, { type: "alive", visible: true });
    }
    expect(hub.size).toBe(1);
    expect(lively.types()).toContain("here");
  });
});
