/** What is drawn is one moment of the window, and the page knows by itself when that moment lies too far back. */
import { createEffect, createRoot, createSignal } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import type { Group } from "../src/components/layout";
import type { Ticks } from "../src/link/decoder";
import type { FeedEvent, Snapshot } from "../src/link/feed";
import { createBoardStore } from "../src/stores/board";
import { type ConnectionStore, createConnectionStore } from "../src/stores/connection";
import { createRowsStore } from "../src/stores/rows";
import { createStatsStore, type StatsStore } from "../src/stores/stats";
import type { Card, Chart, Panel } from "../src/types.gen";
import { Window } from "../src/window/window";
import { alert, amendment, at, board, metric, tick, ticks, windowOf } from "./world";

const panelsIn = (groups: readonly Group[]): Panel[] =>
  groups.flatMap((group) => (group.type === "row" ? panelsIn(group.groups) : [...group.panels]));

const snapshot: Snapshot = {
  type: "snapshot",
  status: { connected: true, tried: true, retryAt: null },
  board: null,
  problems: [],
  window: null,
  episodes: null,
  alertsLive: false,
  trouble: null,
  serverTime: 0,
};

const arrival = (ticks: Ticks, received = 0): FeedEvent => ({ ...ticks, received });

describe("the stats store", () => {
  const [paused, setPaused] = createSignal(false);
  let frames: (() => void)[];
  let store: StatsStore;
  const frame = () => {
    for (const callback of frames.splice(0)) callback();
  };
  const values = () => Array.from(store.window.ordered("cpu"));

  beforeEach(() => {
    setPaused(false);
    frames = [];
    store = createRoot(() => createStatsStore((callback) => frames.push(callback), paused));
    store.apply(arrival(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })])));
    frame();
  });

  it("draws once for a burst of ticks, and not before the frame", () => {
    const before = store.drawn();
    for (const seq of [3, 4, 5]) store.apply(arrival(tick(seq, { cpu: seq })));
    expect(frames).toHaveLength(1);
    expect(store.drawn()).toBe(before);
    frame();
    expect(store.drawn()).toBe(before + 1);
  });

  it("does not have all follow again for pictures that have their turn later", () => {
    const before = store.drawn();
    store.inTurn(() => {});
    frame();
    expect(store.drawn()).toBe(before);
  });

  it("shows what came during a pause once that is over", () => {
    setPaused(true);
    store.apply(arrival(tick(3, { cpu: 3 })));
    frame();
    setPaused(false);
    const before = store.drawn();
    store.draw();
    frame();
    expect(store.drawn()).toBe(before + 1);
  });

  describe("with pictures that take long", () => {
    let time: number;
    let painted: string[];
    const settle = () => new Promise((resolve) => setTimeout(resolve));
    const picture = (name: string) => () => {
      painted.push(name);
      time += 25;
    };

    beforeEach(() => {
      time = 0;
      painted = [];
      store = createRoot(() =>
        createStatsStore(
          (callback) => frames.push(callback),
          paused,
          () => time,
        ),
      );
    });

    it("draws as many in one frame as it may take, and the others in the next", async () => {
      const all = ["a", "b", "c", "d", "e"].map(picture);
      for (const one of all) store.inTurn(one);
      expect([frames.length, painted]).toEqual([1, []]);
      frame();
      await settle();
      expect(painted).toEqual(["a", "b"]);
      // One that is asked for again keeps its turn, one that was drawn comes last.
      for (const one of all) store.inTurn(one);
      frame();
      await settle();
      expect(painted).toEqual(["a", "b", "c", "d"]);
      frame();
      await settle();
      frame();
      await settle();
      expect(painted).toEqual(["a", "b", "c", "d", "e", "a", "b"]);
      expect(frames).toHaveLength(0);
    });

    it("draws more at once of those that have waited for long", () => {
      const all = Array.from({ length: 12 }, (_, i) => picture(`${i}`));
      for (const one of all.slice(0, 10)) store.inTurn(one);
      time += 600;
      for (const one of all.slice(10)) store.inTurn(one);
      frame();
      // Not all, for whoever presses something waits meanwhile.
      expect(painted).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
      frame();
      expect(painted).toHaveLength(10);
    });

    it("goes on after a drawing that fails", async () => {
      let fails = false;
      createRoot(() =>
        createEffect(() => {
          store.drawn();
          if (fails) throw new Error("a defect");
        }),
      );
      fails = true;
      store.draw();
      expect(frame).toThrow("a defect");
      fails = false;
      store.inTurn(picture("next"));
      frame();
      await settle();
      expect(painted).toEqual(["next"]);
    });

    it("draws none that has gone, and those that come into view while the picture is held", async () => {
      setPaused(true);
      const [gone, seen] = [picture("gone"), picture("seen")];
      store.inTurn(gone);
      store.inTurn(seen);
      store.outOfTurn(gone);
      frame();
      await settle();
      expect([painted, frames.length]).toEqual([["seen"], 0]);
    });
  });

  it("says under the cursor what the paused picture shows, whatever comes after", () => {
    setPaused(true);
    store.apply(arrival(tick(3, { cpu: 3 })));
    frame();
    expect(values()).toEqual([1, 2]);
    expect(createRoot(() => store.statsOf("cpu")())).toMatchObject({ count: 2, last: 2 });
  });

  it("jumps to now when the pause is over, with all that came meanwhile", () => {
    setPaused(true);
    store.apply(arrival(tick(3, { cpu: 3, load: 7 })));
    setPaused(false);
    store.draw();
    frame();
    expect(values()).toEqual([1, 2, 3]);
    expect(store.seriesOf("load")).toHaveLength(1);
  });

  it("draws once more for an amendment, and not in a paused picture", () => {
    const before = store.drawn();
    store.apply(amendment(1, { cpu: 7 }));
    frame();
    expect([store.drawn(), ...values()]).toEqual([before + 1, 7, 2]);
    setPaused(true);
    store.apply(amendment(1, { cpu: 8 }));
    frame();
    expect(values()).toEqual([7, 2]);
    setPaused(false);
    expect(values()).toEqual([8, 2]);
  });

  it("computes stats at first, and then only while they are looked at", () => {
    const [seen, setSeen] = createSignal(false);
    createRoot(() => {
      const stats = store.statsOf("cpu", seen);
      expect(stats().last).toBe(2);
      store.apply(arrival(tick(3, { cpu: 3 })));
      frame();
      expect(stats().last).toBe(2);
      setSeen(true);
      expect(stats().last).toBe(3);
      store.apply(arrival(tick(4, { cpu: 4 })));
      frame();
      expect(stats().last).toBe(4);
    });
  });

  it("keeps the list of a metric's series while others come", () => {
    const before = store.seriesOf("cpu");
    store.apply(arrival(tick(3, { cpu: 3, load: 7 })));
    frame();
    expect(store.seriesOf("cpu")).toBe(before);
    expect(store.seriesOf("load")).toHaveLength(1);
  });

  describe("at another time", () => {
    const [other, setOther] = createSignal<Window | null>(null, { equals: false });
    let stands: boolean;
    let arrived: ReadonlySet<string>;

    const windowAt = (seq: number, columns: Record<string, number>): Window => {
      const window = new Window(60, 1000);
      window.take(windowOf("past", [tick(seq, columns)]));
      return window;
    };

    beforeEach(() => {
      setOther(null);
      [stands, arrived] = [true, new Set(["cpu", "load"])];
      const time = {
        ...{ window: other, stands: () => stands, replays: () => false },
        has: (metric: string) => arrived.has(metric),
      };
      store = createRoot(() =>
        createStatsStore(
          (callback) => frames.push(callback),
          paused,
          () => 0,
          time,
        ),
      );
      store.apply(arrival(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })])));
      frame();
    });

    it("shows the other window, which ticks leave as it is", () => {
      setOther(windowAt(1, { cpu: 7 }));
      frame();
      const drawn = store.drawn();
      store.apply(arrival(tick(3, { cpu: 3 })));
      frame();
      expect([values(), store.drawn()]).toEqual([[7], drawn]);
      expect(store.live.newest("cpu")).toBe(3);
      stands = false;
      setOther(null);
      frame();
      expect(values()).toEqual([1, 2, 3]);
    });

    it("has the series of then, and of a metric that has not arrived those of now", () => {
      arrived = new Set(["load"]);
      setOther(windowAt(1, { load: 7 }));
      frame();
      expect([store.seriesOf("cpu"), store.seriesOf("load")].map((all) => all.length)).toEqual([1, 1]);
      arrived = new Set(["cpu", "load"]);
      setOther(windowAt(1, { load: 7 }));
      frame();
      expect(store.seriesOf("cpu")).toHaveLength(0);
    });

    it("lets views change their order when it goes to another moment, and only their values for more of it", () => {
      const before = store.pace();
      setOther(windowAt(2, { cpu: 7 }));
      frame();
      const same = store.pace() - before;
      setOther(windowAt(500, { cpu: 7 }));
      frame();
      const jumped = store.pace() - before - same;
      expect(same).toBeGreaterThan(900);
      expect(same).toBeLessThan(5_000);
      expect(jumped).toBeGreaterThan(60_000);
    });
  });

  it("does not make the cards anew when it is paused", () => {
    const before = store.seriesOf("cpu")[0];
    setPaused(true);
    expect(store.seriesOf("cpu")[0]).toBe(before);
  });
});

