/** The rows of the table of hosts: a host, and a group of hosts. Out of sight they cost nothing. */
import { createMemo, For, Show } from "solid-js";
import { useStores } from "../components/context";
import { Icon } from "../components/Icon";
import { useInView } from "../components/inView";
import { useMoment } from "../components/moment";
import { formatCount, formatDuration } from "../format";
import { boardOf } from "./address";
import { HostShape, type Wrong } from "./HostShape";
import { pathOf, slotsOf } from "./line";
import { type Column, fullIn, type Host, type HostGroup, together, wrongWith } from "./model";
import { useHosts } from "./store";
import { noteText, upText, valueText } from "./words";

/** A disk's column says when it is full. */
const FILLS = /disk|space|filesystem/;

/** Whether a column is left out where there is little room: what is added up has no limit of a host. */
export const isSpare = ({ group }: Column): boolean => group === "sum";

const Line = (props: { path: string }) => (
  <svg class="host-line" viewBox="0 0 100 18" preserveAspectRatio="none" aria-hidden="true">
    <path d={props.path} />
  </svg>
);

function Bar(props: { value: number; column: Column }) {
  const share = (value: number) => `${Math.max(0, Math.min(1, value / props.column.max || 0)) * 100}%`;
  return (
    <span class="host-bar" aria-hidden="true">
      <Show when={!Number.isNaN(props.value)}>
        <span style={{ width: share(props.value) }} />
        <Show when={props.column.limit}>{(limit) => <i style={{ left: share(limit()) }} />}</Show>
      </Show>
    </span>
  );
}

/** The values of a host in a column over the range on the page, at a few of its ticks. */
function useValues(host: () => Host, at: () => number, column: () => Column, live: () => boolean) {
  const { stats } = useStores();
  const hosts = useHosts();
  return createMemo<{ path: string; full: string }>(
    (before) => {
      if (!live()) return before;
      const { name, state } = host();
      const { window } = stats;
      const { max, metrics, of } = column();
      const rings = (hosts.plan().keys.get(name)?.[at()] ?? []).flatMap((key) => window.ring(key) ?? []);
      const slots = slotsOf(window);
      const values = slots.map((slot) =>
        together(
          of,
          rings.map((ring) => ring[slot]),
        ),
      );
      const fills = FILLS.test(metrics[0]) && max > 0 && state === "live";
      const left = fills
        ? fullIn(
            slots.map((slot) => window.times[slot]),
            values,
            max,
          )
        : Number.NaN;
      return {
        path: pathOf(window, slots, values, max),
        full: Number.isNaN(left) ? "" : `full in ${formatDuration(1000 * left)}`,
      };
    },
    { path: "", full: "" },
    { equals: (one, next) => one.path === next.path && one.full === next.full },
  );
}

/** The line of a host in a column. */
export function HostLine(props: { host: Host; at: number; column: Column | undefined; live: () => boolean }) {
  return (
    <Show when={props.column}>
      {(column) => {
        const drawn = useValues(
          () => props.host,
          () => props.at,
          column,
          props.live,
        );
        return <Line path={drawn().path} />;
      }}
    </Show>
  );
}

function Value(props: { host: Host; at: number; column: Column; live: () => boolean }) {
  const drawn = useValues(
    () => props.host,
    () => props.at,
    () => props.column,
    props.live,
  );
  const value = () => props.host.values[props.at];
  const isWorst = () => props.host.column === props.at;
  return (
    <td
      classList={{
        worst: isWorst(),
        fires: isWorst() && props.host.fires,
        spare: isSpare(props.column),
      }}
    >
      <div class="host-value" classList={{ barred: props.column.bar }}>
        <span class="host-number">{valueText(value(), props.column)}</span>
        <Show when={props.column.bar}>
          <Bar value={value()} column={props.column} />
        </Show>
        <Line path={drawn().path} />
        <Show when={drawn().full}>{(text) => <span class="host-full">{text()}</span>}</Show>
      </div>
    </td>
  );
}

/** Follow a host by its name while it is in sight. One that has left keeps its last values until its row goes. */
export function useHost(name: () => string, live: () => boolean): () => Host {
  const hosts = useHosts();
  return createMemo<Host>(
    (before) => (live() ? (hosts.byName().get(name()) ?? before) : before),
    hosts.byName().get(name()) as Host,
  );
}

