/** A notice that the page is stale: since when, why, and when it retries. It is not an alert. */
import { Show } from "solid-js";
import { formatDuration, formatLength, formatWhen } from "../format";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { usePassedFocus } from "./passedFocus";

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

export function Stale() {
  const { connection } = useStores();
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
        <Show when={!connection.connected()}>
          <Retry />
        </Show>
      </section>
    </Show>
  );
}
