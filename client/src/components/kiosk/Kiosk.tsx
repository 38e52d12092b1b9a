/**
 * The board on a wall, without controls: a clock, a band of firing alerts, and every series as a cell. A
 * board with few series shows its cards and charts, only larger.
 */
import { extentOf } from "../../extent";
import "../../styles/kiosk.css";
import { createMemo, createRenderEffect, createSignal, For, Index, onCleanup, onMount, Show } from "solid-js";
import { SEVERITIES } from "../../alerts/entries";
import { meaningOf, statesByMetric } from "../../chart/states";
import {
  formatCount,
  formatDate,
  formatDuration,
  formatLine,
  formatRange,
  formatTime,
  formatValue,
  formatWhen,
  formatZone,
  plural,
} from "../../format";
import { type Series, seriesKey } from "../../link/protocol";
import type { Severity } from "../../types.gen";
import { kept } from "../../window/kept";
import { cardTexts, onlyDiffering, titleIn } from "../cardText";
import { useStores } from "../context";
import { distinct } from "../distinct";
import { useGrey } from "../grey";
import { HostsKiosk } from "../HostsPlace";
import { useInView } from "../inView";
import { useLasted } from "../lasted";
import { type Group, leavesOf } from "../layout";
import { Panels } from "../Panels";
import { SeverityShape } from "../SeverityShape";
import { Spark } from "../Spark";
import { useLimits, useSeverity } from "../severity";
import { useSpan } from "../span";
import { type CellGroup, type CellSize, cellGroups, heatOf, laid, type Part, type Room } from "./groups";

/** Up to this many series, the cards and charts fit. */
const FEW_SERIES = 60;
/** How many alerts fit in the band. */
const MOST_FIRING = 4;
/** Each of these widths adds a column. */
const WIDTHS = [700, 1100, 1700, 2300];
/** The height of the band with one row of alerts, and the space below it, in rem. */
const BAND = 6.75;

function Head() {
  const { alerts, board, connection, past, time } = useStores();
  const span = useSpan();
  const word = () => {
    if (!connection.connected()) return connection.tried() ? "Disconnected" : "Connecting…";
    if (!time.follows()) return "Standing still";
    return connection.behind() > 0 ? `Behind by ${formatDuration(connection.behind() * 1000)}` : "Live";
  };
  const badge = (severity: Severity, name: string) => {
    const count = () => alerts.firingCount(severity);
    return (
      <Show when={count() > 0}>
        <span class={`kiosk-badge ${severity}-badge`}>{`${formatCount(count())} ${name}`}</span>
      </Show>
    );
  };
  return (
    <div class="kiosk-head">
      <h1>{board.title()}</h1>
      {badge("critical", "Critical")}
      {badge("warning", plural(alerts.firingCount("warning"), "Warning"))}
      <span class={`status ${connection.connected() ? "connected" : "disconnected"} kiosk-status`}>
        <span class="dot" />
        <span role="status">{word()}</span>
      </span>
      <Show when={!time.isOwn()}>
        <span class="kiosk-range">{`${time.follows() ? `Last ${span()}` : formatRange(time.range())}${past.state().failed && `: ${past.state().failed}`}`}</span>
      </Show>
      <Show when={connection.stale()}>
        <strong
          class="kiosk-stale"
          role="status"
        >{`Stale since ${formatWhen(connection.newest(), connection.time())}`}</strong>
      </Show>
      <span class="kiosk-clock">{formatTime(connection.time())}</span>
      <span class="kiosk-date">{`${formatDate(connection.time())} · ${formatZone(connection.time())}`}</span>
    </div>
  );
}

function Firing(props: { id: string }) {
  const { alerts, board, stats } = useStores();
  const entry = createMemo((before: ReturnType<typeof alerts.entry>) => alerts.entry(props.id) ?? before);
  return (
    <Show when={entry()}>
      {(entry) => {
        const alert = () => entry().lead.alert;
        const lasted = useLasted(entry);
        const key = () => seriesKey(alert().metric ?? "", alert().labels);
        const limits = createMemo(() => {
          const { severity, threshold } = alert();
          return threshold === undefined ? [] : [{ value: threshold, severity }];
        });
        const value = () => {
          stats.drawn();
          const now = board.isPlain(alert()) ? stats.window.newest(key()) : Number.NaN;
          const shown = Number.isFinite(now) ? now : (alert().value ?? Number.NaN);
          const extent = extentOf([shown, alert().threshold]);
          return formatValue(shown, board.unitOf(alert()), extent, stats.window.isWhole(key()));
        };
        return (
          <li
            class="kiosk-firing"
            classList={{ resolved: !entry().firing }}
            data-severity={entry().firing ? alert().severity : undefined}
          >
            <div class="kiosk-what">
              <p>
                <SeverityShape severity={alert().severity} hollow={!entry().firing} />
                <b>{alert().severity.toUpperCase()}</b> since {formatTime(entry().began).slice(0, 5)} ·{" "}
                {lasted()}
              </p>
              <p class="kiosk-message">{`${entry().total > 1 ? `${formatCount(entry().total)} × ` : ""}${alert().message}`}</p>
            </div>
            <Spark series={key()} limits={limits()} firing={entry().firing ? alert().severity : undefined} />
            <Show when={alert().value !== undefined}>
              <span class="kiosk-value">
                {value().number} <small>{value().unit}</small>
              </span>
            </Show>
          </li>
        );
      }}
    </Show>
  );
}

