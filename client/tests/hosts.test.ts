/** The hosts of a wall: columns, the value nearest to its limit, order, groups, filter, words, lines and places. */
import { describe, expect, it } from "vitest";
import { boardOf } from "../src/hosts/address";
import { type CellGroup, heatOf, laid, placed } from "../src/hosts/cells";
import { goneTogether } from "../src/hosts/gone";
import { pathOf, slotsOf } from "../src/hosts/line";
import {
  type Column,
  columnsOf,
  fullIn,
  groupingLabels,
  groupsOf,
  type Host,
  matcher,
  nearest,
  planOf,
  roleOf,
  shownOf,
  sorted,
  together,
  wrongWith,
} from "../src/hosts/model";
import { briefText, namesText, noteText, sharedEnd, upText, valueText } from "../src/hosts/words";
import { setUtc } from "../src/time/zone";
import type { MetricInfo, RuleInfo } from "../src/types.gen";
import { Window } from "../src/window/window";
import { series } from "./world";

const metric = (name: string, title: string, unit: string, more: Partial<MetricInfo> = {}): MetricInfo => ({
  ...{ name, title, unit, kind: "gauge", labels: ["host", "env"] },
  ...more,
});
const rule = (of: string, threshold: number, condition = `${of} > ${threshold}`): RuleInfo => ({
  ...{ condition, threshold, message: "", severity: "warning", metric: of },
});
const host = (name: string, more: Partial<Host> = {}): Host => ({
  ...{ name, labels: {}, info: undefined, state: "live", since: Number.NaN },
  ...{ severity: undefined, firing: 0, values: [], column: -1, share: 0, fires: false },
  ...more,
});
const OVERVIEW = [
  metric("host_up", "Host is there", ""),
  metric("cpu_usage", "CPU Usage", "%", { max: 100 }),
  metric("disk_space_usage", "Disk Space", "%", { max: 100, labels: ["host", "env", "mount"] }),
  metric("net_received_rate", "Network Received", "B/s"),
  metric("net_sent_rate", "Network Sent", "B/s"),
  metric("load_per_core", "Load", ""),
  metric("own", "Of the wall alone", "", { labels: [] }),
];

describe("the columns of a table of hosts", () => {
  it("are those of the overview, what comes and goes on a network in one", () => {
    const columns = columnsOf([], OVERVIEW, [rule("cpu_usage", 85), rule("cpu_usage", 95), rule("other", 1)]);
    expect(
      columns.map(({ title, metrics, of, group, bar, limit }) => [title, metrics, of, group, bar, limit]),
    ).toEqual([
      ["CPU", ["cpu_usage"], "max", "avg", true, 85],
      ["Disk Space", ["disk_space_usage"], "max", "max", true, 100],
      ["Network", ["net_received_rate", "net_sent_rate"], "sum", "sum", false, Number.NaN],
      ["Load", ["load_per_core"], "max", "max", false, Number.NaN],
    ]);
    expect(columns[1].note).toBe("of the fullest");
  });

  it("are the ones that a board names, with what it says of them", () => {
    const named = columnsOf(
      [
        { metrics: ["cpu_usage"], title: "" },
        { metrics: ["later"], title: "Later", unit: "s", of: "avg", group: "sum", note: "n" },
      ],
      OVERVIEW,
      [],
    );
    expect(named.map(({ title, unit, of, group, limit }) => [title, unit, of, group, limit])).toEqual([
      ["CPU", "%", "max", "avg", 100],
      ["Later", "s", "avg", "sum", Number.NaN],
    ]);
  });

  it("have the limit at which a rule begins to fire, of those that fire above it", () => {
    const limitOf = (...rules: RuleInfo[]) => columnsOf([], OVERVIEW.slice(0, 2), rules)[0].limit;
    expect(limitOf(rule("cpu_usage", 5, "cpu_usage < 5"), rule("cpu_usage", 90))).toBe(90);
    expect(limitOf(rule("cpu_usage", 5, "cpu_usage < 5"))).toBe(100);
  });

  it("take their series together by host", () => {
    const all = [
      series("disk_space_usage", { host: "a", mount: "/" }),
      series("disk_space_usage", { host: "a", mount: "/var" }),
      series("disk_space_usage", { mount: "/" }),
      series("host_up", { host: "a", env: "prod" }),
    ];
    const { keys, labels, up } = planOf([{ metrics: ["disk_space_usage"] }], (name) =>
      all.filter((one) => one.name === name),
    );
    expect([...keys]).toEqual([["a", [[all[0].key, all[1].key]]]]);
    expect([...up]).toEqual([["a", all[3].key]]);
    expect(labels.get("a")).toEqual({ env: "prod" });
    expect(["max", "sum", "avg"].map((way) => together(way as "max", [1, Number.NaN, 3]))).toEqual([3, 4, 2]);
    expect(together("sum", [Number.NaN])).toBeNaN();
  });
});

