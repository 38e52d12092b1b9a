/**
 * The top bar: the board's title, the connection status, the counts of firing alerts, search, outline and
 * settings.
 */
import { Show } from "solid-js";
import { formatCount, formatDateTime, formatDuration, formatTime, formatZone, plural } from "../format";
import type { Severity } from "../types.gen";
import { useStores } from "./context";
import { Icon, type IconName } from "./Icon";
import { Settings } from "./Settings";

function ConnectionStatus(props: { waiting: boolean }) {
  const { connection, time } = useStores();
  const word = () => {
    if (!connection.connected()) return connection.tried() ? "Disconnected" : "Connecting…";
    if (!time.follows()) return "Standing still";
    return connection.live() ? "Live" : "Not live";
  };
  const state = () => {
    if (!connection.connected()) return connection.tried() ? "disconnected" : "disconnected connecting";
    return time.follows() ? "connected" : "connected paused";
  };
  const note = () =>
    connection.behind() > 0 ? `behind by ${formatDuration(connection.behind() * 1000)}` : "";
  /** While the page stands still, its time, not that of the newest tick. */
  const updated = () => {
    if (!time.follows()) return formatDateTime(time.range().to);
    return Number.isFinite(connection.newest()) ? `Updated: ${formatTime(connection.newest())}` : "";
  };

  return (
    <div class={`status ${state()}`} classList={{ behind: connection.behind() > 0 }}>
      <span class="pill">
        <Show when={connection.connected() && !time.follows()} fallback={<span class="dot" />}>
          <Icon name="clock" />
        </Show>
        <span class="state" role="status">
          {word()}
        </span>
      </span>
      <Show when={note()}>
        <span class="note">{note()}</span>
      </Show>
      <Show
        when={!props.waiting}
        fallback={
          <span class="time" role="status">
            Waiting for the first value
          </span>
        }
      >
        <Show when={updated()}>
          <span class="time">{updated()}</span>
          <span class="only-phone">{formatZone(time.range().to)}</span>
        </Show>
      </Show>
    </div>
  );
}

function BellButton() {
  const { bell } = useStores();
  const name = () =>
    bell.on() ? "Turn off notifications" : "Notify of alerts while this page is in the background";
  return (
    <span class="bell">
      <button
        type="button"
        class="icon-button"
        aria-label="Notify of alerts"
        aria-pressed={bell.on()}
        aria-describedby="bell-note"
        title={name()}
        onClick={() => void bell.toggle()}
      >
        <Icon name={bell.on() ? "bell" : "silent"} />
      </button>
      <span class="bell-note" id="bell-note" role="status">
        {bell.note()}
      </span>
    </span>
  );
}

/** The count of firing alerts of one severity. */
function Badge(props: { severity: Severity; text: string }) {
  const { alerts, view } = useStores();
  function go(event: MouseEvent): void {
    if (!view.covers()) return;
    event.preventDefault();
    // The board returns with the next frame.
    const follow = () => {
      location.hash = "#alerts";
    };
    view.leave(() => requestAnimationFrame(follow));
  }
  return (
    <Show when={alerts.firingCount(props.severity) > 0}>
      {/* biome-ignore lint/a11y/useValidAnchor: it follows the link once the open view has closed */}
      <a class={`${props.severity}-badge`} href="#alerts" onClick={go}>
        {props.text}
      </a>
    </Show>
  );
}

/** The board's title. The part after a dot names one of several boards. A host's board leads back to the wall. */
function Title() {
  const { base, board } = useStores();
  const parts = () => {
    const title = board.title();
    const dot = title.indexOf(" · ");
    return dot === -1 ? [title, ""] : [title.slice(0, dot), title.slice(dot)];
  };
  return (
    <>
      <Show when={/\/hosts\/[^/]+\/$/.test(base)}>
        <a class="icon-button" href={`${base}../../`} aria-label="Back to the wall" title="Back to the wall">
          <Icon name="left" />
        </a>
      </Show>
      <h1 title={board.title()}>
        {parts()[0]}
        <span>{parts()[1]}</span>
      </h1>
    </>
  );
}

function ViewButton(props: {
  view: "outline" | "shortcuts";
  name: string;
  shortcut: string;
  icon: IconName;
  class: string;
}) {
  const { view } = useStores();
  return (
    <button
      type="button"
      class={`icon-button ${props.class}`}
      aria-label={props.name}
      title={`${props.name} (${props.shortcut})`}
      onClick={() => view.show({ type: props.view })}
    >
      <Icon name={props.icon} />
    </button>
  );
}

/** @param props.waiting whether the board has no metric yet. */
export function Header(props: { waiting: boolean }) {
  const { alerts, view } = useStores();
  const warnings = () => alerts.firingCount("warning");
  return (
    <header>
      <Title />
      <ConnectionStatus waiting={props.waiting} />
      <span class="badges">
        <Badge severity="critical" text={`${formatCount(alerts.firingCount("critical"))} Critical`} />
        <Badge severity="warning" text={`${formatCount(warnings())} ${plural(warnings(), "Warning")}`} />
      </span>
      <div class="actions">
        <button
          type="button"
          class="search-button"
          aria-keyshortcuts="/"
          title="Search (/)"
          onClick={() => view.show({ type: "search" })}
        >
          <Icon name="search" />
          <span class="search-text">Search metrics, labels, alerts</span>
          <kbd>/</kbd>
        </button>
        <ViewButton view="outline" name="Outline" shortcut="o" icon="list" class="not-narrow" />
        <BellButton />
        <Settings />
        <ViewButton view="shortcuts" name="Keyboard shortcuts" shortcut="?" icon="help" class="not-phone" />
      </div>
    </header>
  );
}