describe("the board store", () => {
  const card = (metric: string): Card => ({ type: "card", metric, title: metric });
  const chart = (metric: string): Chart => ({ type: "chart", metrics: [metric], title: metric });
  const declared = (names: string[], epoch = "e") =>
    structuredClone(
      board(epoch, {
        metrics: names.map((name) => metric(name)),
        panels: [
          { type: "row", panels: names.map(card) },
          { type: "row", panels: names.map(chart) },
        ],
        problems: [{ source: "here", message: "broken", since: "T" }],
      }),
    );

  it("keeps every panel, metric and problem that is as before when others come and go", () => {
    const store = createRoot(createBoardStore);
    const leaves = () => panelsIn(store.groups());
    store.apply({ type: "board", board: declared(["a", "b"]) });
    const [before, info, problem] = [leaves(), store.metric("a"), store.problems()[0]];
    store.apply({ type: "board", board: declared(["a", "b", "c"]) });
    expect(leaves().map((panel) => before.indexOf(panel))).toEqual([0, 1, -1, 2, 3, -1]);
    expect([store.metric("a"), store.problems()[0]]).toEqual([info, problem]);
    expect(store.metric("a")).toBe(info);
    expect(store.problems()[0]).toBe(problem);
    store.apply({ type: "board", board: declared(["b"]) });
    expect(leaves().map((panel) => before.indexOf(panel))).toEqual([1, 3]);
    expect(store.metric("a")).toBeUndefined();
  });

  it("knows since when a metric is stale, and that it is no more when the problem has gone", () => {
    const store = createRoot(createBoardStore);
    const problem = (seconds: number, metrics?: string[]) => ({
      ...{ source: `sampler ${seconds}`, message: "hangs", since: at(seconds) },
      ...(metrics === undefined ? {} : { metrics }),
    });
    store.apply({ type: "board", board: { ...declared(["a", "b", "c"]), problems: [problem(5, ["a"])] } });
    expect(["a", "b"].map(store.staleSince)).toEqual([5_000, undefined]);
    store.apply({
      type: "problems",
      problems: [problem(5, ["a"]), problem(3, ["a", "b"]), problem(9), problem(8, ["a"])],
    });
    expect(["a", "b", "c"].map(store.staleSince)).toEqual([3_000, 3_000, undefined]);
    store.apply({ type: "problems", problems: [] });
    expect(store.staleSince("a")).toBeUndefined();
  });

  it("takes the newest board of a snapshot, also of the same epoch", () => {
    const store = createRoot(createBoardStore);
    store.apply({ type: "board", board: declared(["a"]) });
    const [before] = panelsIn(store.groups());
    const grown = declared(["a", "b"]);
    store.apply({ ...snapshot, board: grown, problems: [] });
    expect(store.metric("b")?.title).toBe("B");
    expect(panelsIn(store.groups())).toHaveLength(4);
    expect(panelsIn(store.groups())[0]).toBe(before);
  });

  it.each([
    ["cpu > 90", true],
    ["90 < cpu", true],
    ['cpu.p95("30s") > 80', true],
    ['metric("cpu", kind="error rate") > -5', true],
    ["(cpu > 90) & (load.rate > 1)", true],
    ["cpu / load > 0.5", false],
    ["cpu.rate > 5", false],
    ["anomaly(cpu) > 5", false],
    ["total(cpu) > 5", false],
  ])("draws the threshold and knows the unit of %s: %s", (condition, plain) => {
    const store = createRoot(createBoardStore);
    const rule = {
      name: "r",
      condition,
      message: "",
      severity: "info" as const,
      metric: "cpu",
      threshold: 5,
    };
    store.apply({ type: "board", board: board("e", { metrics: [metric("cpu")], rules: [rule] }) });
    expect(store.thresholdsOf(["cpu", "load"])).toHaveLength(plain ? 1 : 0);
    expect(store.unitOf(alert("a", { metric: "cpu", rule: "r" }))).toBe(plain ? "%" : "");
  });
});

