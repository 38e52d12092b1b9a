/** The resolved alerts: one row for each rule, the latest first. A row opens in place to show the details. */
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { type Entry, entryOf, SEVERITIES } from "../alerts/entries";
import { formatCount, formatDay, formatDuration, formatLength, formatTime, formatWhen } from "../format";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { MenuButton } from "./Menu";
import { Outcome } from "./Outcome";
import { nearRow, undoOrList, usePassedFocus } from "./passedFocus";
import { SeverityShape } from "./SeverityShape";
import { SparkLine } from "./SparkLine";

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
              <span class="repeat-message">{episode.alert.message}</span>
              <Outcome entry={entryOf(episode)} />
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

function RecentRow(props: { id: string }) {
  const { alerts, connection } = useStores();
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
  const isToday = () => formatWhen(entry().lead.fired, connection.time()) === formatTime(entry().lead.fired);
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
          class="alert-content recent-open"
          aria-expanded={open()}
          aria-controls={id}
          title={alert().message}
          onClick={() => setOpen((shown) => !shown)}
        >
          <SeverityShape severity={alert().severity} hollow />
          <span class="severity">{alert().severity.toUpperCase()}</span>
          <span class="message recent-words">{alert().message}</span>
          <Show when={entry().total > 1}>
            <span class="repeated">×{formatCount(entry().total)}</span>
          </Show>
        </button>
        <span class="lasted">{sayLasted(entry())}</span>
        <time
          class="time"
          dateTime={alert().timestamp}
          title={formatWhen(entry().lead.fired, connection.time())}
        >
          <Show when={isToday()} fallback={formatDay(entry().lead.fired)}>
            {formatTime(entry().lead.fired).slice(0, -3)}
            <span class="seconds">{formatTime(entry().lead.fired).slice(-3)}</span>
          </Show>
        </time>
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

/** @param props.alone whether it is the only list and takes the whole width. */
export function Recent(props: { alone: boolean }) {
  const { alerts } = useStores();
  const count = () => formatCount(alerts.recent().length);
  return (
    <div class="recent" classList={{ alone: props.alone }}>
      <div class="alert-header">
        <h3>{props.alone ? `Alerts (${count()})` : `Recent (${count()})`}</h3>
        <span class="recent-note">{props.alone ? "all over, newest first" : "alerts that are over"}</span>
        <SeverityFilter />
        <Show when={alerts.recent().length > 0}>
          <ClearAll />
        </Show>
      </div>
      <ul class="alerts">
        <For each={alerts.recentIds()}>{(id) => <RecentRow id={id} />}</For>
      </ul>
      <LeftOut of={alerts.recentLeftOut()} />
    </div>
  );
}
