/** What is drawn is one moment of the window, and the page knows by itself when that moment lies too far back. */
import { createRoot, createSignal } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import type { Ticks } from "../src/decoder";
import type { FeedEvent } from "../src/feed";
import { type ConnectionStore, createConnectionStore } from "../src/stores/connection";
import { createStatsStore, type StatsStore } from "../src/stores/stats";
import { tick, windowOf } from "./world";

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

  it("does not make the cards anew when it is paused", () => {
    const before = store.seriesOf("cpu")[0];
    setPaused(true);
    expect(store.seriesOf("cpu")[0]).toBe(before);
  });
});

describe("the connection store", () => {
  let now: number;
  let store: ConnectionStore;
  const pass = (milliseconds: number) => {
    now += milliseconds;
    store.elapse();
  };
  const link = (connected: boolean, retryAt: number | null = null): FeedEvent => ({
    type: "status",
    status: { connected, tried: true, retryAt },
  });

  beforeEach(() => {
    now = 100_000;
    store = createRoot(() =>
      createConnectionStore(
        () => now,
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

  it("is not behind because the two clocks differ", () => {
    const server = now / 1000 - 3600;
    store.apply(arrival(tick(server, {}), now));
    pass(1_000);
    store.apply(arrival(tick(server + 1, {}), now));
    expect(store.behind()).toBe(0);
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