describe("the rows store", () => {
  const memoryOf = (...paths: string[]) => {
    let saved = paths;
    return {
      load: () => saved,
      save: (next: string[]) => {
        saved = next;
      },
    };
  };
  const row = (path: string, folded = false) => ({ path, folded });

  it("remembers what the viewer has folded and opened, each beside how it begins", () => {
    const [folded, opened] = [memoryOf("nginx"), memoryOf("itself")];
    const make = () => createRoot(() => createRowsStore(folded, opened));
    const rows = make();
    const all = [row("nginx"), row("postgres"), row("itself", true), row("requests", true)];
    expect(all.map(rows.isOpen)).toEqual([false, true, true, false]);
    for (const one of all) rows.toggle(one);
    expect(all.map(rows.isOpen)).toEqual([true, false, false, true]);
    expect(all.map(make().isOpen)).toEqual([true, false, false, true]);
    expect([folded.load(), opened.load()]).toEqual([["postgres"], ["requests"]]);
  });

  it("opens what is folded and leaves what is open", () => {
    const rows = createRoot(() => createRowsStore(memoryOf("a"), memoryOf()));
    rows.setOpen(row("a"), true);
    rows.setOpen(row("b"), true);
    expect([row("a"), row("b")].map(rows.isOpen)).toEqual([true, true]);
  });
});

