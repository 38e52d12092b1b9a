/**
 * The resolved alerts, one row for each rule, and the marks among them, the latest first: of the last day, or
 * around another time. A click on a row goes to its time. A row of alerts opens in place to show the details.
 */
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { type Entry, entryOf, SEVERITIES } from "../alerts/entries";
import {
  formatCount,
  formatDay,
  formatDuration,
  formatLength,
  formatTime,
  formatUntil,
  formatWhen,
} from "../format";
import type { PlacedMark } from "../stores/marks";
import { CompareLink } from "./CompareLink";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { MenuButton } from "./Menu";
import { useMoment } from "./moment";
import { Outcome } from "./Outcome";
import { nearRow, undoOrList, usePassedFocus } from "./passedFocus";
import { SeverityShape } from "./SeverityShape";
import { SparkLine } from "./SparkLine";
import { rangeAround, useShowAlert } from "./showAlert";

/** The most marks that are listed. */
const MAX_MARKS = 50;
/** The most repeats of a rule that an open row lists. */
const MAX_REPEATS = 20;

/** `1–2 s each`: the shortest and the longest duration. */
function sayLasted({ episodes }: Entry): string {
  const lengths = episodes.map(({ began, ended }) => ended - began);
  if (episodes.length === 1) return episodes[0].state === "lost" ? "" : formatLength(lengths[0]);
  const [short, long] = [Math.min(...lengths), Math.max(...lengths)].map(formatDuration);
  if (short === long) return `${long} each`;
  const unit = /^\d+( \S+)$/.exec(long)?.[1] ?? " ";
  return `${short.endsWith(unit) ? short.slice(0, -unit.length) : short}–${long} each`;
}

function Repeats(props: { entry: Entry; id: string }) {
  const showAlert = useShowAlert();
  const shown = () => props.entry.episodes.slice(0, MAX_REPEATS);
  return (
    <div class="repeats" id={props.id}>
      <Show when={props.entry.lead.alert.metric}>
        <SparkLine episode={props.entry.lead} inView={() => true} />
      </Show>
      <ul>
        <For each={shown()}>
          {(episode) => (
            <li>
              <button type="button" class="alert-link repeat-message" onClick={() => showAlert(episode)}>
                {episode.alert.message}
              </button>
              <Outcome entry={entryOf(episode)}>
                <CompareLink entry={entryOf(episode)} of={episode.alert.message} />
              </Outcome>
            </li>
          )}
        </For>
      </ul>
      <Show when={props.entry.total > MAX_REPEATS}>
        <p class="alerts-more">{`${formatCount(props.entry.total - MAX_REPEATS)} more`}</p>
      </Show>
    </div>
  );
}

/** When something was: the time if it is the day of the time on the page, else the date. */
function When(props: { time: number; timestamp: string }) {
  const moment = useMoment();
  const isToday = () => formatWhen(props.time, moment()) === formatTime(props.time);
  return (
    <time class="time" dateTime={props.timestamp} title={formatWhen(props.time, moment())}>
      <Show when={isToday()} fallback={formatDay(props.time)}>
        {formatTime(props.time).slice(0, -3)}
        <span class="seconds">{formatTime(props.time).slice(-3)}</span>
      </Show>
    </time>
  );
}

function MarkRow(props: { mark: PlacedMark }) {
  const { time } = useStores();
  const { began, by, ended, text, timestamp } = props.mark;
  return (
    <li class="recent-row mark-row" data-mark={props.mark.id}>
      <div class="recent-line">
        <button
          type="button"
          class="recent-go"
          title={by === "" ? `${text}: show its time` : `${text}, by ${by}: show its time`}
          onClick={() => time.stand(rangeAround(began, ended, time.spanMs()))}
        >
          <Icon name="flag" />
          <span class="visually-hidden">Mark:</span>
          <span class="message recent-words">{text}</span>
        </button>
        <span class="lasted">{ended > began ? formatLength(ended - began) : ""}</span>
        <When time={began} timestamp={timestamp} />
      </div>
    </li>
  );
}

function RecentRow(props: { id: string }) {
  const { alerts } = useStores();
  const showAlert = useShowAlert();
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  // Keep the last value: a removed entry updates once more before it unmounts.
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  const alert = () => entry().lead.alert;
  let row!: HTMLLIElement;
  let dismiss!: HTMLButtonElement;
  usePassedFocus(
    () => dismiss,
    () => nearRow(row),
  );
  return (
    <li
      ref={row}
      class={`alert recent-row resolved alert-${alert().severity}`}
      data-alert={alert().id}
      data-state={entry().lead.state}
    >
      <div class="recent-line">
        <button
          type="button"
          class="recent-open"
          aria-expanded={open()}
          aria-controls={id}
          aria-label={`Details: ${alert().message}`}
          title="Details"
          onClick={() => setOpen((shown) => !shown)}
        >
          <Icon name="chevron" />
        </button>
        <button
          type="button"
          class="alert-content recent-go"
          title={`${alert().message}: show its chart`}
          onClick={() => showAlert(entry().lead)}
        >
          <SeverityShape severity={alert().severity} hollow />
          <span class="severity">{alert().severity.toUpperCase()}</span>
          <span class="message recent-words">{alert().message}</span>
          <Show when={entry().total > 1}>
            <span class="repeated">{`×${formatCount(entry().total)}`}</span>
          </Show>
        </button>
        <span class="lasted">{sayLasted(entry())}</span>
        <When time={entry().lead.fired} timestamp={alert().timestamp} />
        <button
          type="button"
          class="icon-button small dismiss"
          ref={dismiss}
          aria-label={`Dismiss: ${alert().message}${entry().total > 1 ? ` and ${formatCount(entry().total - 1)} before it` : ""}`}
          title="Dismiss"
          onClick={() => alerts.dismiss(entry())}
        >
          ×
        </button>
      </div>
      <Show when={open()}>
        <Repeats entry={entry()} id={id} />
      </Show>
    </li>
  );
}

