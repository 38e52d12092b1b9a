/**
 * The top of the page: what this is, whether it is live, how many critical alerts and warnings fire, and ways to
 * search, to go to a section, and to what a viewer can set.
 */
import { createMemo, Show } from "solid-js";
import { formatCount, formatDuration, formatTime, plural } from "../format";
import type { Severity } from "../types.gen";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { Settings } from "./Settings";

function ConnectionStatus(props: { waiting: boolean }) {
  const { connection } = useStores();
  const word = () => {
    if (!connection.connected()) return connection.tried() ? "Disconnected" : "Connecting…";
    if (connection.paused()) return "Paused";
    return connection.live() ? "Live" : "Not live";
  };
  const state = () => {
    if (!connection.connected()) return connection.tried() ? "disconnected" : "disconnected connecting";
    return connection.paused() ? "connected paused" : "connected";
  };
  const note = () =>
    connection.behind() > 0 ? `behind by ${formatDuration(connection.behind() * 1000)}` : "";
  /** While paused it is the time of what is seen, not of what is collected. */
  const updated = createMemo<number>(
    (before) => (connection.paused() ? before : connection.newest()),
    Number.NaN,
  );

  return (
    <div class={`status ${state()}`} classList={{ behind: connection.behind() > 0 }}>
      <span class="pill">
        <span class="dot" />
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
        <Show when={Number.isFinite(updated())}>
          <span class="time">Updated: {formatTime(updated())}</span>
        </Show>
      </Show>
    </div>
  );
}

function PauseButton() {
  const { connection, stats } = useStores();
  const name = () => (connection.paused() ? "Resume drawing" : "Pause drawing");
  const toggle = () => {
    connection.setPaused((paused) => !paused);
    stats.draw();
  };
  return (
    <button type="button" class="icon-button pause" aria-label={name()} title={name()} onClick={toggle}>
      <Icon name={connection.paused() ? "play" : "pause"} />
    </button>
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

/** How many alerts of a severity fire. */
function Badge(props: { severity: Severity; text: string }) {
  const { alerts, view } = useStores();
  function go(event: MouseEvent): void {
    if (view.shown() === null) return;
    event.preventDefault();
    // The board is there again with the next frame.
    const follow = () => {
      location.hash = "#alerts";
    };
    view.leave(() => requestAnimationFrame(follow));
  }
  return (
    <Show when={alerts.firingCount(props.severity) > 0}>
      {/* biome-ignore lint/a11y/useValidAnchor: it does go there, once what is open has made room */}
      <a class={`${props.severity}-badge`} href="#alerts" onClick={go}>
        {props.text}
      </a>
    </Show>
  );
}

/** What the board is called; what comes after a dot says which one of many. */
function Title() {
  const { board } = useStores();
  const parts = () => {
    const title = board.title();
    const dot = title.indexOf(" · ");
    return dot === -1 ? [title, ""] : [title.slice(0, dot), title.slice(dot)];
  };
  return (
    <h1 title={board.title()}>
      {parts()[0]}
      <span>{parts()[1]}</span>
    </h1>
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
        <PauseButton />
        <button
          type="button"
          class="icon-button not-narrow"
          aria-label="Outline"
          title="Outline (o)"
          onClick={() => view.show({ type: "outline" })}
        >
          <Icon name="list" />
        </button>
        <BellButton />
        <Settings />
        <button
          type="button"
          class="icon-button not-phone"
          aria-label="Keyboard shortcuts"
          title="Keyboard shortcuts (?)"
          onClick={() => view.show({ type: "shortcuts" })}
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}
