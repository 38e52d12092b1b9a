/** The alerts of another time replace those of now on the page, cost few requests, and stay when a request fails. */
import { batch, createRoot, createSignal } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { PastAlerts } from "../src/past/alerts";
import { type AlertStore, createAlertStore } from "../src/stores/alerts";
import { createPastAlertsStore, type PastAlertsStore } from "../src/stores/pastalerts";
import type { Shown } from "../src/time/range";
import type { Alert, AlertPage } from "../src/types.gen";
import { Window } from "../src/window/window";
import { alert, historyBytes, TestClock, ticks } from "./world";

const NOON = Date.parse("2026-01-31T12:00:00Z");
const MINUTE = 60_000;
const iso = (minutes: number) => new Date(NOON + minutes * MINUTE).toISOString();

/** An alert that fired and was resolved at these minutes after noon. */
const episode = (id: string, fired: number, resolved?: number, more: Partial<Alert> = {}) =>
  alert(id, {
    ...{ metric: "cpu", timestamp: iso(fired), ...more },
    ...(resolved !== undefined && { resolved: iso(resolved) }),
  });

const bytes = (value: unknown): ArrayBuffer => new TextEncoder().encode(JSON.stringify(value)).buffer;
const tasks = () => new Promise((done) => setTimeout(done));