/** Choose which severities are listed. Hidden firing alerts are still counted. */
function SeverityFilter() {
  const { alerts } = useStores();
  const hidden = () => SEVERITIES.filter((severity) => !alerts.isShown(severity)).length;
  return (
    <MenuButton
      label="Severities that are listed"
      class={`icon-button small severity-filter${hidden() > 0 ? " filtered" : ""}`}
      button={<Icon name="filter" />}
    >
      {() => (
        <fieldset class="severities">
          <legend>List alerts that are</legend>
          <For each={SEVERITIES}>
            {(severity) => (
              <label class="menu-item severity-toggle">
                <input
                  type="checkbox"
                  checked={alerts.isShown(severity)}
                  onChange={() => alerts.toggle(severity)}
                />
                <SeverityShape severity={severity} />
                {severity}
                <span class="severity-count">
                  {`${formatCount(alerts.firingCount(severity))} firing, ${formatCount(alerts.overCount(severity))} over`}
                </span>
              </label>
            )}
          </For>
        </fieldset>
      )}
    </MenuButton>
  );
}

/** The counts of alerts left out, for lack of room or because their severity is hidden. */
export function LeftOut(props: { of: { hidden: number; more: number } }) {
  const { alerts } = useStores();
  return (
    <>
      <Show when={props.of.more > 0}>
        <p class="alerts-more">{`${formatCount(props.of.more)} more`}</p>
      </Show>
      <Show when={props.of.hidden > 0}>
        <p class="alerts-more">
          {`${formatCount(props.of.hidden)} of hidden severities `}
          <button type="button" class="button small" onClick={() => alerts.showAll()}>
            Show
          </button>
        </p>
      </Show>
    </>
  );
}

function ClearAll() {
  const { alerts } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(
    () => button,
    () => undoOrList,
  );
  return (
    <button
      type="button"
      class="button small plain"
      ref={button}
      title="Clear finished alerts"
      onClick={() => alerts.clear()}
    >
      Clear All
    </button>
  );
}

/** The rows of alerts and marks, the latest first. */
function useRows(): () => readonly (string | PlacedMark)[] {
  const { alerts, marks } = useStores();
  return createMemo(() => {
    const listed = marks.recent().slice(-MAX_MARKS).reverse();
    const rows: (string | PlacedMark)[] = [];
    for (const id of alerts.recentIds()) {
      const ended = alerts.entry(id)?.ended ?? 0;
      while (listed.length > 0 && listed[0].began > ended) rows.push(listed.shift() as PlacedMark);
      rows.push(id);
    }
    return [...rows, ...listed];
  });
}

/** @param props.alone whether it is the only list and takes the whole width. */
export function Recent(props: { alone: boolean }) {
  const { alerts, marks } = useStores();
  const moment = useMoment();
  const rows = useRows();
  const isPast = () => alerts.at() !== null;
  const count = () => formatCount(alerts.recent().length + marks.recent().length);
  const title = () => {
    if (isPast()) return "Around this time";
    return props.alone ? `Alerts (${count()})` : `Recent (${count()})`;
  };
  const note = () => {
    if (isPast()) return `${formatUntil(alerts.from(), moment())} – ${formatUntil(moment(), moment())}`;
    return props.alone ? "all over, newest first" : "alerts that are over";
  };
  const tooMany = () => {
    if (alerts.tooMany() === 0) return "";
    return `${formatCount(alerts.tooMany())} older alerts of this range are left out, also on charts: show a shorter one`;
  };
  return (
    <div class="recent" classList={{ alone: props.alone }}>
      <div class="alert-header">
        <h3>{title()}</h3>
        <span class="recent-note">{note()}</span>
        <SeverityFilter />
        <Show when={alerts.recent().length > 0}>
          <ClearAll />
        </Show>
      </div>
      <ul class="alerts">
        <For each={rows()}>
          {(row) => (typeof row === "string" ? <RecentRow id={row} /> : <MarkRow mark={row} />)}
        </For>
      </ul>
      <LeftOut of={alerts.recentLeftOut()} />
      <Show when={marks.recent().length > MAX_MARKS}>
        <p class="alerts-more">{`${formatCount(marks.recent().length - MAX_MARKS)} more marks`}</p>
      </Show>
      <Show when={tooMany()}>
        <p class="alerts-more">{tooMany()}</p>
      </Show>
      <Show when={marks.failed()}>
        <p class="alerts-more" role="status">
          The marks could not be loaded. Trying again.
        </p>
      </Show>
    </div>
  );
}
