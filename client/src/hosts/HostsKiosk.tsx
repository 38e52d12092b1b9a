/**
 * The hosts of a wall without controls: what fires and what is gone in a band, and each host as a cell in its place,
 * with the value that is nearest to its limit.
 */
import "../styles/hostwall.css";
import {
  createEffect,
  createMemo,
  createRenderEffect,
  createSignal,
  For,
  Index,
  onCleanup,
  onMount,
  Show,
} from "solid-js";
import { useStores } from "../components/context";
import { SeverityShape } from "../components/SeverityShape";
import {
  formatCount,
  formatDate,
  formatDuration,
  formatTime,
  formatWhen,
  formatZone,
  plural,
} from "../format";
import { type CellGroup, type CellRole, heatOf, laid, placed } from "./cells";
import { useGone } from "./gone";
import { GoneShape, HostShape } from "./HostShape";
import { HostsBand } from "./HostsBand";
import { type Host, wrongWith } from "./model";
import { useHosts } from "./store";
import { wordOf } from "./words";

/** From this share of its limit on, a cell says which value it is. */
const NEAR = 0.8;
/** The height of the band and the space below it, in rem. */
const BAND = 14.625;
/** Between two groups, in rem. */
const GAP = 0.875;
const NEXT_EVERY_MS = 5_000;
const MOST_NEXT = 6;

function Head() {
  const { alerts, board, connection, time } = useStores();
  const hosts = useHosts();
  const word = () => {
    if (!connection.connected()) return connection.tried() ? "Disconnected" : "Connecting…";
    if (!time.follows()) return "Standing still";
    return connection.behind() > 0 ? `Behind by ${formatDuration(connection.behind() * 1000)}` : "Live";
  };
  const title = () => board.title().split(" · ");
  const critical = () => alerts.firingCount("critical");
  const warnings = () => alerts.firingCount("warning");
  return (
    <header class="wall-head">
      <h1>
        {title()[0]}
        <Show when={title().length > 1}>
          <span>{` · ${title().slice(1).join(" · ")}`}</span>
        </Show>
      </h1>
      <span class="wall-tally">
        <b>{formatCount(hosts.live())}</b> of {formatCount(hosts.all().length)} live
      </span>
      <Show when={critical() > 0}>
        <span class="wall-badge critical-badge">
          <SeverityShape severity="critical" />
          {`${formatCount(critical())} Critical`}
        </span>
      </Show>
      <Show when={warnings() > 0}>
        <span class="wall-badge warning-badge">
          <SeverityShape severity="warning" />
          {`${formatCount(warnings())} ${plural(warnings(), "Warning")}`}
        </span>
      </Show>
      <Show when={hosts.gone().length > 0}>
        <span class="wall-badge gone-badge">
          <GoneShape />
          {`${formatCount(hosts.gone().length)} Gone`}
        </span>
      </Show>
      <span class={`status ${connection.connected() ? "connected" : "disconnected"} wall-status`}>
        <span class="dot" />
        <span role="status">{word()}</span>
      </span>
      <Show when={connection.stale()}>
        <strong role="status">{`Stale since ${formatWhen(connection.newest(), connection.time())}`}</strong>
      </Show>
      <b class="wall-clock">{formatTime(connection.time())}</b>
      <span class="wall-date">{`${formatDate(connection.time())} · ${formatZone(connection.time())}`}</span>
    </header>
  );
}