describe("the alerts of another time", () => {
  let clock: TestClock;
  let asked: URLSearchParams[];
  let answers: ((query: URLSearchParams) => Promise<ArrayBuffer>)[];
  let known: Alert[];
  let past: PastAlertsStore;
  let store: AlertStore;
  let show: (shown: Shown, speed?: number) => Promise<void>;
  let loads: number;
  let isKept: boolean;

  const standing = (from: number, to: number): Shown => ({
    ...{ follows: false, from: NOON + from * MINUTE },
    to: NOON + to * MINUTE,
  });
  const OWN: Shown = { follows: true, spanMs: null };

  /** As the server has it: newest first, those that fired before `to` and did not end before `from`. */
  function page(query: URLSearchParams): AlertPage {
    const [from, to] = [query.get("from") ?? "", query.get("to") ?? "9"];
    const begin = from.startsWith("-")
      ? new Date(NOON - 1000 * Number.parseFloat(from.slice(1))).toISOString()
      : from;
    const found = known
      .filter(({ resolved, timestamp }) => timestamp < to && (resolved ?? "9") >= begin)
      .sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1));
    const first = found.length - Number(query.get("before") ?? found.length);
    const limit = Number(query.get("limit"));
    const next = first + limit < found.length ? found.length - first - limit : undefined;
    return { alerts: found.slice(first, first + limit), total: found.length, next };
  }

  function begin(first: Shown): void {
    createRoot(() => {
      const [shown, setShown] = createSignal(first);
      const [speed, setSpeed] = createSignal<0 | 1 | 10 | 60>(0);
      const live = new Window(60, 1000);
      live.take({ ...ticks([], 1, [[]]), times: Float64Array.from([NOON]) });
      past = createPastAlertsStore({
        clock,
        live: () => live,
        hasHistory: () => true,
        isKept: () => isKept,
        time: {
          ...{ shown, speed },
          follows: () => shown().follows,
          isOwn: () => {
            const here = shown();
            return here.follows && here.spanMs === null;
          },
          range: () => {
            const here = shown();
            return here.follows ? { from: NOON, to: NOON } : here;
          },
        },
        get: async (path) => {
          const query = new URLSearchParams(path.split("?")[1]);
          asked.push(query);
          return (await answers.shift()?.(query)) ?? bytes(page(query));
        },
        loader: async () => {
          loads++;
          return PastAlerts;
        },
      });
      store = createAlertStore({
        clock,
        dismissed: { load: () => [], save: () => {} },
        folded: { load: () => [], save: () => {} },
        hidden: { load: () => [], save: () => {} },
        past: past.view,
      });
      store.apply({ type: "alertsLive", live: true });
      show = async (next, times = 0) => {
        batch(() => {
          setShown(next);
          setSpeed(times as 0 | 1);
        });
        await tasks();
      };
    });
  }

  const take = (...alerts: Alert[]) => store.apply({ type: "alerts", alerts, whole: false });
  const firing = () => store.firing().map(({ alert: { id } }) => id);
  const over = () =>
    store.recentIds().flatMap((id) => store.entry(id)?.episodes.map((one) => one.alert.id) ?? []);
  const refused = async () => {
    throw new Error("the disk fails");
  };

  beforeEach(() => {
    clock = new TestClock();
    [asked, answers, known, loads, isKept] = [[], [], [], 0, true];
    begin(OWN);
  });

  it("are not asked for while the page shows its own window", async () => {
    await tasks();
    expect([asked.length, loads, past.view(), store.at()]).toEqual([0, 0, null, null]);
  });

  it("have their beginning from history where the window of now has it no more", async () => {
    const cpu = alert("a", { metric: "cpu", timestamp: iso(-5) });
    expect(past.earlier(cpu, NOON)).toBeNull();
    await tasks();
    answers.push(async () =>
      historyBytes(
        { from: NOON - 6 * MINUTE, to: NOON, resolutionMs: 1000 },
        [NOON - 5 * MINUTE],
        [{ name: "cpu", columns: [[3]] }],
      ),
    );
    expect(past.earlier(cpu, NOON)?.values).toEqual([]);
    clock.pass(20);
    await tasks();
    expect(past.earlier(cpu, NOON)?.values).toEqual([3]);
    expect([loads, asked.length, asked[0].get("metrics")]).toEqual([1, 1, "cpu"]);
    expect(past.earlier(alert("b"), NOON)).toBeNull();
  });

  it("have no beginning from a history that is not known to be kept", async () => {
    isKept = false;
    expect(past.earlier(alert("a", { metric: "cpu" }), NOON)).toBeNull();
    await tasks();
    expect([loads, asked.length]).toEqual([0, 0]);
  });

  it("are those that fired, and those that were over, at the end of the range", async () => {
    known = [
      episode("long", -300, -40, { severity: "critical" }),
      episode("then", -70, -50),
      episode("before", -100, -90),
      episode("old", -300, -200),
      episode("later", -55, -54),
    ];
    take(alert("now", { severity: "critical" }));
    await show(standing(-90, -60));
    expect([firing().sort(), over()]).toEqual([["long", "then"], ["before"]]);
    expect([store.firingCount("critical"), store.severityOf("cpu"), store.at()]).toEqual([
      ...[1, "critical"],
      NOON - 60 * MINUTE,
    ]);
    expect(store.episodesOf("cpu")).toHaveLength(3);
    expect(asked.map((query) => [query.get("from"), query.get("to")])).toEqual([
      // An hour around it at least.
      ["2026-01-31T10:00:00Z", "2026-01-31T11:00:00Z"],
    ]);
    await show(OWN);
    expect([firing(), store.at(), past.view()]).toEqual([["now"], null, null]);
  });

  it("leave what is news to what fires now", async () => {
    take(alert("now", { severity: "critical", message: "hot" }));
    await show(standing(-90, -60));
    take(alert("news", { severity: "critical", message: "hotter", timestamp: iso(1) }));
    expect(firing()).toEqual([]);
    expect([store.criticalNews(), store.countNow("critical"), store.isFiring("news")]).toEqual([
      "hotter",
      2,
      true,
    ]);
    expect(store.now("news")?.state).toBe("firing");
  });

  it("are unknown until they have arrived, on a page that is opened at that time", async () => {
    begin(standing(-90, -60));
    take(alert("now"));
    expect([firing(), store.sure(), past.state().loading]).toEqual([[], false, true]);
    known = [episode("then", -70, -50)];
    await tasks();
    expect([firing(), store.sure(), past.state().loading]).toEqual([["then"], true, false]);
  });

  it("stay while another range is loaded, and if it cannot be", async () => {
    known = [episode("then", -70, -50), episode("early", -500, -400)];
    await show(standing(-90, -60));
    answers = [refused, refused, refused, refused];
    await show(standing(-450, -420));
    expect([firing(), past.state()]).toEqual([["then"], { loading: true, failed: "" }]);
    for (const wait of [1000, 3000, 10_000]) {
      clock.pass(wait);
      await tasks();
    }
    const failed = "the alerts of this time could not be loaded: the disk fails";
    expect([firing(), store.at(), past.state()]).toEqual([
      ["then"],
      NOON - 60 * MINUTE,
      { loading: false, failed },
    ]);
    past.retry();
    await tasks();
    expect([firing(), past.state()]).toEqual([["early"], { loading: false, failed: "" }]);
  });

  it("are of the newest range when an older answer comes late", async () => {
    known = [episode("then", -70, -50), episode("early", -500, -400)];
    let late: (answer: ArrayBuffer) => void = () => {};
    answers = [
      () =>
        new Promise((done) => {
          late = done;
        }),
    ];
    await show(standing(-450, -420));
    await show(standing(-90, -60));
    late(bytes(page(asked[0])));
    await tasks();
    expect(firing()).toEqual(["then"]);
  });

  it("say so when the part of the page or the answer is not to be had", async () => {
    answers = Array.from({ length: 4 }, () => async () => bytes({ error: "no" }));
    await show(standing(-90, -60));
    for (const wait of [1000, 3000, 10_000]) {
      clock.pass(wait);
      await tasks();
    }
    expect(past.state().failed).toContain("the server sent no alerts");
  });

  it("appear and end in a replay, without a request for each step", async () => {
    known = [episode("a", -89, -80), episode("b", -82, -70), episode("c", -60, -50)];
    await show(standing(-100, -90));
    const requests = () => asked.length;
    expect([firing(), requests()]).toEqual([[], 1]);
    await show(standing(-98, -88), 60);
    expect([firing(), requests()]).toEqual([["a"], 2]);
    for (let minute = -87; minute <= -65; minute++) await show(standing(minute - 10, minute), 60);
    expect([firing(), over(), requests()]).toEqual([[], ["b", "a"], 2]);
    for (let minute = -64; minute <= -55; minute++) await show(standing(minute - 10, minute), 60);
    expect([firing(), requests()]).toEqual([["c"], 3]);
  });

  it("wait in a replay at the last that is known, and go on when more has arrived", async () => {
    known = [episode("a", -100, -95), episode("b", -20, -10)];
    await show(standing(-100, -90));
    await show(standing(-99, -89), 1);
    let go: () => void = () => {};
    answers = [
      (query) =>
        new Promise((done) => {
          go = () => done(bytes(page(query)));
        }),
    ];
    await show(standing(-25, -15), 1);
    expect([firing(), past.state().loading]).toEqual([[], true]);
    go();
    await tasks();
    expect([firing(), past.state().loading]).toEqual([["b"], false]);
  });

  it("are left out beyond five thousand, but not those that fire at the end of the range", async () => {
    known = [
      episode("firing", -59, 5),
      ...Array.from({ length: 6_000 }, (_, i) => episode(`a${i}`, -58 + i / 200, -58 + (i + 1) / 200)),
    ];
    await show(standing(-60, 0));
    expect(asked).toHaveLength(6);
    expect(firing()).toContain("firing");
    expect(store.tooMany()).toBe(1_000);
  });

  describe("while the page follows a longer range", () => {
    const LONG: Shown = { follows: true, spanMs: 6 * 60 * MINUTE };

    it("are added to those that the stream has, which says what fires", async () => {
      known = [episode("old", -300, -290), episode("live", -5), episode("ended", -4)];
      take(episode("live", -5));
      await show(LONG);
      expect(asked[0].get("from")).toBe("-21600s");
      expect([firing(), over(), store.at(), store.sure()]).toEqual([["live"], ["old"], null, true]);
    });

    it("are kept when they end, for longer than the stream's last ones", async () => {
      take(episode("live", -5));
      await show(LONG);
      const end = { type: "alerts", alerts: [episode("live", -5, -1)], whole: false } as const;
      past.apply(end);
      expect(past.find("live")?.resolved).toBe(iso(-1));
      expect(asked).toHaveLength(1);
      // A stream that begins anew may have missed others.
      past.apply({ ...end, whole: true });
      await tasks();
      expect(asked).toHaveLength(2);
    });

    it("are not those of a time at which the page stood still before", async () => {
      known = [episode("then", -70, -50)];
      await show(standing(-90, -60));
      answers = [() => new Promise(() => {})];
      await show(LONG);
      expect([firing(), store.at()]).toEqual([[], null]);
    });
  });

  it("are dismissed only at that time, and no firing one is folded", async () => {
    known = [episode("over", -80, -75), episode("then", -70, -50)];
    take(episode("then", -70));
    const [live] = store.firingIds();
    store.dismiss(store.entry(live) as NonNullable<ReturnType<typeof store.entry>>);
    await show(standing(-90, -60));
    const [shown] = store.firingIds();
    expect(store.isFolded(store.entry(shown) as NonNullable<ReturnType<typeof store.entry>>)).toBe(false);
    store.clear();
    expect(over()).toEqual([]);
    store.undo()?.undo();
    expect(over()).toEqual(["over"]);
  });
});
