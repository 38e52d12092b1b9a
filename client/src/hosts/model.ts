/**
 * What a wall knows of its hosts: the columns of their table, which value of a host is nearest to its limit, which
 * hosts a filter finds, and their order and groups. Pure: series, values, rules and descriptions in, rows out. It must
 * not know how they are drawn.
 */
import type { Series } from "../link/protocol";
import type { HostColumn, HostInfo, HostState, MetricInfo, RuleInfo, Severity } from "../types.gen";

export type Way = "max" | "sum" | "avg";

export interface Column {
  metrics: readonly string[];
  title: string;
  unit: string;
  note: string;
  of: Way;
  group: Way;
  bar: boolean;
  /** The end of the metric's scale; NaN if it has none. */
  max: number;
  /** From this value on a rule fires; without a rule the end of the scale. NaN if there is neither. */
  limit: number;
}

export interface Host {
  name: string;
  labels: Readonly<Record<string, string>>;
  info: HostInfo | undefined;
  state: HostState;
  /** Since when it is gone; NaN if that is not known. */
  since: number;
  /** What fires on it: the worst severity, and how many alerts. */
  severity: Severity | undefined;
  firing: number;
  /** Its value in each column, NaN for none. */
  values: readonly number[];
  /** The column of what fires, else of the value that is nearest to its limit; -1 for none. */
  column: number;
  /** That value as a share of its limit. */
  share: number;
  /** Whether that value is what fires. */
  fires: boolean;
}

/** What fires on one host. */
export interface Firing {
  severity: Severity;
  count: number;
  metric: string;
}

/** Columns of a board without its own. */
const MOST_COLUMNS = 6;
const UP = "host_up";
const TRAFFIC = /^(.*?)_?(received|sent)_rate$/;
const SPACE = /disk|space|filesystem/;

const isOfHosts = ({ name, labels = [] }: MetricInfo): boolean =>
  labels.includes("host") && name !== UP && !name.endsWith(".buckets");

/** `CPU`, since `CPU Usage` is long for a column. */
const shortTitle = (title: string): string => title.replace(/ (usage|utilization)$/i, "") || title;

/** How the series of a metric are taken together if nobody says so. */
function waysOf({ name, unit }: MetricInfo): { of: Way; group: Way } {
  if (unit.endsWith("/s")) return { of: "sum", group: "sum" };
  return { of: "max", group: unit === "%" && !SPACE.test(name) ? "avg" : "max" };
}

/** The columns of a board that names none: those of the overview, what comes and goes on a network in one. */
function overviewOf(metrics: readonly MetricInfo[]): HostColumn[] {
  const found = new Map<string, HostColumn>();
  for (const info of metrics.filter(isOfHosts)) {
    const traffic = TRAFFIC.exec(info.name)?.[1];
    const key = traffic === undefined ? info.name : `${traffic} traffic`;
    const before = found.get(key);
    if (before !== undefined && before.unit === info.unit) before.metrics.push(info.name);
    else {
      const title =
        traffic === undefined
          ? shortTitle(info.title)
          : info.title.replace(/ ?(received|sent)/i, "").trim() || "Traffic";
      const note = SPACE.test(info.name) && info.unit === "%" ? "of the fullest" : "";
      found.set(key, { metrics: [info.name], title, unit: info.unit, note, ...waysOf(info) });
    }
  }
  return [...found.values()].slice(0, MOST_COLUMNS);
}

