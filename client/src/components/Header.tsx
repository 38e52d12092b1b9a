/**
 * The top of the page: what this is, whether it is live, how many critical alerts and warnings fire, and the
 * things a viewer can set: the bell, pause and theme.
 */
import { createMemo, For, Show } from "solid-js";
import { formatCount, formatDuration, formatTime, plural } from "../format";
import { THEMES } from "../stores/theme";
import { useStores } from "./context";
import { Icon } from "./Icon";

function ConnectionStatus() {
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
  const note = () => {
    if (connection.connected()) {
      return connection.behind() > 0 ? `behind by ${formatDuration(connection.behind() * 1000)}` : "";
    }
    if (!connection.tried()) return "";
    return connection.retryIn() === null ? "Reconnecting…" : `Reconnecting in ${connection.retryIn()} s`;
  };
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
      <Show when={Number.isFinite(updated())}>
        <span class="time">Updated: {formatTime(updated())}</span>
      </Show>
    </div>
  );
}

function PauseButton() {
  const { connection, stats } = useStores();
  const toggle = () => {
    connection.setPaused((paused) => !paused);
    stats.draw();
  };
  return (
    <button
      type="button"
      class="button pause"
      aria-label={connection.paused() ? "Resume drawing" : "Pause drawing"}
      onClick={toggle}
    >
      <Icon name={connection.paused() ? "play" : "pause"} />
      <span class="button-text">{connection.paused() ? "Resume" : "Pause"}</span>
    </button>
  );
}

function ThemeSwitch() {
  const { theme } = useStores();
  return (
    <fieldset class="themes">
      <legend class="visually-hidden">Theme</legend>
      <For each={THEMES}>
        {(name) => (
          <button
            type="button"
            aria-label={`Theme: ${name}`}
            title={`Theme: ${name}`}
            aria-pressed={theme.theme() === name}
            onClick={() => theme.setTheme(name)}
          >
            <Icon name={name} />
          </button>
        )}
      </For>
    </fieldset>
  );
}

function BellButton() {
  const { bell } = useStores();
  const name = () =>
    bell.on() ? "Do not notify of alerts" : "Notify of alerts while this page is in the background";
  return (
    <span class="bell">
      <button
        type="button"
        class="button"
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

export function Header() {
  const { alerts, board } = useStores();
  return (
    <header>
      <h1>{board.title()}</h1>
      <ConnectionStatus />
      <span class="badges">
        <Show when={alerts.firingCount("critical") > 0}>
          <a class="critical-badge" href="#alerts">
            {`${formatCount(alerts.firingCount("critical"))} Critical`}
          </a>
        </Show>
        <Show when={alerts.firingCount("warning") > 0}>
          <a class="warning-badge" href="#alerts">
            {`${formatCount(alerts.firingCount("warning"))} ${plural(alerts.firingCount("warning"), "Warning")}`}
          </a>
        </Show>
      </span>
      <div class="actions">
        <BellButton />
        <PauseButton />
        <ThemeSwitch />
      </div>
    </header>
  );
}
