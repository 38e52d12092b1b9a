/** The alerts, newest first: what fires, what is over, and a way to put each of them away. */
import { For, Show } from "solid-js";
import { useStores } from "../context";
import { formatDuration, formatWhen } from "../format";
import type { FeedAlert } from "../stores/alerts";

function AlertItem(props: { entry: FeedAlert }) {
  const { alerts, connection } = useStores();
  const alert = () => props.entry.alert;
  const began = () => Date.parse(alert().timestamp);
  const outcome = () => {
    // Always a line of text: the feed must not move when an alert ends.
    if (props.entry.state === "firing") return "firing";
    if (props.entry.state === "lost") return "ended with a restart";
    const ended = Date.parse(alert().resolved ?? "");
    return Number.isFinite(ended) ? `resolved after ${formatDuration(ended - began())}` : "resolved";
  };

  return (
    <li
      class={`alert alert-${alert().severity}`}
      classList={{ resolved: props.entry.state !== "firing" }}
      data-alert={alert().id}
      data-state={props.entry.state}
    >
      <div class="alert-content">
        <span class="alert-top">
          <span class="severity">{alert().severity.toUpperCase()}</span>
          <time class="time" dateTime={alert().timestamp}>
            {formatWhen(began(), connection.time())}
          </time>
        </span>
        <span class="message">{alert().message}</span>
        <span class="outcome">{outcome()}</span>
      </div>
      <button
        type="button"
        class="icon-button"
        aria-label={`Dismiss: ${alert().message}`}
        onClick={() => alerts.dismiss(alert().id)}
      >
        ×
      </button>
    </li>
  );
}

export function AlertFeed() {
  const { alerts } = useStores();
  return (
    <section class="alert-feed" id="alerts" aria-labelledby="alerts-title">
      <div class="alert-header">
        <h2 id="alerts-title">{`Alerts (${alerts.alerts().length})`}</h2>
        <Show when={alerts.alerts().length > 0}>
          <button type="button" class="button" onClick={() => alerts.clear()}>
            Clear All
          </button>
        </Show>
      </div>
      <div class="visually-hidden" role="alert">
        {alerts.critical()[0]?.alert.message}
      </div>
      <div class="alert-log" role="log" aria-live="polite" aria-labelledby="alerts-title">
        <Show when={alerts.alerts().length > 0} fallback={<p class="no-alerts">No active alerts</p>}>
          <ul class="alerts">
            <For each={alerts.alerts()}>{(entry) => <AlertItem entry={entry} />}</For>
          </ul>
        </Show>
      </div>
    </section>
  );
}