/** @param rules those with a threshold on the scale of their metric. */
export function columnsOf(
  declared: readonly HostColumn[],
  metrics: readonly MetricInfo[],
  rules: readonly RuleInfo[],
): Column[] {
  const known = new Map(metrics.map((info) => [info.name, info]));
  return (declared.length > 0 ? declared : overviewOf(metrics)).map((column) => {
    const [name] = column.metrics;
    const info = known.get(name) ?? { name, title: name, unit: "", kind: "gauge" as const };
    const ways = column.title === "" ? waysOf(info) : { of: "max" as const, group: "avg" as const };
    const max = info.max ?? Number.NaN;
    const limits = rules.flatMap(({ metric = "", threshold, condition }) =>
      column.metrics.includes(metric) && threshold != null && / >=? /.test(condition) ? threshold : [],
    );
    return {
      metrics: column.metrics,
      title: column.title || shortTitle(info.title),
      unit: column.unit || info.unit,
      note: column.note ?? "",
      of: column.of ?? ways.of,
      group: column.group ?? ways.group,
      bar: column.bar ?? !Number.isNaN(max),
      max,
      limit: limits.length > 0 ? Math.min(...limits) : max,
    };
  });
}

/** Take values together; NaN if there is none. */
export function together(way: Way, values: Iterable<number>): number {
  let [sum, count, most] = [0, 0, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
    if (value > most) most = value;
  }
  if (count === 0) return Number.NaN;
  return way === "max" ? most : way === "sum" ? sum : sum / count;
}

/** The series of each host in each column, by the host's name. */
export interface Plan {
  keys: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** The series that says whether a host is there. */
  up: ReadonlyMap<string, string>;
  /** The labels that all series of a host share, as far as known. */
  labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export function planOf(
  columns: readonly Pick<Column, "metrics">[],
  seriesOf: (metric: string) => readonly Series[],
): Plan {
  const keys = new Map<string, string[][]>();
  columns.forEach(({ metrics }, at) => {
    for (const { key, labels } of metrics.flatMap((name) => [...seriesOf(name)])) {
      if (labels.host === undefined) continue;
      let own = keys.get(labels.host);
      if (own === undefined) {
        own = columns.map(() => []);
        keys.set(labels.host, own);
      }
      own[at].push(key);
    }
  });
  const ups = seriesOf(UP).filter(({ labels }) => labels.host !== undefined);
  return {
    keys,
    up: new Map(ups.map(({ key, labels }) => [labels.host, key])),
    labels: new Map(ups.map(({ labels: { host, ...own } }) => [host, own])),
  };
}

/** The column that stands out: that of what fires, else the one nearest to its limit. */
export function nearest(
  columns: readonly Column[],
  values: readonly number[],
  firing: string | undefined,
): Pick<Host, "column" | "share" | "fires"> {
  const shareAt = (at: number) => values[at] / columns[at].limit;
  const fires = columns.findIndex(({ metrics }, at) => metrics.includes(firing ?? "") && values[at] >= 0);
  if (fires !== -1) return { column: fires, share: shareAt(fires), fires: true };
  let [column, share] = [-1, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < columns.length; at++) {
    if (!(columns[at].limit > 0) || !(shareAt(at) > share)) continue;
    [column, share] = [at, shareAt(at)];
  }
  return { column, share: column === -1 ? 0 : share, fires: false };
}

const RANKS: Readonly<Record<string, number>> = { critical: 0, warning: 1, gone: 2, info: 3 };

/** The kind of what is wrong with a host; empty if nothing is. */
export const wrongWith = ({ severity, state }: Host): Severity | "gone" | "" => {
  if (severity === "critical" || severity === "warning") return severity;
  return state === "gone" ? "gone" : (severity ?? "");
};

const rankOf = (host: Host): number => RANKS[wrongWith(host)] ?? 4;

const NAMES = new Intl.Collator("en", { numeric: true });
export const byName = (one: { name: string }, other: { name: string }): number =>
  NAMES.compare(one.name, other.name);

/** What the rows are sorted by: the worst first, the name, or the column with an index. */
export type Sort = "worst" | "name" | number;

const valueIn = ({ values }: Host, at: number): number =>
  Number.isNaN(values[at]) ? Number.NEGATIVE_INFINITY : values[at];

export function sorted(hosts: readonly Host[], sort: Sort): Host[] {
  if (sort === "name") return hosts.toSorted(byName);
  if (sort === "worst") {
    return hosts.toSorted(
      (a, b) => rankOf(a) - rankOf(b) || b.firing - a.firing || b.share - a.share || byName(a, b),
    );
  }
  return hosts.toSorted((a, b) => {
    const [one, other] = [valueIn(a, sort), valueIn(b, sort)];
    return one === other ? byName(a, b) : other - one;
  });
}

/** Whether a host has all words of a filter: `web`, `role=web`, `env=prod db`. */
export function matcher(filter: string): (host: Pick<Host, "name" | "labels">) => boolean {
  const tests = filter
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => {
      const [, label, value] = /^([^=]+)=(.*)$/.exec(word) ?? [];
      return { label, value: value ?? word };
    });
  return ({ name, labels }) =>
    tests.every(({ label, value }) => {
      if (label === undefined || label === "host") return name.toLowerCase().includes(value);
      const own = Object.keys(labels).find((one) => one.toLowerCase() === label);
      return own !== undefined && labels[own].toLowerCase().startsWith(value);
    });
}

