/**
 * The line at the top: whether something is wrong, since when, and in which sections; at another time, whether
 * something was wrong then.
 */
import { For, Show } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { formatCount, formatLength, formatUntil, formatWhen, plural } from "../format";
import type { Section } from "../stores/sections";
import { useStores } from "./context";
import { onDemand } from "./LoadedPart";
import { useMoment } from "./moment";
import { undoOrList, usePassedFocus } from "./passedFocus";
import { SeverityShape } from "./SeverityShape";

const HealthThen = onDemand((parts) => parts.HealthThen);

function SectionLink(props: { section: Section }) {
  const { alerts, sections } = useStores();
  const severity = () => (alerts.sure() ? props.section.severity() : undefined);
  const go = (event: MouseEvent) => {
    event.preventDefault();
    sections.go(props.section.path);
  };
  return (
    <a
      class="section-link"
      data-severity={severity()}
      href={`#${encodeURIComponent(props.section.path)}`}
      onClick={go}
    >
      <Show when={severity()} fallback={<span class="dot" classList={{ unknown: !alerts.sure() }} />}>
        {(worst) => <SeverityShape severity={worst()} />}
      </Show>
      {props.section.title}
      <Show when={severity()}>
        <span class="visually-hidden">{`, ${formatCount(props.section.firing())} firing, ${severity()}`}</span>
      </Show>
    </a>
  );
}

/** `1 critical since 14:24, 2 warnings since 14:26`. */
function useFiring(): () => string {
  const { alerts } = useStores();
  const moment = useMoment();
  return () =>
    SEVERITIES.filter((severity) => alerts.firingCount(severity) > 0)
      .map((severity) => {
        const since = formatUntil(alerts.firingSince(severity), moment());
        const count = alerts.firingCount(severity);
        const word = severity === "warning" ? plural(count, severity) : severity;
        return `${formatCount(count)} ${word} since ${since}`;
      })
      .join(", ");
}

/** The state when the connection was lost. */
function useUnknown(): () => string {
  const { alerts, connection } = useStores();
  return () => {
    if (!connection.tried()) return "No connection yet";
    const count = alerts.firing().length;
    const newest = connection.newest();
    const at = Number.isFinite(newest) ? ` at ${formatUntil(newest, connection.time())}` : "";
    if (!alerts.known()) return "Alert status unknown";
    const before = count === 0 ? "No alerts" : `${formatCount(count)} ${plural(count, "alert")}`;
    return `${before}${at}; current status unknown`;
  };
}

function Undo(props: { undo(): void }) {
  let button!: HTMLButtonElement;
  usePassedFocus(
    () => button,
    () => undoOrList,
  );
  return (
    <button type="button" class="button small" ref={button} onClick={() => props.undo()}>
      Undo
    </button>
  );
}

/** Undo the last action, while that is possible. */
export function UndoButton() {
  const { alerts } = useStores();
  return (
    <span class="undo">
      <span role="status">{alerts.undo()?.text}</span>
      <Show when={alerts.undo()}>{(done) => <Undo undo={() => done().undo()} />}</Show>
    </span>
  );
}

/**
 * @param props.open whether the recent alerts are listed below.
 * @param props.onToggle runs when the viewer shows or hides them.
 */
export function HealthLine(props: { open: boolean; onToggle(): void }) {
  const { alerts, connection, marks, sections, time } = useStores();
  const moment = useMoment();
  const firing = useFiring();
  const unknown = useUnknown();
  const count = () => alerts.firing().length;
  const isPast = () => alerts.at() !== null;
  const say = () => {
    if (!alerts.sure()) return "Not known";
    if (count() === 0) return "All quiet";
    const were = isPast() ? (count() === 1 ? "was " : "were ") : "";
    return `${formatCount(count())} ${were}firing`;
  };
  const isQuiet = () => alerts.sure() && count() === 0;
  /** ` at 03:12:00` */
  const at = () => (isPast() ? ` at ${formatWhen(moment(), connection.time())}` : "");
  const quietFor = () => {
    const ended = alerts.lastEnded();
    return Number.isFinite(ended) ? ` for ${formatLength(moment() - ended)}` : "";
  };
  const recent = () => alerts.recent().length + marks.recent().length;
  const top = () => sections.all().filter(({ depth }) => depth === 0);
  return (
    <div class="health-line">
      <span class="health-says">
        <Show when={count() === 0 || !alerts.sure()}>
          <span class="dot" classList={{ good: alerts.sure(), unknown: !alerts.sure() }} />
        </Show>
        {say()}
      </span>
      <span class="health-more">
        <span class="no-alerts" role="status">
          {isQuiet() ? "No active alerts" : ""}
        </span>
        <Show when={alerts.sure()} fallback={isPast() ? "" : unknown()}>
          <Show when={isQuiet()} fallback={`${at().trim()}${isPast() ? " · " : ""}${firing()}`}>
            <span aria-live="off">{`${at()}${quietFor()}`}</span>
          </Show>
        </Show>
      </span>
      <Show when={!time.isOwn()}>
        <HealthThen />
      </Show>
      <Show when={count() === 0 && alerts.firingIds().length === 0 && recent() > 0}>
        <button
          type="button"
          class="recent-toggle"
          aria-expanded={props.open}
          onClick={() => props.onToggle()}
        >{`${isPast() ? "Around this time" : "Recent"} ${formatCount(recent())}`}</button>
      </Show>
      <UndoButton />
      <Show when={top().length > 0}>
        <nav class="sections" aria-label="Sections">
          <For each={top()}>{(section) => <SectionLink section={section} />}</For>
        </nav>
      </Show>
    </div>
  );
}