describe("what stands out of a host", () => {
  const columns = columnsOf([], OVERVIEW, [rule("cpu_usage", 50), rule("load_per_core", 1)]);

  it("is the value that is nearest to its own limit", () => {
    expect(nearest(columns, [40, 70, 1e9, 0.5], undefined)).toEqual({
      ...{ column: 0, share: 0.8, fires: false },
    });
    expect(nearest(columns, [10, 70, 1e9, 0.9], undefined)).toEqual({
      ...{ column: 3, share: 0.9, fires: false },
    });
    expect(nearest(columns, [Number.NaN, Number.NaN, Number.NaN, Number.NaN], undefined)).toEqual({
      ...{ column: -1, share: 0, fires: false },
    });
  });

  it("is the value that an alert is about, whatever else is near", () => {
    expect(nearest(columns, [49, 70, 0, 0], "disk_space_usage")).toMatchObject({ column: 1, fires: true });
    expect(nearest(columns, [49, Number.NaN, 0, 0], "disk_space_usage")).toMatchObject({
      ...{ column: 0, fires: false },
    });
  });
});

describe("the rows", () => {
  const rows = [
    host("calm-2", { share: 0.2, values: [5] }),
    host("calm-10", { share: 0.9, values: [0] }),
    host("gone", { state: "gone", values: [Number.NaN] }),
    host("warn", { severity: "warning", firing: 1, values: [9] }),
    host("crit", { severity: "critical", firing: 1, values: [7] }),
    host("note", { severity: "info", firing: 1, values: [6] }),
  ];
  const namesOf = (hosts: readonly Host[]) => hosts.map(({ name }) => name);

  it("begin with what is worst, then what is nearest to its limit", () => {
    expect(namesOf(sorted(rows, "worst"))).toEqual(["crit", "warn", "gone", "note", "calm-10", "calm-2"]);
    expect(namesOf(sorted(rows, "name")).slice(0, 2)).toEqual(["calm-2", "calm-10"]);
    expect(namesOf(sorted(rows, 0))).toEqual(["warn", "crit", "note", "calm-2", "calm-10", "gone"]);
    expect(rows.map(wrongWith)).toEqual(["", "", "gone", "warning", "critical", "info"]);
  });

  it("are found by words of the name and by labels", () => {
    const found = (filter: string) =>
      matcher(filter)({ name: "Web-07", labels: { env: "prod", role: "web" } });
    expect(["", "web", "07 WEB", "role=we", "env=prod web", "host=web"].map(found)).toEqual(
      Array(6).fill(true),
    );
    expect(["db", "role=db", "team=", "web env=staging"].map(found)).toEqual(Array(4).fill(false));
  });

  it("lie in groups by a label, the largest first", () => {
    const hosts = [
      host("a", { labels: { env: "edge" } }),
      host("b", { labels: { env: "prod" } }),
      host("c", { labels: { env: "prod" } }),
      host("d"),
    ];
    expect(groupsOf(hosts, "env").map((group) => [group.name, namesOf(group.hosts)])).toEqual([
      ["prod", ["b", "c"]],
      ["", ["d"]],
      ["edge", ["a"]],
    ]);
    expect(groupsOf(hosts, "")).toEqual([{ name: "", hosts }]);
    const many = Array.from({ length: 40 }, (_, i) => host(`h${i}`, { labels: { id: `${i}`, env: "prod" } }));
    expect(groupingLabels(many)).toEqual(["env"]);
  });

  it("of a large group are those that something is wrong with, and a few others", () => {
    const calm = Array.from({ length: 40 }, (_, i) => host(`h${i}`));
    expect(shownOf({ name: "", hosts: calm.slice(0, 30) }, 8)).toBe(30);
    expect(shownOf({ name: "", hosts: [...calm, rows[2], rows[3]] }, 8)).toBe(10);
  });

  it("know a role by its label, or by the name", () => {
    expect(roleOf({ name: "web-07", labels: {} })).toBe("web");
    expect(roleOf({ name: "web-07.eu.example.net", labels: {} })).toBe("web");
    expect(roleOf({ name: "12", labels: {} })).toBe("12");
    expect(roleOf({ name: "a1", labels: { role: "db" } })).toBe("db");
  });
});