/** @param props.short the part of the name that differs from those of the other hosts. */
export function HostRow(props: { name: string; short: string; columns: readonly Column[] }) {
  const { time } = useStores();
  const moment = useMoment();
  const hosts = useHosts();
  let row!: HTMLTableRowElement;
  const live = useInView(() => row);
  const host = useHost(() => props.name, live);
  const wrong = createMemo(() => wrongWith(host()));
  const note = () => (hosts.isPast() ? "" : noteText(host(), moment()));
  return (
    <tr ref={row} class="host" data-host={props.name} data-wrong={wrong()} data-state={host().state}>
      <th scope="row">
        <span class="host-name">
          <HostShape wrong={wrong()} />
          <span class="visually-hidden">{wrong()}</span>
          <a href={boardOf(host(), time.shown())} title={props.name}>
            {props.short}
          </a>
          <Show when={note()}>
            {(text) => (
              <span class="host-note" title={text()}>
                {text()}
              </span>
            )}
          </Show>
        </span>
      </th>
      <td class="host-up">{upText(host(), moment(), hosts.isPast())}</td>
      <For each={props.columns}>
        {(column, at) => <Value host={host()} at={at()} column={column} live={live} />}
      </For>
      <td class="host-alerts">{host().firing || ""}</td>
    </tr>
  );
}

/** What is wrong in a group, each kind once. */
export const wrongIn = (all: readonly Host[]): Wrong[] => {
  const found = new Set(all.map(wrongWith));
  return (["critical", "warning", "gone"] as const).filter((one) => found.has(one));
};

export const countText = (all: readonly Host[]): string => {
  const live = all.filter(({ state }) => state === "live").length;
  return live < all.length
    ? `${formatCount(live)} of ${formatCount(all.length)} live`
    : formatCount(all.length);
};

/** How often the lines of a group, which take all of its hosts, are drawn anew. */
const LINES_EVERY_MS = 5_000;

/** @param props.title the group's name, or words for the hosts that are in none. */
export function GroupRow(props: {
  group: HostGroup;
  title: string;
  id: string;
  open: boolean;
  columns: readonly Column[];
  onToggle(): void;
}) {
  const { stats } = useStores();
  const hosts = useHosts();
  let row!: HTMLTableRowElement;
  let drawnAt = Number.NaN;
  const live = useInView(() => row);
  const there = createMemo(() => props.group.hosts.filter(({ state }) => state === "live"));
  const values = createMemo(() =>
    props.columns.map(({ group }, at) =>
      together(
        group,
        there().map((host) => host.values[at]),
      ),
    ),
  );
  const paths = createMemo<readonly string[]>(
    (before) => {
      const all = there();
      const now = stats.pace();
      if (!live() || Math.abs(now - drawnAt) < LINES_EVERY_MS) return before;
      drawnAt = now;
      const { window } = stats;
      const slots = slotsOf(window);
      const keys = hosts.plan().keys;
      return props.columns.map(({ group, max, of }, at) => {
        const rings = all.map(({ name }) =>
          (keys.get(name)?.[at] ?? []).flatMap((key) => window.ring(key) ?? []),
        );
        const lines = slots.map((slot) =>
          together(
            group,
            rings.map((each) =>
              together(
                of,
                each.map((ring) => ring[slot]),
              ),
            ),
          ),
        );
        return pathOf(window, slots, lines, group === "sum" ? Number.NaN : max);
      });
    },
    props.columns.map(() => ""),
  );
  const firing = () => props.group.hosts.reduce((sum, host) => sum + host.firing, 0);
  return (
    <tr ref={row} class="host-group" id={props.id}>
      <th scope="rowgroup">
        <span class="host-name">
          <button type="button" aria-expanded={props.open} onClick={() => props.onToggle()}>
            <Icon name="chevron" />
            {props.title}
          </button>
          <small>{countText(props.group.hosts)}</small>
          <For each={wrongIn(props.group.hosts)}>{(wrong) => <HostShape wrong={wrong} />}</For>
        </span>
      </th>
      <td class="host-up" />
      <For each={props.columns}>
        {(column, at) => (
          <td classList={{ spare: isSpare(column) }}>
            <div class="host-value" classList={{ barred: column.bar }}>
              <span class="host-number">{valueText(values()[at()], column)}</span>
              <small>{column.group}</small>
              <Line path={paths()[at()] ?? ""} />
            </div>
          </td>
        )}
      </For>
      <td class="host-alerts">{firing() || ""}</td>
    </tr>
  );
}