/** What each cell says, set only where it has changed: there may be a thousand of them. */
function useCells(): (name: string) => (element: HTMLElement) => void {
  const hosts = useHosts();
  const cells = new Map<string, HTMLElement>();
  const said = new WeakMap<HTMLElement, string>();

  function write(element: HTMLElement, name: string, host: Host | undefined): void {
    const wrong = host === undefined ? "" : wrongWith(host);
    const column = host === undefined ? undefined : hosts.columns()[host.column];
    const value =
      host === undefined || column === undefined
        ? Number.NaN
        : column.unit === "%"
          ? host.values[host.column]
          : 100 * host.share;
    const number = Number.isNaN(value) ? "" : String(Math.round(value));
    const isNear = host !== undefined && host.share >= NEAR && wrong === "";
    const heat = wrong === "" ? Math.round(100 * heatOf(host?.share ?? 0)) : 0;
    const state = host?.state ?? "left";
    const text = state === "live" ? number : state === "gone" ? "gone" : "";
    const next = [wrong, state, text, isNear, heat, column?.title].join("|");
    if (said.get(element) === next) return;
    said.set(element, next);
    element.dataset.wrong = wrong;
    element.dataset.state = state;
    element.classList.toggle("near", isNear);
    element.style.setProperty("--heat", `${heat}%`);
    const what = column === undefined || text === "gone" ? text : `${column.title} ${text} %`;
    const label = [name, what, wrong === "gone" ? "" : wrong].filter(Boolean).join(", ");
    element.title = label;
    const [saidPart, numberPart, wordPart] = element.querySelectorAll<HTMLElement>(
      ":scope > :is(span, b, small)",
    );
    saidPart.textContent = label;
    numberPart.textContent = text;
    wordPart.textContent = isNear && column !== undefined ? wordOf(column.title).toLowerCase() : "";
  }

  createEffect(() => {
    const byName = hosts.byName();
    for (const [name, element] of cells) write(element, name, byName.get(name));
  });
  return (name) => (element) => {
    cells.set(name, element);
    write(element, name, hosts.byName().get(name));
    onCleanup(() => cells.delete(name));
  };
}

const SHAPES = ["critical", "warning", "gone"] as const;

function Role(props: {
  role: CellRole;
  abreast: number;
  named: boolean;
  cell: (name: string) => (element: HTMLElement) => void;
}) {
  const rows = () => Math.ceil(props.role.names.length / props.abreast);
  return (
    <div class="wall-role">
      <div class="wall-labels" aria-hidden="true">
        <Index each={Array.from({ length: rows() })}>
          {(_, row) => (
            <span>
              <Show when={row === 0}>
                <b>{props.role.role}</b>
              </Show>
              <i>{row * props.abreast + 1}</i>
            </span>
          )}
        </Index>
      </div>
      <ul
        class="wall-cells"
        aria-label={props.role.role}
        style={{ "grid-template-columns": `repeat(${props.abreast}, minmax(0, 1fr))` }}
      >
        <For each={props.role.names}>
          {(name) => (
            <li class="wall-cell" ref={(element) => props.cell(name)(element)} data-host={name}>
              <span class="visually-hidden" />
              <Show when={props.named}>
                <i class="wall-cell-name" aria-hidden="true">
                  {name}
                </i>
              </Show>
              <svg class="severity-shape" viewBox="0 0 12 12" aria-hidden="true">
                <path class="wall-octagon" d="M4 .8h4L11.2 4v4L8 11.2H4L.8 8V4z" />
                <path class="wall-triangle" d="M6 1l5.3 9.8H.7z" />
              </svg>
              <b aria-hidden="true" />
              <small aria-hidden="true" />
            </li>
          )}
        </For>
      </ul>
    </div>
  );
}

