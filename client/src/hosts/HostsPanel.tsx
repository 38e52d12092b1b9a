/**
 * All hosts of a wall: a table with a row for each, the worst first, in groups; below it one chart across the hosts,
 * and the alerts that are over. A large group shows what is wrong and its first hosts. Ranks change seldom, and not
 * under the pointer. What is filtered, sorted and grouped by is in the page's address.
 */
import "../styles/hosts.css";
import { type Accessor, createEffect, createMemo, createSignal, For, onCleanup, Show } from "solid-js";
import { ChartPanel } from "../components/ChartPanel";
import { useStores } from "../components/context";
import { Icon } from "../components/Icon";
import { later } from "../components/LoadedPart";
import { MenuButton } from "../components/Menu";
import { formatCount, plural } from "../format";
import type { Chart, Hosts } from "../types.gen";
import { kept, keptByContent } from "../window/kept";
import { readParameter, writeParameter } from "./address";
import { countText, GroupRow, HostRow, isSpare } from "./HostRows";
import {
  type Column,
  groupingLabels,
  groupsOf,
  type HostGroup,
  matcher,
  type Sort,
  shownOf,
  sorted,
  together,
  wrongWith,
} from "./model";
import { PhoneRow } from "./PhoneRow";
import { useHosts } from "./store";
import { sharedEnd, valueText } from "./words";

const ORDER_EVERY_MS = 5_000;
/** How many hosts of a large group are shown besides those that something is wrong with. */
const CALM = 8;
/** … and of a table without groups. */
const CALM_ALONE = 30;
/** How many rows one press adds. */
const MORE = 100;
/** With up to this many hosts the rows are higher. */
const FEW = 8;
/** On a phone a group shows this many. */
const PHONE_ROWS = 10;

type Listed = "all" | "firing" | "gone";

/** Whether a media query matches. */
function useMedia(query: string): Accessor<boolean> {
  const media = matchMedia(query);
  const [matches, setMatches] = createSignal(media.matches);
  const change = () => setMatches(media.matches);
  media.addEventListener("change", change);
  onCleanup(() => media.removeEventListener("change", change));
  return matches;
}

/** A choice that the page's address keeps. */
function createParameter(name: string): [Accessor<string>, (value: string) => void] {
  const [value, setValue] = createSignal(readParameter(name));
  return [
    value,
    (next) => {
      setValue(next);
      writeParameter(name, next);
    },
  ];
}

function Choice(props: {
  label: string;
  value: string;
  items: readonly { text: string; value: string }[];
  onChoose(value: string): void;
}) {
  const chosen = () => props.items.find(({ value }) => value === props.value)?.text ?? props.value;
  return (
    <MenuButton
      label={`${props.label}: ${chosen()}`}
      class="button small"
      button={
        <>
          {chosen()}
          <Icon name="chevron" />
        </>
      }
    >
      {(close) => (
        <ul class="menu-items">
          <For each={props.items}>
            {(item) => (
              <li>
                <button
                  type="button"
                  class="menu-item"
                  autofocus={item.value === props.value}
                  aria-pressed={item.value === props.value}
                  onClick={() => {
                    close();
                    props.onChoose(item.value);
                  }}
                >
                  {item.text}
                </button>
              </li>
            )}
          </For>
        </ul>
      )}
    </MenuButton>
  );
}

function Heading(props: {
  title: string;
  small?: string;
  by: string;
  sort: string;
  spare?: boolean;
  onSort(by: string): void;
}) {
  const direction = () => {
    if (props.sort !== props.by) return undefined;
    return props.by === "name" ? "ascending" : "descending";
  };
  return (
    <th scope="col" classList={{ spare: props.spare }} aria-sort={direction()}>
      <button type="button" title={`Sort by ${props.title}`} onClick={() => props.onSort(props.by)}>
        {props.title}
        <Show when={props.small}>
          {" "}
          <small>{props.small}</small>
        </Show>
        <Show when={direction()}>
          <span aria-hidden="true"> {props.by === "name" ? "↑" : "↓"}</span>
        </Show>
      </button>
    </th>
  );
}

