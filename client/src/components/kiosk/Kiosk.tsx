/**
 * The board on a wall, without controls: a clock, a band of firing alerts, and every series as a cell. A
 * board with few series shows its cards and charts, only larger.
 */
import "../../styles/kiosk.css";
import { createMemo, createRenderEffect, For, Index, onCleanup, Show } from "solid-js";
import { SEVERITIES } from "../../alerts/entries";
import {
  extentOf,
  formatCount,
  formatDuration,
  formatLine,
  formatTime,
  formatValue,
  formatWhen,
  plural,
} from "../../format";
import { type Series, seriesKey } from "../../link/protocol";
import type { Severity } from "../../types.gen";
import { kept } from "../../window/kept";
import { cardTexts, onlyDiffering, titleIn } from "../cardText";
import { useStores } from "../context";
import { distinct } from "../distinct";
import { useInView } from "../inView";
import { useLasted } from "../lasted";
import { Panels } from "../Panels";
import { SeverityShape } from "../SeverityShape";
import { Spark } from "../Spark";
import { useSeverity, useThreshold } from "../severity";
import { useWidth } from "../width";
import { type CellGroup, cellGroups, columnsOf, type Part } from "./groups";

/** Up to this many series, the cards and charts fit. */
const FEW_SERIES = 60;
/** How many alerts fit in the band. */
const MOST_FIRING = 4;
/** Each of these widths adds a column. */
const WIDTHS = [700, 1100, 1700, 2300];

const DATE = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });

/** `UTC+1`, `UTC−3:30`. */
function zone(time: number): string {
  const minutes = -new Date(time).getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 === 0 ? "" : `:${String(size % 60).padStart(2, "0")}`;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

function Head() {
  const { alerts, board, connection } = useStores();
  const word = () => {
    if (!connection.connected()) return connection.tried() ? "Disconnected" : "Connecting…";
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
      <Show when={connection.stale()}>
        <strong class="kiosk-stale" role="status">
          Stale since {formatWhen(connection.newest(), connection.time())}
        </strong>
      </Show>
      <span class="kiosk-clock">{formatTime(connection.time())}</span>
      <span class="kiosk-date">
        {DATE.format(connection.time())} · {zone(connection.time())}
      </span>
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
        const value = () => {
          stats.drawn();
          const now = board.isPlain(alert()) ? stats.window.newest(key()) : Number.NaN;
          const shown = Number.isFinite(now) ? now : (alert().value ?? Number.NaN);
          return formatValue(shown, board.unitOf(alert()), extentOf([shown, alert().threshold]));
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
              <p class="kiosk-message">
                {entry().total > 1 ? `${formatCount(entry().total)} × ` : ""}
                {alert().message}
              </p>
            </div>
            <Spark
              series={key()}
              threshold={alert().threshold}
              severity={alert().severity}
              firing={entry().firing}
            />
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
          <li class="kiosk-more">{formatCount(more())} more</li>
        </Show>
      </ul>
    </Show>
  );
}

function Cell(props: { series: Series; name: string }) {
  const { board, stats } = useStores();
  let element!: HTMLDivElement;
  const unit = () => board.metric(props.series.name)?.unit ?? props.series.unit;
  const numbers = stats.statsOf(
    props.series.key,
    useInView(() => element, [props.series.name]),
  );
  const now = createMemo(() => cardTexts(numbers(), unit()).now);
  const severity = useSeverity(() => [props.series.key, props.series.name]);
  const threshold = useThreshold(props.series.name, severity);
  return (
    <div class="kiosk-cell" ref={element} data-metric={props.series.key} data-severity={severity()}>
      <p class="kiosk-name" title={props.name}>
        <Show when={severity()}>{(worst) => <SeverityShape severity={worst()} />}</Show>
        {props.name}
      </p>
      <Spark series={props.series.key} threshold={threshold()?.value} severity={threshold()?.severity} />
      <p class="kiosk-now">
        {now().number} <small>{now().unit}</small>
      </p>
    </div>
  );
}

function GroupPart(props: { part: Part }) {
  const { alerts, board, sections } = useStores();
  const title = () => props.part.title || board.title();
  const names = createMemo(() => {
    const { series } = props.part;
    const labels = onlyDiffering(series.map((one) => one.labels)).map(formatLine);
    const titles = series.map(({ name }) => titleIn(props.part.title, board.metric(name)?.title ?? name));
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
  const note = () => {
    if (props.part.continued) return "continued";
    const count = `${formatCount(props.part.total)} series`;
    return firing() > 0 ? `${count} · ${formatCount(firing())} firing` : count;
  };
  return (
    <section class="kiosk-group" style={{ "--rows": Math.ceil(props.part.series.length / 2) }}>
      <h2>
        <Show when={worst()} fallback={<span class="dot" />}>
          {(severity) => <SeverityShape severity={severity()} />}
        </Show>
        {title()}
        <span class="kiosk-note">{note()}</span>
      </h2>
      <div class="kiosk-cells">
        <For each={props.part.series}>
          {(series, at) => <Cell series={series} name={names()[at()] ?? ""} />}
        </For>
      </div>
    </section>
  );
}

function Columns(props: { groups: readonly CellGroup[] }) {
  let element!: HTMLDivElement;
  const width = useWidth(() => element);
  const count = createMemo(() => 1 + WIDTHS.filter((from) => width() >= from).length);
  const columns = createMemo(() => columnsOf(props.groups, count()));
  return (
    <div class="kiosk-columns" ref={element} style={{ "--columns": columns().length }}>
      {/* Keyed by place: a new series does not move the cells before it. */}
      <Index each={columns()}>
        {(parts) => (
          <div class="kiosk-column">
            <Index each={parts()}>{(part) => <GroupPart part={part()} />}</Index>
          </div>
        )}
      </Index>
    </div>
  );
}

export default function Kiosk() {
  const { board, rows, stats } = useStores();
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
      <Show when={many()} fallback={<Panels />}>
        <Columns groups={groups()} />
      </Show>
    </main>
  );
}
