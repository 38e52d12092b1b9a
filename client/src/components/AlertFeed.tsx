/** The alerts, newest first: what fires, what is over, and a way to put each of them away. */
import { createMemo, For, Show } from "solid-js";
import { useStores } from "../context";
import type { Entry } from "../entries";
import { formatCount } from "../format";
import { SEVERITIES } from "../stores/alerts";
import { AlertGroup } from "./AlertGroup";
import { AlertItem } from "./AlertItem";

/** Which severities are shown, and how many alerts there are of each. */
function SeverityFilter() {
  const { alerts } = useStores();
  return (
    <fieldset class="severities">
      <legend class="visually-hidden">Severities that are shown</legend>
      <For each={SEVERITIES}>
        {(severity) => (
          <button
            type="button"
            class={`severity-toggle severity-${severity}`}
            aria-pressed={alerts.isShown(severity)}
            onClick={() => alerts.toggle(severity)}
          >
            {severity} <span class="severity-count">{formatCount(alerts.counts(severity))}</span>
          </button>
        )}
      </For>
    </fieldset>
  );
}

/** One place in the feed, which stays while its alert changes: what is typed and where the focus is stay too. */
function FeedEntry(props: { id: string }) {
  const { alerts } = useStores();
  // One that has just gone is as it was, for what is in it is told before it is removed.
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  return (
    <Show when={entry().grouped} fallback={<AlertItem entry={entry()} />}>
      <AlertGroup entry={entry()} />
    </Show>
  );
}

export function AlertFeed() {
  const { alerts } = useStores();
  const none = () => (alerts.all().length === 0 ? "No active alerts" : "No alerts of these severities");
  return (
    <section class="alert-feed" id="alerts" aria-labelledby="alerts-title">
      <div class="alert-header">
        <h2 id="alerts-title">{`Alerts (${formatCount(alerts.all().length)})`}</h2>
        <Show when={alerts.all().length > 0}>
          <button type="button" class="button" onClick={() => alerts.clear()}>
            Clear All
          </button>
        </Show>
      </div>
      <SeverityFilter />
      <div class="visually-hidden" role="alert">
        {alerts.critical()[0]?.alert.message}
      </div>
      <div class="alert-log" role="log" aria-live="polite" aria-labelledby="alerts-title">
        <Show when={alerts.ids().length > 0} fallback={<p class="no-alerts">{none()}</p>}>
          <ul class="alerts">
            <For each={alerts.ids()}>{(id) => <FeedEntry id={id} />}</For>
          </ul>
          <Show when={alerts.more() > 0}>
            <p class="alerts-more">{`${formatCount(alerts.more())} more`}</p>
          </Show>
        </Show>
      </div>
    </section>
  );
}