describe("a disk that fills evenly", () => {
  const minutes = Array.from({ length: 31 }, (_, i) => i * 60_000);

  it("says when it is full", () => {
    const left = fullIn(
      minutes,
      minutes.map((_, i) => 60 + i),
      100,
    );
    expect(left).toBeCloseTo(600, 0);
  });

  it("says nothing after a short time, without growth, and if it takes longer than a month", () => {
    const short = minutes.slice(0, 9);
    expect(
      fullIn(
        short,
        short.map((_, i) => 60 + i),
        100,
      ),
    ).toBeNaN();
    expect(
      fullIn(
        minutes,
        minutes.map(() => 60),
        100,
      ),
    ).toBeNaN();
    expect(
      fullIn(
        minutes,
        minutes.map((_, i) => 60 + i / 100),
        100,
      ),
    ).toBeNaN();
  });
});

describe("the words about a host", () => {
  setUtc(true);
  const now = Date.parse("2026-11-29T14:32:08Z");
  const info = (more: object) => ({ name: "a", state: "live" as const, since: "", ...more });

  it("say for how long it has been up, or since when it is gone", () => {
    expect(upText(host("a", { info: info({ booted: "2026-09-01T14:32:08Z" }) }), now)).toBe("89 d");
    expect(upText(host("a", { info: info({ started: "2026-11-29T14:29:08Z" }) }), now)).toBe("3 min");
    expect(upText(host("a", { state: "gone", since: now - 628_000 }), now)).toBe("gone 14:21:40");
    expect(upText(host("a", { state: "gone" }), now)).toBe("gone");
    expect(upText(host("a", { state: "left" }), now)).toBe("stopped");
    expect(upText(host("a", { state: "waiting" }), now)).toBe("waiting");
    expect(upText(host("a", { state: "waiting" }), now, true)).toBe("not known");
    expect(upText(host("a"), now)).toBe("");
  });

  it("note only what is not usual", () => {
    const noteOf = (more: object, rest: Partial<Host> = {}) =>
      noteText(host("a", { info: info(more), ...rest }), now);
    expect(noteOf({ started: "2026-11-29T14:29:08Z" })).toBe("restarted");
    expect(noteOf({ started: "2026-11-28T14:29:08Z" })).toBe("");
    expect(noteOf({ clock_s: 4.2 })).toBe("clock +4.2 s");
    expect(noteOf({ clock_s: -180 })).toBe("clock −3 min");
    const filling = { from: "2026-11-29T14:02:00Z", to: "2026-11-29T14:09:00Z" };
    expect(noteOf({ filling })).toBe("filling 14:02–14:09");
    expect(noteOf({ problem: "two hosts of one name", clock_s: 9 })).toBe("two hosts of one name");
    expect(noteOf({ clock_s: 4.2 }, { state: "gone" })).toBe("");
    expect(noteText(host("a"), now)).toBe("");
  });

  it("write values as finely as their limit asks", () => {
    expect(valueText(48.34, { unit: "%", limit: 85 })).toBe("48.3");
    expect(valueText(0.634, { unit: "", limit: 1 })).toBe("0.63");
    expect(valueText(2 ** 21, { unit: "B/s", limit: Number.NaN })).toBe("2.0 MiB/s");
    expect(valueText(Number.NaN, { unit: "%", limit: 85 })).toBe("–");
    expect(briefText(37.6, { title: "CPU", unit: "%" })).toBe("CPU 38");
    expect(briefText(0.55, { title: "Load", unit: "" })).toBe("load 0.6");
    expect(briefText(41, { title: "Memory", unit: "%" })).toBe("mem 41");
    expect(briefText(41, { title: "Disk Space", unit: "%" })).toBe("disk 41");
    expect(["a", "b", "c"].map((_, i) => namesText(["a", "b", "c"].slice(0, i + 1)))).toEqual([
      "a",
      "a and b",
      "a and 2 others",
    ]);
  });

  it("say once what all names end with", () => {
    expect(sharedEnd(["web-1.eu.example.net", "db.eu.example.net"])).toBe(".eu.example.net");
    expect(sharedEnd(["web-1.eu.example.net", "web-1.us.example.net"])).toBe("");
    expect(sharedEnd(["web-1", "web-2"])).toBe("");
    expect(sharedEnd(["web-1.eu.example.net"])).toBe("");
    expect(sharedEnd(["a.b.net", "net"])).toBe("");
    expect(sharedEnd([])).toBe("");
  });

  it("lead to its board at the time on the page, or to its end", () => {
    const live = { follows: true, spanMs: 60_000 } as const;
    const past = { follows: false, from: now - 60_000, to: now } as const;
    expect(boardOf(host("a b"), live)).toBe("hosts/a%20b/");
    expect(boardOf(host("a"), past)).toBe("hosts/a/?from=2026-11-29T14:31:08Z&to=2026-11-29T14:32:08Z");
    expect(boardOf(host("a", { state: "gone", since: now }), live)).toBe(
      "hosts/a/?from=2026-11-29T14:17:08Z&to=2026-11-29T14:32:08Z",
    );
  });
});

