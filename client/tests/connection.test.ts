/** The connection comes back by itself, says where it was, and notices a socket that died without a word. */
import { beforeEach, describe, expect, it } from "vitest";
import { type LinkStatus, MetricsConnection } from "../src/link/connection";
import type { Message } from "../src/link/decoder";
import { amendedBytes, series, seriesList, TestClock, TestSocket, tick, tickBytes, windowOf } from "./world";

describe("the connection", () => {
  let clock: TestClock;
  let sockets: TestSocket[];
  let statuses: LinkStatus[];
  let messages: Message[];
  let connection: MetricsConnection;
  const newest = () => sockets[sockets.length - 1];
  const status = () => statuses[statuses.length - 1];

  beforeEach(() => {
    clock = new TestClock();
    sockets = [];
    statuses = [];
    messages = [];
    connection = new MetricsConnection({
      url: "ws://here/ws/metrics",
      clock,
      open: (url) => {
        sockets.push(new TestSocket(url));
        return newest();
      },
      onMessage: (message) => messages.push(message),
      onStatus: (next) => statuses.push(next),
    });
    connection.start();
  });

  it("is connected when its socket opens", () => {
    expect(status().connected).toBe(false);
    newest().open();
    expect(status()).toEqual({ connected: true, tried: true, retryAt: null });
  });

  it("comes back with the position of the last tick that it saw", () => {
    newest().open();
    newest().sayWindow(windowOf("e", [tick(1, {})]));
    newest().say(tickBytes(tick(2, {})));
    newest().end();
    expect(status().connected).toBe(false);
    clock.pass(300);
    expect(sockets).toHaveLength(2);
    expect(newest().url).toBe("ws://here/ws/metrics?since=e%3A2");
  });

  it("passes an amendment on, and does not take it for a position", () => {
    newest().open();
    newest().sayWindow(windowOf("e", [tick(1, { cpu: 1 }), tick(2, { cpu: 2 })]));
    newest().say(amendedBytes(tick(1, { cpu: 5 })));
    expect(messages.at(-1)).toMatchObject({ type: "amended", seq: 1 });
    newest().end();
    clock.pass(300);
    expect(newest().url).toBe("ws://here/ws/metrics?since=e%3A2");
  });

  it("comes back to a board without a tick from its beginning", () => {
    newest().open();
    newest().sayWindow(windowOf("e", []));
    newest().end();
    clock.pass(300);
    expect(newest().url).toBe("ws://here/ws/metrics?since=e%3A0");
  });

  it("comes back from where a resumed window ended, though it was empty", () => {
    newest().open();
    newest().sayWindow({ ...windowOf("e", [], true), first: 8 });
    newest().end();
    clock.pass(300);
    expect(newest().url).toBe("ws://here/ws/metrics?since=e%3A7");
  });

  it("does not read a new socket's messages by the layout of the old one", () => {
    newest().open();
    newest().sayWindow(windowOf("e", [tick(1, { cpu: 1 })]));
    newest().end();
    clock.pass(300);
    newest().open();
    newest().say(tickBytes(tick(2, { cpu: 2 })));
    expect(messages).toHaveLength(1);
    newest().say(seriesList([series("cpu")]));
    newest().say(tickBytes(tick(2, { cpu: 2 })));
    expect(messages).toHaveLength(2);
  });

  it("waits longer after each failure, up to ten seconds, and starts anew when it worked", () => {
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      newest().end();
      waits.push((status().retryAt ?? 0) - clock.now());
      clock.pass(20_000 > waits[round] ? waits[round] : 20_000);
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
    newest().open();
    newest().sayWindow(windowOf("e", []));
    newest().end();
    expect((status().retryAt ?? 0) - clock.now()).toBe(250);
  });

  it("does not let an old socket's late close touch the new one", () => {
    const old = newest();
    old.open();
    old.end();
    clock.pass(300);
    newest().open();
    const late = statuses.length;
    old.end();
    old.sayWindow(windowOf("e", [tick(99, {})]));
    expect(statuses).toHaveLength(late);
    expect(messages).toEqual([]);
    expect(sockets).toHaveLength(2);
  });

  it("asks a silent server whether it is there, and leaves one that does not answer", () => {
    newest().open();
    newest().sayWindow(windowOf("e", []));
    clock.pass(10_001);
    expect(newest().sent).toEqual(['{"type":"ping"}']);
    const silent = newest();
    clock.pass(5_001);
    expect(silent.closed).toBe(true);
    expect(status().connected).toBe(false);
  });

  it("stays with a server that answers", () => {
    newest().open();
    newest().sayWindow(windowOf("e", []));
    clock.pass(10_001);
    newest().say({ type: "pong", timestamp: "T" });
    clock.pass(5_001);
    expect(newest().closed).toBe(false);
    expect(sockets).toHaveLength(1);
  });

  it("gives up a socket that never opens", () => {
    clock.pass(10_001);
    expect(sockets[0].closed).toBe(true);
    clock.pass(300);
    expect(sockets).toHaveLength(2);
  });

  it("tries at once when it is woken while it waits", () => {
    newest().end();
    connection.wake();
    expect(sockets).toHaveLength(2);
  });

  it("does not come back once it is stopped", () => {
    newest().open();
    connection.stop();
    expect(newest().closed).toBe(true);
    clock.pass(60_000);
    expect(sockets).toHaveLength(1);
  });

  it("ignores what is no message", () => {
    newest().open();
    for (const nonsense of [null, 5, [], {}, { type: "later" }, { type: "series" }]) newest().say(nonsense);
    newest().onmessage?.({ data: "{" });
    newest().onmessage?.({ data: new ArrayBuffer(4) });
    expect(messages).toEqual([]);
  });
});