/** The chart of one column, of all hosts. */
function Across(props: { columns: readonly Column[] }) {
  const { sections } = useStores();
  const [at, setAt] = createSignal(0);
  createEffect(() => {
    const wanted = props.columns.findIndex(({ metrics }) =>
      metrics.some((name) => sections.takeRow(`chart ${name}`) !== undefined),
    );
    if (wanted !== -1) setAt(wanted);
  });
  const charts = createMemo<readonly Chart[]>(
    (before) =>
      keptByContent(
        before,
        props.columns.map(({ metrics, title, unit, max }): Chart => {
          const scale = Number.isNaN(max) ? {} : { min: 0, max };
          return { type: "chart", metrics: [...metrics], title: `${title} of all hosts`, unit, ...scale };
        }),
      ),
    [],
  );
  return (
    <div class="hosts-chart" data-metric={props.columns.flatMap(({ metrics }) => metrics).join(" ")}>
      <fieldset class="segments" aria-label="Chart of all hosts">
        <For each={props.columns}>
          {(column, place) => (
            <button type="button" aria-pressed={at() === place()} onClick={() => setAt(place())}>
              {column.title}
            </button>
          )}
        </For>
      </fieldset>
      <Show when={charts()[at()] ?? charts()[0]} keyed>
        {(chart) => <ChartPanel chart={chart} />}
      </Show>
    </div>
  );
}