export interface HostGroup {
  /** The value of the label; empty for the hosts without it, and for the only group of a table without groups. */
  name: string;
  hosts: readonly Host[];
}

/** The groups by a label, the largest first, each in the order of its hosts; one group without a label. */
export function groupsOf(hosts: readonly Host[], label: string): HostGroup[] {
  if (label === "") return [{ name: "", hosts }];
  const found = new Map<string, Host[]>();
  for (const host of hosts) {
    const name = host.labels[label] ?? "";
    const group = found.get(name);
    if (group === undefined) found.set(name, [host]);
    else group.push(host);
  }
  return Array.from(found, ([name, each]) => ({ name, hosts: each })).sort(
    (a, b) => b.hosts.length - a.hosts.length || byName(a, b),
  );
}

/** Labels of which hosts have at most this many values can group them. */
const MOST_GROUPS = 30;

/** The labels by which hosts can be grouped, those with few values first. */
export function groupingLabels(hosts: readonly Pick<Host, "labels">[]): string[] {
  const values = new Map<string, Set<string>>();
  for (const { labels } of hosts) {
    for (const [label, value] of Object.entries(labels)) {
      const known = values.get(label);
      if (known === undefined) values.set(label, new Set([value]));
      else known.add(value);
    }
  }
  return Array.from(values)
    .filter(([, known]) => known.size <= MOST_GROUPS)
    .sort(([one, a], [other, b]) => a.size - b.size || (one < other ? -1 : 1))
    .map(([label]) => label);
}

/** A group of more hosts than this shows what is wrong and the first others. */
const WHOLE_GROUP = 30;

/** How many hosts of a group are shown: all of a small one, else those that something is wrong with and `calm` others. */
export function shownOf({ hosts }: HostGroup, calm: number, whole = WHOLE_GROUP): number {
  if (hosts.length <= whole) return hosts.length;
  return hosts.filter((host) => wrongWith(host) !== "").length + calm;
}

/** What a host does, for its place on a wall: its label `role`, else its name without the number. */
export const roleOf = ({ name, labels }: Pick<Host, "name" | "labels">): string =>
  labels.role ?? (name.replace(/[-_.]?\d+(\..*)?$/, "") || name);

/** Within how many days a disk must be full for the table to say so. */
const SOON_DAYS = 30;

/**
 * Seconds until a value that grows evenly reaches its end; NaN if it does not within 30 days, or if the range says too
 * little: less than ten minutes, or less than half a percent of growth.
 */
export function fullIn(times: readonly number[], values: readonly number[], end: number): number {
  const third = Math.floor(times.length / 3);
  const spanMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  if (third < 2 || spanMs < 600_000) return Number.NaN;
  const middle = (all: readonly number[]) => together("avg", all);
  const rise = middle(values.slice(-third)) - middle(values.slice(0, third));
  const tookMs = middle(times.slice(-third)) - middle(times.slice(0, third));
  if (!(rise >= 0.005 * end)) return Number.NaN;
  const left = ((end - (values.at(-1) ?? end)) / rise) * (tookMs / 1000);
  return left >= 0 && left < SOON_DAYS * 86_400 ? left : Number.NaN;
}