function Band() {
  const { alerts } = useStores();
  const ids = createMemo<readonly string[]>(
    (before) => kept(before, alerts.firingIds().slice(0, MOST_FIRING)),
    [],
  );
  const more = () =>
    alerts
      .firingIds()
      .slice(MOST_FIRING)
      .map(alerts.entry)
      .reduce((sum, entry) => sum + (entry?.firing ? entry.total : 0), alerts.firingLeftOut().more);
  return (
    <Show when={ids().length > 0}>
      <ul class="kiosk-band" aria-label="Firing">
        <For each={ids()}>{(id) => <Firing id={id} />}</For>
        <Show when={more() > 0}>
          <li class="kiosk-more">{`${formatCount(more())} more`}</li>
        </Show>
      </ul>
    </Show>
  );
}

/** The states of the metrics with a timeline, found once for all cells. */
const states = new WeakMap<readonly Group[], ReturnType<typeof statesByMetric>>();

/** The word for the state that a value means; undefined if its metric has no timeline. */
function useWord(metric: string): (value: number) => string | undefined {
  const { board } = useStores();
  return (value) => {
    const groups = board.groups();
    const known = states.get(groups) ?? statesByMetric(groups.flatMap(leavesOf));
    states.set(groups, known);
    const named = known.get(metric);
    if (named === undefined || Number.isNaN(value)) return undefined;
    return meaningOf(named, { low: value, high: value }, board.metric(metric)?.unit ?? "").text;
  };
}

/** A series with its name: in the largest size with a line, too. */
function Cell(props: { series: Series; name: string; size: CellSize["name"] }) {
  const { board, stats } = useStores();
  let element!: HTMLDivElement;
  const unit = () => board.metric(props.series.name)?.unit ?? props.series.unit;
  const numbers = stats.statsOf(
    props.series.key,
    useInView(() => element),
  );
  const word = useWord(props.series.name);
  const now = createMemo(() => {
    const text = word(numbers().last);
    if (text !== undefined) return { number: text, unit: "" };
    return cardTexts(numbers(), unit(), stats.window.isWhole(props.series.key)).now;
  });
  const severity = useSeverity(() => [props.series.key, props.series.name]);
  const limits = useLimits(props.series.name, severity);
  return (
    <div class="kiosk-cell" ref={element} data-metric={props.series.key} data-severity={severity()}>
      <p class="kiosk-name" title={props.name}>
        <Show when={severity()}>{(worst) => <SeverityShape severity={worst()} />}</Show>
        {props.name}
      </p>
      <Show when={props.size === "full"}>
        <Spark series={props.series.key} limits={limits()} />
      </Show>
      <p class="kiosk-now">
        {now().number} <small>{now().unit}</small>
      </p>
    </div>
  );
}

/**
 * A series in a small place, which never moves, so that it can be learned. Its ground says how near its value is to
 * its limit.
 */
function SmallCell(props: { series: Series; name: string; size: CellSize["name"] }) {
  const { board, stats } = useStores();
  const unit = () => board.metric(props.series.name)?.unit ?? props.series.unit;
  const now = createMemo(() => {
    stats.drawn();
    return stats.window.newest(props.series.key);
  });
  const word = useWord(props.series.name);
  const text = () => {
    const said = word(now());
    if (said !== undefined) return { number: said, unit: "" };
    return formatValue(now(), unit(), undefined, stats.window.isWhole(props.series.key));
  };
  const severity = useSeverity(() => [props.series.key, props.series.name]);
  const limits = useLimits(props.series.name, severity);
  const heat = createMemo(() => heatOf(now(), limits()[0]?.value));
  return (
    <div
      class="kiosk-small"
      data-metric={props.series.key}
      data-severity={severity()}
      style={{ "--heat": `${heat()}%` }}
      title={`${props.name}: ${text().number} ${text().unit}`}
    >
      <Show when={severity()}>{(worst) => <SeverityShape severity={worst()} />}</Show>
      <span classList={{ "visually-hidden": props.size === "dot" }}>{text().number}</span>
      <span class="visually-hidden">{` ${text().unit}: ${props.name}`}</span>
    </div>
  );
}