export default function HostsPanel(props: { panel: Hosts }) {
  const { stats } = useStores();
  const hosts = useHosts();
  const isPhone = useMedia("(max-width: 40rem)");
  const [filter, setFilter] = createParameter("filter");
  const [sort, setSort] = createParameter("sort");
  const [grouped, setGrouped] = createParameter("group");
  const [show, setShow] = createSignal<Listed>("all");
  const [folded, setFolded] = createSignal<ReadonlySet<string>>(new Set());
  /** How many rows a group shows more than it did at first. */
  const [more, setMore] = createSignal<ReadonlyMap<string, number>>(new Map());
  let pointed = false;
  let orderedAt = Number.NaN;
  let orderedBy = "";

  const { columns } = hosts;
  const labels = createMemo<readonly string[]>((before) => kept(before, groupingLabels(hosts.all())), []);
  const label = () => {
    if (grouped() !== "") return grouped() === "none" ? "" : grouped();
    return props.panel.group_by || (labels().includes("env") ? "env" : "");
  };
  /** A column is known by its first metric. */
  const sorting = createMemo<Sort>(() => {
    if (sort() === "name") return "name";
    const at = columns().findIndex(({ metrics }) => metrics[0] === sort());
    return at === -1 ? "worst" : at;
  });
  const sortName = () => {
    const by = sorting();
    return typeof by === "number" ? columns()[by].metrics[0] : by;
  };
  const places = createMemo<ReadonlyMap<string, number>>((before) => {
    const all = hosts.all();
    const now = stats.pace();
    const by = String(sorting());
    const isSoon = pointed || Math.abs(now - orderedAt) < ORDER_EVERY_MS;
    if (before.size > 0 && by === orderedBy && isSoon) return before;
    [orderedAt, orderedBy] = [now, by];
    return new Map(sorted(all, sorting()).map(({ name }, place) => [name, place]));
  }, new Map());

  const counts = createMemo(() => ({
    all: hosts.all().length,
    firing: hosts.all().filter(({ firing }) => firing > 0).length,
    gone: hosts.gone().length,
  }));
  const found = createMemo(() => {
    const matches = matcher(filter());
    const kind = show();
    const place = ({ name }: { name: string }) => places().get(name) ?? Number.POSITIVE_INFINITY;
    return hosts
      .all()
      .filter(
        (host) =>
          matches(host) && (kind === "all" || (kind === "gone" ? host.state === "gone" : host.firing > 0)),
      )
      .sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  });
  const groups = createMemo(() => groupsOf(found(), label()));
  const byGroup = createMemo(() => new Map(groups().map((group) => [group.name, group])));
  const least = (group: HostGroup): number => {
    if (isPhone()) return Math.max(PHONE_ROWS, shownOf(group, 0, 0));
    return shownOf(group, label() === "" ? CALM_ALONE : CALM);
  };
  const shownIn = (group: HostGroup) => {
    const most = least(group) + (more().get(group.name) ?? 0);
    return group.hosts.filter((host, place) => place < most || wrongWith(host) !== "");
  };
  /** What the table lists: `g` and a group, `h` and a host, `m` and the group that has more. */
  const keys = createMemo<readonly string[]>(
    (before) =>
      kept(
        before,
        groups().flatMap((group) => {
          const head = label() === "" ? [] : [`g${group.name}`];
          if (folded().has(group.name)) return head;
          const shown = shownIn(group);
          const rest = shown.length < group.hosts.length ? [`m${group.name}`] : [];
          return [...head, ...shown.map(({ name }) => `h${name}`), ...rest];
        }),
      ),
    [],
  );
  const names = createMemo<readonly string[]>(
    (before) =>
      kept(
        before,
        hosts
          .all()
          .map(({ name }) => name)
          .sort(),
      ),
    [],
  );
  const end = createMemo(() => sharedEnd(names()));
  const short = (name: string) => name.slice(0, name.length - end().length);
  const groupOf = (name: string): HostGroup => byGroup().get(name) ?? { name, hosts: [] };
  const titleOf = (name: string) => name || `no ${label()}`;
  const isFew = () => counts().all <= FEW;

  function toggle(name: string): void {
    const next = new Set(folded());
    if (!next.delete(name)) next.add(name);
    setFolded(next);
  }

  function moreText(group: HostGroup): string {
    const left = group.hosts.length - shownIn(group).length;
    const where = group.name === "" ? "" : ` in ${group.name}`;
    return `${formatCount(left)} more${where}, all calm`;
  }

  const More = (props: { name: string }) => (
    <button
      type="button"
      class="link"
      onClick={() => setMore(new Map(more()).set(props.name, (more().get(props.name) ?? 0) + MORE))}
    >
      {moreText(groupOf(props.name))}
    </button>
  );

  const Group = (props: { name: string }) => (
    <GroupRow
      group={groupOf(props.name)}
      title={titleOf(props.name)}
      id={`hosts-${props.name}`}
      open={!folded().has(props.name)}
      columns={columns()}
      onToggle={() => toggle(props.name)}
    />
  );

  /** The first column of a group on a phone: `CPU avg 47.5 %`. */
  const phoneNote = (group: HostGroup): string => {
    const [column] = columns();
    if (column === undefined) return "";
    const value = together(
      column.group,
      group.hosts.map((host) => host.values[0]),
    );
    return `${column.title} ${column.group} ${valueText(value, column)}${column.unit === "%" ? " %" : ""}`;
  };

  const points = (over: boolean) => () => {
    pointed = over;
  };
  return (
    <div class="hosts-panel">
      <section class="hosts" classList={{ few: isFew() }} aria-label={props.panel.title}>
        <div class="hosts-head">
          <h3>{props.panel.title}</h3>
          <Show when={end()}>
            <span class="chart-common">{`host = […]${end()}`}</span>
          </Show>
          <fieldset class="segments" aria-label="Hosts that are listed">
            <For each={["all", "firing", "gone"] as const}>
              {(kind) => (
                <button type="button" aria-pressed={show() === kind} onClick={() => setShow(kind)}>
                  {`${kind.charAt(0).toUpperCase()}${kind.slice(1)} ${formatCount(counts()[kind])}`}
                </button>
              )}
            </For>
          </fieldset>
          <label class="filter">
            <Icon name="search" />
            <span class="visually-hidden">Filter hosts</span>
            <input
              type="text"
              placeholder="Filter names, role=web"
              value={filter()}
              onInput={(event) => setFilter(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key !== "Escape" || filter() === "") return;
                event.preventDefault();
                setFilter("");
              }}
            />
          </label>
          <Choice
            label="Sort hosts"
            value={sortName()}
            items={[
              { text: "Worst first", value: "worst" },
              { text: "By name", value: "name" },
              ...columns().map(({ metrics, title }) => ({ text: `By ${title}`, value: metrics[0] })),
            ]}
            onChoose={(by) => setSort(by === "worst" ? "" : by)}
          />
          <Show when={labels().length > 0}>
            <Choice
              label="Group hosts"
              value={label()}
              items={[
                { text: "No groups", value: "" },
                ...labels().map((one) => ({ text: `Group by ${one}`, value: one })),
              ]}
              onChoose={(by) => setGrouped(by === "" ? "none" : by)}
            />
          </Show>
        </div>
        <Show
          when={isPhone()}
          fallback={
            <table
              class="hosts-table"
              style={{ "--columns": columns().length }}
              onPointerEnter={points(true)}
              onPointerLeave={points(false)}
            >
              <caption class="visually-hidden">{props.panel.title}</caption>
              <colgroup>
                <col class="host-name-column" />
                <col class="host-up-column" />
                <For each={columns()}>{(column) => <col classList={{ spare: isSpare(column) }} />}</For>
                <col class="host-alerts-column" />
              </colgroup>
              <thead>
                <tr>
                  <Heading
                    title={sortName() === "worst" ? "host, worst first" : "host"}
                    by={sortName() === "worst" ? "worst" : "name"}
                    sort={sortName()}
                    onSort={() => setSort(sortName() === "worst" ? "name" : "")}
                  />
                  <th scope="col">up / seen</th>
                  <For each={columns()}>
                    {(column) => (
                      <Heading
                        title={column.title}
                        small={[column.unit === "%" ? "%" : "", column.note].filter(Boolean).join(" ")}
                        by={column.metrics[0]}
                        spare={isSpare(column)}
                        sort={sortName()}
                        onSort={setSort}
                      />
                    )}
                  </For>
                  <th scope="col" class="host-alerts">
                    Alerts
                  </th>
                </tr>
              </thead>
              <tbody>
                <For each={keys()}>
                  {(key) => {
                    const name = key.slice(1);
                    if (key[0] === "g") return <Group name={name} />;
                    if (key[0] === "h")
                      return <HostRow name={name} short={short(name)} columns={columns()} />;
                    return (
                      <tr class="hosts-more">
                        <td colSpan={3 + columns().length}>
                          <More name={name} />
                        </td>
                      </tr>
                    );
                  }}
                </For>
              </tbody>
            </table>
          }
        >
          <ul class="hosts-list">
            <For each={keys()}>
              {(key) => {
                const name = key.slice(1);
                if (key[0] === "h") return <PhoneRow name={name} short={short(name)} columns={columns()} />;
                if (key[0] === "m")
                  return (
                    <li class="hosts-more">
                      <More name={name} />
                    </li>
                  );
                return (
                  <li class="hosts-list-group" id={`hosts-${name}`}>
                    <button type="button" aria-expanded={!folded().has(name)} onClick={() => toggle(name)}>
                      <Icon name="chevron" />
                      {titleOf(name)}
                    </button>
                    <span>{`${countText(groupOf(name).hosts)} ${plural(groupOf(name).hosts.length, "host")}`}</span>
                    <span class="hosts-list-note">{phoneNote(groupOf(name))}</span>
                  </li>
                );
              }}
            </For>
          </ul>
        </Show>
        <Show when={found().length === 0}>
          <p class="no-rows">{counts().all === 0 ? "No host has been heard from yet" : "No host matches"}</p>
        </Show>
        <p class="hosts-foot">
          <span>
            {`${formatCount(counts().all)} ${plural(counts().all, "host")} · bold: the value nearest to its limit, by which a row is ranked`}
          </span>
          <Show when={hosts.failed()}>
            <span role="status">{`Details of the hosts could not be loaded: ${hosts.failed()}. Trying again.`}</span>
          </Show>
          <span class="hosts-hint">a click opens the host’s own board</span>
        </p>
      </section>
      <div class="hosts-below">
        <Show when={columns().length > 0}>
          <Across columns={columns()} />
        </Show>
        <Show when={later()} keyed>
          {(parts) => (
            <section class="hosts-recent" id="recent" aria-label="Recent alerts" tabIndex={-1}>
              <parts.Recent alone={false} />
            </section>
          )}
        </Show>
      </div>
    </div>
  );
}