function Group(props: {
  group: CellGroup;
  title: string;
  abreast: number;
  named: boolean;
  cell: (name: string) => (element: HTMLElement) => void;
}) {
  const { stats } = useStores();
  const hosts = useHosts();
  const all = createMemo(() =>
    props.group.roles.flatMap(({ names }) => names.flatMap((name) => hosts.byName().get(name) ?? [])),
  );
  const count = (wrong: string) => all().filter((host) => wrongWith(host) === wrong).length;
  let nextAt = Number.NaN;
  const next = createMemo<readonly Host[]>((before) => {
    const calm = all().filter((host) => wrongWith(host) === "" && host.column !== -1);
    const now = stats.pace();
    if (before.length > 0 && Math.abs(now - nextAt) < NEXT_EVERY_MS) return before;
    nextAt = now;
    const most = Math.min(MOST_NEXT, Math.max(2, Math.round(props.abreast / 2)));
    return calm.sort((a, b) => b.share - a.share).slice(0, most);
  }, []);
  return (
    <section class="wall-group" style={{ "flex-grow": props.abreast }}>
      <h2>
        {props.title}
        <span class="wall-count">{formatCount(props.group.total)}</span>
        <For each={SHAPES}>
          {(wrong) => (
            <Show when={count(wrong)}>
              {(many) => (
                <span class="wall-wrong" data-wrong={wrong}>
                  <HostShape wrong={wrong} />
                  {formatCount(many())}
                  <span class="visually-hidden">{` ${wrong}`}</span>
                </span>
              )}
            </Show>
          )}
        </For>
      </h2>
      <For each={props.group.roles}>
        {(role) => <Role role={role} abreast={props.abreast} named={props.named} cell={props.cell} />}
      </For>
      <p class="wall-next">
        <i>Nearest to a limit</i>
        <For each={next()}>
          {(host) => {
            const column = hosts.columns()[host.column];
            const value = column?.unit === "%" ? host.values[host.column] : 100 * host.share;
            return (
              <span>
                {host.name} <b>{Math.round(value)}</b>{" "}
                <small>{`% ${wordOf(column?.title ?? "").toLowerCase()}`}</small>
              </span>
            );
          }}
        </For>
      </p>
    </section>
  );
}

/** The size of an element in rem. */
function useSize(element: () => HTMLElement): () => { width: number; height: number } {
  const [size, setSize] = createSignal({ width: 0, height: 0 });
  onMount(() => {
    const observer = new ResizeObserver(() => {
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
      const { clientWidth, clientHeight } = element();
      setSize({ width: clientWidth / rem, height: clientHeight / rem });
    });
    observer.observe(element());
    onCleanup(() => observer.disconnect());
  });
  return size;
}

export default function HostsKiosk() {
  const { alerts } = useStores();
  const hosts = useHosts();
  let field!: HTMLDivElement;
  const size = useSize(() => field);
  const gone = useGone();
  const cell = useCells();
  const label = createMemo(() =>
    hosts.described().some(({ labels }) => labels.env !== undefined) ? "env" : "",
  );
  const groups = createMemo<readonly CellGroup[]>((before) => {
    const known = hosts.described();
    const next = known.length === 0 ? before : placed(known, label(), before);
    const isSame = JSON.stringify(next) === JSON.stringify(before);
    return isSame ? before : next;
  }, []);
  const isQuiet = createMemo(() => alerts.firingIds().length + gone().length === 0);
  /** Without the band's room even while nothing fires: no cell moves when something does. */
  const laidOut = createMemo(() => {
    const { width, height } = size();
    return laid(groups(), width - GAP * (groups().length - 1), height - (isQuiet() ? BAND : 0));
  });
  // Set the wall's text size before anything is measured or drawn.
  createRenderEffect(() => {
    document.documentElement.dataset.kiosk = "many";
  });
  onCleanup(() => delete document.documentElement.dataset.kiosk);
  const columns = () =>
    hosts
      .columns()
      .filter(({ limit }) => limit > 0)
      .map(({ title }) => title);
  return (
    <main class="wall" data-cells={laidOut().size.name} style={{ "--height": `${laidOut().size.height}rem` }}>
      <Head />
      <HostsBand />
      <div class="wall-field" ref={field}>
        <For each={groups()}>
          {(group, at) => (
            <Group
              group={group}
              title={group.name || (label() === "" ? "hosts" : `no ${label()}`)}
              abreast={laidOut().abreast[at()] ?? 1}
              named={laidOut().size.name === "named"}
              cell={cell}
            />
          )}
        </For>
      </div>
      <footer class="wall-foot">
        <span>
          {`Each cell is a host, in its fixed place; the number is its value nearest to a limit, in % (${columns().join(", ")}); from 80 % on, the cell says which`}
        </span>
        <span class="wall-scale" aria-hidden="true">
          half of a limit
          <For each={[0.5, 0.6, 0.7, 0.8, 0.9, 1]}>
            {(share) => <i style={{ "--heat": `${Math.round(100 * heatOf(share))}%` }} />}
          </For>
          at the limit
        </span>
        <span class="wall-seen">{`all seen within ${formatDuration(hosts.withinMs())}, except what is gone`}</span>
      </footer>
    </main>
  );
}