function GroupPart(props: { part: Part; size: CellSize["name"]; abreast: number }) {
  const { alerts, board, sections } = useStores();
  const title = () => props.part.title || board.title();
  const titleOf = (name: string) => titleIn(props.part.title, board.metric(name)?.title ?? name);
  /** The title of the metric of all cells, said once. */
  const only = createMemo(() => {
    const found = new Set(props.part.series.map(({ name }) => name));
    return found.size === 1 && props.part.series.length > 1 ? titleOf([...found][0]) : "";
  });
  const names = createMemo(() => {
    const { series } = props.part;
    const labels = onlyDiffering(series.map((one) => one.labels)).map(formatLine);
    const titles = series.map(({ name }) => (only() === "" ? titleOf(name) : ""));
    return distinct(titles.map((title, i) => [title, labels[i]].filter(Boolean).join(" · ")));
  });
  const worst = () =>
    props.part.path === ""
      ? SEVERITIES.find((severity) =>
          props.part.series.some(({ key }) => alerts.severityOf(key) === severity),
        )
      : sections.severityOf(props.part.path);
  const firing = () =>
    sections
      .all()
      .find(({ path }) => path === props.part.path)
      ?.firing() ?? 0;
  const isSmall = () => props.size !== "full" && props.size !== "line";
  /** The unit of all cells, which have no room for it. */
  const unit = () => {
    const units = new Set(props.part.series.map(({ name, unit: own }) => board.metric(name)?.unit ?? own));
    return units.size === 1 ? [...units][0] : "";
  };
  const note = () => {
    if (props.part.continued) return [only(), "continued"].filter(Boolean).join(" · ");
    const count = `${formatCount(props.part.total)} series`;
    const parts = [
      only(),
      count,
      isSmall() ? unit() : "",
      firing() > 0 ? `${formatCount(firing())} firing` : "",
    ];
    return parts.filter(Boolean).join(" · ");
  };
  return (
    <section
      class="kiosk-group"
      style={{ "--rows": Math.ceil(props.part.series.length / props.abreast), "--abreast": props.abreast }}
    >
      <h2>
        <Show when={worst()} fallback={<span class="dot" />}>
          {(severity) => <SeverityShape severity={severity()} />}
        </Show>
        {title()}
        <span class="kiosk-note">{note()}</span>
      </h2>
      <div class="kiosk-cells">
        <For each={props.part.series}>
          {(series, at) => (
            <Show
              when={isSmall()}
              fallback={<Cell series={series} name={names()[at()] ?? ""} size={props.size} />}
            >
              <SmallCell series={series} name={names()[at()] ?? ""} size={props.size} />
            </Show>
          )}
        </For>
      </div>
    </section>
  );
}

/** The size of an element in rem, and how many columns its width has room for. */
function useRoom(element: () => HTMLElement): () => Room {
  const [room, setRoom] = createSignal<Room>({ width: 0, height: 0, columns: 1 });
  onMount(() => {
    const observer = new ResizeObserver(() => {
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
      const { clientWidth: width, clientHeight: height } = element();
      const columns = 1 + WIDTHS.filter((from) => width >= from).length;
      setRoom({ width: width / rem, height: height / rem, columns });
    });
    observer.observe(element());
    onCleanup(() => observer.disconnect());
  });
  return room;
}

function Columns(props: { groups: readonly CellGroup[] }) {
  const { alerts } = useStores();
  let element!: HTMLDivElement;
  const room = useRoom(() => element);
  const isQuiet = createMemo(() => alerts.firingIds().length === 0);
  /** Without the band's room even while nothing fires: no cell moves when something does. */
  const height = () => room().height - (isQuiet() ? BAND : 0);
  const all = createMemo(() => laid(props.groups, { ...room(), height: height() }));
  const size = createMemo(() => all().size.name);
  return (
    <div
      class="kiosk-columns"
      ref={element}
      style={{ "--columns": all().columns.length }}
      data-cells={size()}
    >
      {/* Keyed by place: a new series does not move the cells before it. */}
      <Index each={all().columns}>
        {(parts) => (
          <div class="kiosk-column">
            <Index each={parts()}>
              {(part) => <GroupPart part={part()} size={size()} abreast={all().abreast} />}
            </Index>
          </div>
        )}
      </Index>
    </div>
  );
}

/** The board on a wall. A board with hosts shows those. */
export default function Kiosk() {
  const { board } = useStores();
  const hasHosts = createMemo(() =>
    board
      .groups()
      .flatMap(leavesOf)
      .some(({ type }) => type === "hosts"),
  );
  return (
    <Show when={hasHosts()} fallback={<SeriesKiosk />}>
      <HostsKiosk />
    </Show>
  );
}

function SeriesKiosk() {
  const { board, rows, stats } = useStores();
  useGrey();
  const groups = createMemo(() =>
    cellGroups(board.groups(), (row) => row.title === "" || rows.isOpen(row), stats.seriesOf),
  );
  /** Once true, it stays true. */
  const many = createMemo<boolean>(
    (before) => before || groups().reduce((sum, { series }) => sum + series.length, 0) > FEW_SERIES,
    false,
  );
  // Set the wall's text size before anything is measured or drawn.
  createRenderEffect(() => {
    document.documentElement.dataset.kiosk = many() ? "many" : "few";
  });
  onCleanup(() => delete document.documentElement.dataset.kiosk);
  return (
    <main class="kiosk" classList={{ "kiosk-few": !many() }}>
      <Head />
      <Band />
      <Show
        when={many()}
        fallback={
          <>
            {/* Cards outside of sections have headings of the third level. */}
            <h2 class="visually-hidden">Values</h2>
            <Panels />
          </>
        }
      >
        <Columns groups={groups()} />
      </Show>
    </main>
  );
}