describe("the connection store", () => {
  let now: number;
  let wall: number;
  let store: ConnectionStore;
  const pass = (milliseconds: number) => {
    now += milliseconds;
    wall += milliseconds;
    store.elapse();
  };
  const link = (connected: boolean, retryAt: number | null = null): FeedEvent => ({
    type: "status",
    status: { connected, tried: true, retryAt },
  });

  beforeEach(() => {
    now = 100_000;
    wall = 100_000;
    store = createRoot(() =>
      createConnectionStore(
        () => now,
        () => wall,
        () => 1000,
      ),
    );
    store.apply(link(true));
  });

  it("is behind when the newest tick is late, and not before it is too late", () => {
    store.apply(arrival(tick(100, {}), now));
    pass(3_000);
    expect(store.behind()).toBe(0);
    pass(2_000);
    expect(store.behind()).toBe(5);
    store.apply(arrival(tick(105, {}), now));
    expect(store.behind()).toBe(0);
  });

  it("is stale when no tick comes or the connection is missed, and only with something to show", () => {
    store.apply(link(false));
    pass(2_000);
    expect([store.lost(), store.stale()]).toEqual([true, false]);
    store.apply(link(true));
    store.apply(arrival(tick(100, {}), now));
    expect([store.lost(), store.stale()]).toEqual([false, false]);
    store.apply(link(false));
    // It may be back before anybody notices.
    pass(900);
    expect(store.stale()).toBe(false);
    pass(200);
    expect([store.lost(), store.stale()]).toEqual([true, true]);
    store.apply(link(true));
    store.apply(arrival(tick(102, {}), now));
    expect(store.stale()).toBe(false);
    pass(5_000);
    expect([store.lost(), store.stale()]).toEqual([false, true]);
  });

  it("knows the server's time by the ticks, and its own where there are none yet", () => {
    expect(store.serverTime()).toBe(100_000);
    store.apply(arrival(tick(40, {}), now));
    pass(2_500);
    expect(store.serverTime()).toBe(42_500);
  });

  it("is as late as before after an amendment", () => {
    store.apply(arrival(tick(100, {}), now));
    pass(5_000);
    store.apply(amendment(100, { cpu: 1 }));
    expect(store.behind()).toBe(5);
    expect(store.newest()).toBe(100_000);
  });

  it("is not behind because the two clocks differ", () => {
    const server = now / 1000 - 3600;
    store.apply(arrival(tick(server, {}), now));
    pass(1_000);
    store.apply(arrival(tick(server + 1, {}), now));
    expect(store.behind()).toBe(0);
  });

  it("is not behind because the viewer's clock is set, either way", () => {
    store.apply(arrival(tick(100, {}), now));
    for (const jump of [3_600_000, -7_200_000]) {
      wall += jump;
      pass(1_000);
      expect([store.behind(), store.live()]).toEqual([0, true]);
      expect(store.time()).toBe(wall);
    }
  });

  it("is not live when ticks stop while the socket is open, also when none has come yet", () => {
    pass(5_000);
    expect([store.live(), store.behind()]).toEqual([false, 5]);
    store.apply(arrival(tick(100, {}), now));
    expect(store.live()).toBe(true);
    pass(5_000);
    expect([store.live(), store.behind()]).toEqual([false, 5]);
  });

  it("begins anew with a window that does, which may be empty and of another time", () => {
    store.apply(arrival(tick(100, {}), now));
    pass(1_000);
    store.apply(arrival(ticks([], 1, [], { epoch: "f", afresh: true }), now));
    expect([store.newest(), store.behind()]).toEqual([Number.NaN, 0]);
    pass(1_000);
    store.apply(arrival(windowOf("f", [tick(40, {})]), now));
    expect([store.newest(), store.behind(), store.serverTime()]).toEqual([40_000, 0, 40_000]);
    pass(5_000);
    expect(store.behind()).toBe(5);
  });

  it("is behind when a snapshot's newest tick is old, though it has just come", () => {
    const window = new Window(60, 1000);
    window.take(tick(100, {}));
    store.apply({ ...snapshot, window: window.snapshot(), serverTime: 160_000 });
    expect([store.behind(), store.live(), store.serverTime()]).toEqual([60, false, 160_000]);
    store.apply({ ...snapshot, window: window.snapshot(), serverTime: 100_500 });
    expect([store.behind(), store.live()]).toEqual([0, true]);
  });

  it("does not count down longer than it ever waits", () => {
    store.apply(link(false, now + 3_600_000));
    expect(store.retryIn()).toBe(10);
  });

  it("is disconnected rather than behind when there is no connection", () => {
    store.apply(arrival(tick(100, {}), now));
    store.apply(link(false));
    pass(60_000);
    expect(store.behind()).toBe(0);
  });

  it("counts the seconds down to the next try", () => {
    store.apply(link(false, now + 4_000));
    expect(store.retryIn()).toBe(4);
    pass(2_500);
    expect(store.retryIn()).toBe(2);
    store.apply(link(false));
    expect(store.retryIn()).toBeNull();
  });
});
