/**
 * The hosts of a wall, one for the page: their descriptions from `GET /api/hosts`, joined with the newest values of the
 * window and what fires. It must not know how they are drawn.
 */
import { createEffect, createMemo, createRoot, createSignal, onCleanup, untrack } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { useStores } from "../components/context";
import { leavesOf } from "../components/layout";
import { comparesPlainly } from "../stores/board";
import type { Alert, HostInfo, HostList, Hosts, RuleInfo } from "../types.gen";
import { keptByContent } from "../window/kept";
import { type Column, columnsOf, type Firing, type Host, nearest, planOf, together } from "./model";

/** Slightly less than one second: nobody can read numbers that change more often. */
const SHOW_EVERY_MS = 900;
const POLL_MS = 30_000;
/** What follows a change of some hosts is asked for together. */
const SOON_MS = 300;
const ANSWER_WITHIN_MS = 15_000;
/** A host that said goodbye stays this long. */
const LEAVES_AFTER_MS = 10_000;
/** A host is gone after three intervals, and three seconds at least. */
const LEAST_SILENCE_MS = 3_000;

export const hostOf = (alert: Alert): string => alert.host || alert.labels?.host || "";

function createHosts() {
  const { alerts, base, board, connection, past, stats } = useStores();
  const [infos, setInfos] = createSignal<ReadonlyMap<string, HostInfo>>(new Map());
  const [rules, setRules] = createSignal<readonly RuleInfo[]>([]);
  const [failed, setFailed] = createSignal("");
  const [asked, setAsked] = createSignal(false);
  let revision: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function take(list: HostList): void {
    const next = new Map(list.whole ? [] : infos());
    for (const name of list.removed ?? []) next.delete(name);
    for (const host of list.hosts) next.set(host.name, host);
    revision = list.revision;
    setInfos(next);
    setRules((before) => keptByContent(before, list.rules ?? []));
  }

  async function poll(): Promise<void> {
    try {
      const answer = await fetch(`${base}api/hosts${revision === undefined ? "" : `?since=${revision}`}`, {
        cache: "no-store",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`.trim());
      take(await answer.json());
      setFailed("");
    } catch (error) {
      setFailed(error instanceof Error ? error.message : String(error));
    }
    setAsked(true);
    ask(POLL_MS * (0.8 + 0.4 * Math.random()));
  }

  function ask(inMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(poll, inMs);
  }

  ask(0);

  const panel = createMemo(() =>
    board
      .groups()
      .flatMap(leavesOf)
      .find((one): one is Hosts => one.type === "hosts"),
  );
  const columns = createMemo<readonly Column[]>((before) => {
    const plain = [...(board.board()?.rules ?? []), ...rules()].filter(comparesPlainly);
    return keptByContent(before, columnsOf(panel()?.columns ?? [], board.board()?.metrics ?? [], plain));
  }, []);
  // Whether a host was there is asked for at every time.
  createEffect(() => onCleanup(past.want(["host_up", ...columns().flatMap(({ metrics }) => metrics)])));
  const plan = createMemo(() => planOf(columns(), stats.seriesOf));
  const isPast = createMemo(() => alerts.at() !== null);
  const firing = createMemo(() => {
    const found = new Map<string, Firing>();
    for (const { alert } of alerts.firing()) {
      const { metric = "", severity } = alert;
      const name = hostOf(alert);
      const before = found.get(name);
      const isWorse =
        before === undefined || SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(before.severity);
      found.set(name, { ...(isWorse ? { severity, metric } : before), count: (before?.count ?? 0) + 1 });
    }
    return found;
  });
  const beat = createMemo<number>((before) => {
    stats.drawn();
    const now = stats.pace();
    return Math.abs(now - before) < SHOW_EVERY_MS ? before : now;
  }, Number.NaN);
  let ups = "";

  /** Within how many milliseconds every live host was heard from. */
  const withinMs = () =>
    [...infos().values()].reduce(
      (most, { interval_ms = 0 }) => Math.max(most, 3 * interval_ms),
      LEAST_SILENCE_MS,
    );

  const all = createMemo<readonly Host[]>(() => {
    beat();
    const { keys, up, labels } = plan();
    const { window } = stats;
    // On a busy wall a host's values come after the tick that they belong to.
    window.lateMs = withinMs();
    const now = untrack(connection.serverTime);
    const names = new Set([...keys.keys(), ...up.keys(), ...infos().keys()]);
    names.delete("");
    let states = "";
    const hosts: Host[] = [];
    for (const name of names) {
      const info = infos().get(name);
      const own = keys.get(name);
      const series = up.get(name);
      const isUp = series === undefined ? Number.NaN : window.newest(series);
      states += Number(isUp);
      let state = info?.state ?? "waiting";
      // The average of a bucket lies between.
      if (isUp >= 0.5) state = "live";
      else if (isPast()) state = Number.isNaN(isUp) ? "waiting" : "gone";
      else if (isUp < 0.5 && state === "live") state = "gone";
      if (!isPast() && state === "left" && now - Date.parse(info?.since ?? "") > LEAVES_AFTER_MS) continue;
      const fires = firing().get(name);
      // What it sent last is not what it has now.
      const values = columns().map(({ of }, at) =>
        state === "live"
          ? together(
              of,
              (own?.[at] ?? []).map((key) => window.newest(key)),
            )
          : Number.NaN,
      );
      hosts.push({
        ...{ name, info, state, values },
        labels: info?.labels ?? labels.get(name) ?? {},
        since: !isPast() && info?.state === state ? Date.parse(info.since) : Number.NaN,
        severity: fires?.severity,
        firing: fires?.count ?? 0,
        ...nearest(columns(), values, fires?.metric),
      });
    }
    if (!isPast() && states !== ups) {
      ups = states;
      ask(SOON_MS);
    }
    return hosts;
  });

  return {
    columns,
    plan,
    /** All hosts at the time on the page, in no order; they change about once a second. */
    all,
    byName: createMemo(() => new Map(all().map((host) => [host.name, host]))),
    gone: createMemo(() => all().filter(({ state }) => state === "gone")),
    live: createMemo(() => all().filter(({ state }) => state === "live").length),
    withinMs,
    isPast,
    /** The hosts whose labels are known; all of them if they cannot be loaded. */
    described: createMemo(() => (asked() ? all().filter(({ info }) => info || failed() !== "") : [])),
    /** Why the descriptions could not be loaded; empty if they were. */
    failed,
  };
}

export type HostsStore = ReturnType<typeof createHosts>;

let hosts: HostsStore | undefined;

/** The hosts of this page. They are followed from the first use on. */
export function useHosts(): HostsStore {
  hosts ??= createRoot(createHosts);
  return hosts;
}
