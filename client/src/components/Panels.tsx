/**
 * The panels in the order declared: cards that follow each other flow in one grid, charts and tables in another,
 * and a row keeps its own together under its title, which opens and closes it. When panels come and go, those that
 * stay keep their elements: groups are told apart by id, panels by object.
 */
import { type Accessor, createMemo, createUniqueId, For, Match, Show, Switch } from "solid-js";
import type { Card } from "../types.gen";
import { ChartPanel } from "./ChartPanel";
import { useStores } from "./context";
import { Icon } from "./Icon";
import type { Group, Plotted } from "./layout";
import { MetricCard } from "./MetricCard";
import { Skeleton } from "./Skeleton";
import { TablePanel } from "./TablePanel";

type RowGroup = Extract<Group, { type: "row" }>;

function Cards(props: { panels: readonly Card[] }) {
  return (
    <div class="metric-cards">
      <For each={props.panels}>{(card) => <MetricCard card={card} />}</For>
    </div>
  );
}

function Charts(props: { panels: readonly Plotted[] }) {
  return (
    <div class="charts">
      <For each={props.panels}>
        {(panel) => (panel.type === "chart" ? <ChartPanel chart={panel} /> : <TablePanel table={panel} />)}
      </For>
    </div>
  );
}

/** Closed, its panels are not there at all, and cost nothing. */
function Row(props: { row: RowGroup; path: string }) {
  const { rows } = useStores();
  const id = createUniqueId();
  const path = () => [props.path, props.row.title].filter(Boolean).join(" / ");
  const open = () => props.row.title === "" || !rows.collapsed(path());
  return (
    <section class="row">
      <Show when={props.row.title}>
        <h2>
          <button
            type="button"
            class="row-toggle"
            aria-expanded={open()}
            aria-controls={id}
            onClick={() => rows.toggle(path())}
          >
            <Icon name="chevron" />
            {props.row.title}
          </button>
        </h2>
      </Show>
      <div class="row-panels" id={id} hidden={!open()}>
        <Show when={open()}>
          <Groups groups={props.row.groups} path={path()} />
        </Show>
      </div>
    </section>
  );
}

function GroupOf(props: { group: Group; path: string }) {
  return (
    <Switch>
      <Match when={props.group.type === "cards" && props.group}>
        {(group) => <Cards panels={group().panels} />}
      </Match>
      <Match when={props.group.type === "charts" && props.group}>
        {(group) => <Charts panels={group().panels} />}
      </Match>
      <Match when={props.group.type === "row" && props.group}>
        {(group) => <Row row={group()} path={props.path} />}
      </Match>
    </Switch>
  );
}

function Groups(props: { groups: readonly Group[]; path: string }) {
  const byId = createMemo(() => new Map(props.groups.map((group) => [group.id, group])));
  /** What a group is now; one that has just gone, as it was, for what is in it is told before it is removed. */
  const follow = (id: number): Accessor<Group> =>
    createMemo<Group>((before) => byId().get(id) ?? before, byId().get(id) as Group);
  return (
    <For each={[...byId().keys()]}>
      {(id) => {
        const group = follow(id);
        return <GroupOf group={group()} path={props.path} />;
      }}
    </For>
  );
}

export function Panels() {
  const { board, stats } = useStores();
  return (
    <div class="panels">
      <Show when={stats.loaded() && board.board()} fallback={<Skeleton />}>
        <Groups groups={board.groups()} path="" />
      </Show>
    </div>
  );
}