describe("the lines of the table", () => {
  const window = new Window(200, 1000);
  const one = series("cpu");
  for (let tick = 1; tick <= 150; tick++) {
    window.take({
      ...{ epoch: "e", afresh: false, series: tick === 1 ? [one] : null, first: tick },
      ...{ times: Float64Array.of(tick * 1000), values: Float64Array.of(tick === 90 ? Number.NaN : tick) },
    } as Parameters<Window["take"]>[0]);
  }

  it("go through the same few ticks from one tick to the next, and the newest", () => {
    const slots = slotsOf(window);
    expect(slots.length).toBeLessThanOrEqual(52);
    expect(slots.slice(0, -1).every((slot) => window.times[slot] % 3000 === 0)).toBe(true);
    expect(window.times[slots[slots.length - 1]]).toBe(150_000);
  });

  it("have gaps, and are flat where little changes", () => {
    const slots = slotsOf(window);
    const ring = window.ring(one.key) as Float64Array;
    const path = pathOf(
      window,
      slots,
      slots.map((slot) => ring[slot]),
      Number.NaN,
    );
    expect(path.match(/M/g)).toHaveLength(2);
    expect(path.endsWith("L100.0 2.0")).toBe(true);
    expect(pathOf(window, [0, 1], [50, 50.1], 100)).toMatch(/ 9\.\d[LM].* (8\.9|9\.0)$/);
    expect(pathOf(window, [0], [Number.NaN], 100)).toBe("");
  });
});

describe("hosts that are gone", () => {
  it("are told together if more than two of a role went at once", () => {
    const gone = ["sin-1", "sin-2", "sin-3", "web-1"].map((name, i) =>
      host(name, { state: "gone", since: 1000 * i }),
    );
    const late = host("sin-4", { state: "gone", since: 60_000 });
    expect(goneTogether([...gone, late]).map(({ hosts }) => hosts.map(({ name }) => name))).toEqual([
      ["sin-1", "sin-2", "sin-3"],
      ["web-1"],
      ["sin-4"],
    ]);
    expect(goneTogether(gone.slice(1, 3))).toHaveLength(2);
  });
});

describe("the places of hosts on a wall", () => {
  const labels = { env: "prod" };
  const web = [2, 1, 10].map((number) => host(`web-${number}`, { labels }));
  const places = (groups: readonly CellGroup[]) =>
    groups.map(({ name, roles, total }) => [name, total, roles.map(({ role, names }) => [role, ...names])]);

  it("are by group and role, in the order of the numbers", () => {
    expect(places(placed([...web, host("db-1", { labels }), host("x")], "env"))).toEqual([
      [
        "prod",
        4,
        [
          ["web", "web-1", "web-2", "web-10"],
          ["db", "db-1"],
        ],
      ],
      ["", 1, [["x", "x"]]],
    ]);
  });

  it("stay when hosts come and go", () => {
    const before = placed(web, "env");
    const after = placed(
      [web[0], host("web-0", { labels }), host("db-1", { labels: { env: "edge" } })],
      "env",
      before,
    );
    expect(places(after)).toEqual([
      ["prod", 4, [["web", "web-1", "web-2", "web-10", "web-0"]]],
      ["edge", 1, [["db", "db-1"]]],
    ]);
  });

  it("are as large as their number and the wall allow", () => {
    const of = (...counts: number[]) =>
      counts.map((count, at) => ({
        name: `${at}`,
        roles: [{ role: "r", names: Array.from({ length: count }, (_, i) => `${at}-${i}`) }],
        total: count,
      }));
    const sizeOf = (groups: CellGroup[]) => laid(groups, 157, 75).size.name;
    expect(sizeOf(of(3))).toBe("named");
    expect(sizeOf(of(620, 240, 140))).toBe("number");
    expect(sizeOf(of(1600, 400))).toBe("dot");
    const { abreast } = laid(of(620, 240, 140), 157, 75);
    expect(abreast[0]).toBeGreaterThan(abreast[1]);
    expect(abreast[1]).toBeGreaterThan(abreast[2]);
    expect(laid(of(2), 157, 75).abreast).toEqual([2]);
  });

  it("are warm only near a limit", () => {
    expect([0, 0.55, 2].map(heatOf)).toEqual([0, 0, 0.52]);
    expect(heatOf(0.8)).toBeGreaterThan(0.2);
  });
});

describe("the columns that the tests make", () => {
  it("have no value where nothing is", () => {
    const column: Column = columnsOf([], OVERVIEW, [])[0];
    expect(nearest([{ ...column, limit: Number.NaN }], [50], undefined)).toMatchObject({
      column: -1,
      share: 0,
    });
  });
});
