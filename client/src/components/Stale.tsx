/** A notice that the page is stale: since when, why, when it retries, and what helps. It is not an alert. */
import { createSignal, createUniqueId, For, Show } from "solid-js";
import { formatDuration, formatLength, formatWhen } from "../format";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { usePassedFocus } from "./passedFocus";
import { stepsFor } from "./staleHelp";

function Retry() {
  const { connection } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(
    () => button,
    () => () => document.querySelector<HTMLElement>("main"),
  );
  return (
    <button type="button" class="button primary" ref={button} onClick={() => connection.retry()}>
      Retry now
    </button>
  );
}

function Help(props: { id: string }) {
  const { connection } = useStores();
  const steps = () =>
    stepsFor({
      connected: connection.connected(),
      online: navigator.onLine,
      address: new URL(".", document.baseURI).href.replace(/\/$/, ""),
      host: location.hostname,
    });
  return (
    <div class="stale-help" id={props.id}>
      <ol>
        <For each={steps()}>
          {({ text, command }) => (
            <li>
              {text} <Show when={command}>{(line) => <code>{line()}</code>}</Show>
            </li>
          )}
        </For>
      </ol>
      <p>The page goes on by itself as soon as ticks come again.</p>
    </div>
  );
}

export function Stale() {
  const { connection } = useStores();
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  const says = () => {
    const newest = connection.newest();
    if (!connection.stale()) return "No connection";
    return `Stale since ${formatWhen(newest, connection.time())}`;
  };
  const lasting = () =>
    connection.stale() ? `, for ${formatLength(connection.serverTime() - connection.newest())}` : "";
  const reason = () => {
    if (connection.connected()) {
      return `The connection is open, but no tick has come for ${formatDuration(connection.behind() * 1000)}: the server is busy or hangs.`;
    }
    return navigator.onLine ? "The server does not answer." : "This device is offline.";
  };
  const next = () => {
    if (connection.connected()) return "";
    return connection.retryIn() === null ? " Trying now…" : ` Next try in ${connection.retryIn()} s.`;
  };
  return (
    <Show when={connection.stale() || connection.lost()}>
      <section class="stale-bar" aria-label="Connection lost">
        <Icon name="plug" />
        <div>
          <p class="stale-says">
            <span role="status">{says()}</span>
            <span aria-live="off">{lasting()}</span>
          </p>
          <p class="stale-why">
            {reason()}
            <Show when={connection.stale()}> Showing the last values received.</Show>
            {next()}
          </p>
        </div>
        <button
          type="button"
          class="button"
          aria-expanded={open()}
          aria-controls={id}
          onClick={() => setOpen((shown) => !shown)}
        >
          What can I do?
        </button>
        <Show when={!connection.connected()}>
          <Retry />
        </Show>
        <Show when={open()}>
          <Help id={id} />
        </Show>
      </section>
    </Show>
  );
}
