/** The line at the top: whether something is wrong, since when, and in which sections. */
import { For, Show } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { formatCount, formatLength, formatUntil, plural } from "../format";
import type { Section } from "../stores/sections";
import { useStores } from "./context";
import { undoOrList, usePassedFocus } from "./passedFocus";
import { SeverityShape } from "./SeverityShape";

function SectionLink(props: { section: Section }) {
  const { alerts, sections } = useStores();
  const severity = () => (alerts.live() ? props.section.severity() : undefined);
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
      <Show when={severity()} fallback={<span class="dot" classList={{ unknown: !alerts.live() }} />}>
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
  const { alerts, connection } = useStores();
  return () =>
    SEVERITIES.filter((severity) => alerts.firingCount(severity) > 0)
      .map((severity) => {
        const since = formatUntil(alerts.firingSince(severity), connection.time());
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
function UndoButton() {
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
  const { alerts, connection, sections } = useStores();
  const firing = useFiring();
  const unknown = useUnknown();
  const count = () => alerts.firing().length;
  const say = () => {
    if (!alerts.live()) return "Not known";
    return count() === 0 ? "All quiet" : `${formatCount(count())} firing`;
  };
  const isQuiet = () => alerts.live() && count() === 0;
  const quietFor = () => {
    const ended = alerts.lastEnded();
    return Number.isFinite(ended) ? ` for ${formatLength(connection.serverTime() - ended)}` : "";
  };
  const top = () => sections.all().filter(({ depth }) => depth === 0);
  return (
    <div class="health-line">
      <span class="health-says">
        <Show when={count() === 0 || !alerts.live()}>
          <span class="dot" classList={{ good: alerts.live(), unknown: !alerts.live() }} />
        </Show>
        {say()}
      </span>
      <span class="health-more">
        <span class="no-alerts" role="status">
          {isQuiet() ? "No active alerts" : ""}
        </span>
        <Show when={alerts.live()} fallback={unknown()}>
          <Show when={isQuiet()} fallback={firing()}>
            <span aria-live="off">{quietFor()}</span>
          </Show>
        </Show>
      </span>
      <Show when={count() === 0 && alerts.firingIds().length === 0 && alerts.recent().length > 0}>
        <button
          type="button"
          class="recent-toggle"
          aria-expanded={props.open}
          onClick={() => props.onToggle()}
        >
          Recent {formatCount(alerts.recent().length)}
        </button>
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
