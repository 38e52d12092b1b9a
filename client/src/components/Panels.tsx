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
import type { Group, Plotted, RowGroup } from "./layout";
import { MetricCard } from "./MetricCard";
import { Skeleton } from "./Skeleton";
import { TablePanel } from "./TablePanel";

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
function Row(props: { row: RowGroup }) {
  const { rows } = useStores();
  const id = createUniqueId();
  const open = () => props.row.title === "" || rows.isOpen(props.row);
  return (
    <section class="row" data-section={props.row.path}>
      <Show when={props.row.title}>
        <h2>
          <button
            type="button"
            class="row-toggle"
            aria-expanded={open()}
            aria-controls={id}
            onClick={() => rows.toggle(props.row)}
          >
            <Icon name="chevron" />
            {props.row.title}
          </button>
        </h2>
      </Show>
      <div class="row-panels" id={id} hidden={!open()}>
        <Show when={open()}>
          <Groups groups={props.row.groups} />
        </Show>
      </div>
    </section>
  );
}

function GroupOf(props: { group: Group }) {
  return (
    <Switch>
      <Match when={props.group.type === "cards" && props.group}>
        {(group) => <Cards panels={group().panels} />}
      </Match>
      <Match when={props.group.type === "charts" && props.group}>
        {(group) => <Charts panels={group().panels} />}
      </Match>
      <Match when={props.group.type === "row" && props.group}>{(group) => <Row row={group()} />}</Match>
    </Switch>
  );
}

function Groups(props: { groups: readonly Group[] }) {
  const byId = createMemo(() => new Map(props.groups.map((group) => [group.id, group])));
  /** What a group is now; one that has just gone, as it was, for what is in it is told before it is removed. */
  const follow = (id: number): Accessor<Group> =>
    createMemo<Group>((before) => byId().get(id) ?? before, byId().get(id) as Group);
  return (
    <For each={[...byId().keys()]}>
      {(id) => {
        const group = follow(id);
        return <GroupOf group={group()} />;
      }}
    </For>
  );
}

export function Panels() {
  const { board, stats } = useStores();
  return (
    <div class="panels">
      <Show when={stats.loaded() && board.board()} fallback={<Skeleton />}>
        <Groups groups={board.groups()} />
      </Show>
    </div>
  );
}
