/** The alerts: what fires on top, what is over below, and ways to fold the one, put the other away, and undo that. */
import { createMemo, For, Show } from "solid-js";
import { type Entry, SEVERITIES } from "../alerts/entries";
import { formatCount } from "../format";
import { AlertGroup, useSummary } from "./AlertGroup";
import { AlertItem, FoldedEntry } from "./AlertItem";
import { useStores } from "./context";

/** Which severities are listed, and how many alerts of each fire. */
function SeverityFilter() {
  const { alerts } = useStores();
  const counted = (count: number, word: string) => `${formatCount(count)} ${word}`;
  return (
    <fieldset class="severities">
      <legend>Firing, by severity</legend>
      <For each={SEVERITIES}>
        {(severity) => (
          <button
            type="button"
            class={`severity-toggle severity-${severity}`}
            aria-pressed={alerts.isShown(severity)}
            title={`${counted(alerts.firingCount(severity), "firing")}, ${counted(alerts.overCount(severity), "recent")}: press to ${alerts.isShown(severity) ? "hide" : "show"} them in the lists`}
            onClick={() => alerts.toggle(severity)}
          >
            {severity} <span class="severity-count">{formatCount(alerts.firingCount(severity))}</span>
          </button>
        )}
      </For>
    </fieldset>
  );
}

/** One place in a list, which stays while its alert changes: what is open in it and where the focus is stay too. */
function FeedEntry(props: { id: string }) {
  const { alerts } = useStores();
  // One that has just gone is as it was, for what is in it is updated before it is removed.
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  const summary = useSummary(entry);
  const text = () => (entry().grouped ? summary() : entry().worst.alert.message);
  return (
    <Show when={!alerts.isFolded(entry())} fallback={<FoldedEntry entry={entry()} text={text()} />}>
      <Show when={entry().grouped} fallback={<AlertItem entry={entry()} />}>
        <AlertGroup entry={entry()} />
      </Show>
    </Show>
  );
}

function Entries(props: { ids: readonly string[]; leftOut: { hidden: number; more: number } }) {
  const { alerts } = useStores();
  return (
    <>
      <Show when={props.ids.length > 0}>
        <ul class="alerts">
          <For each={props.ids}>{(id) => <FeedEntry id={id} />}</For>
        </ul>
      </Show>
      <Show when={props.leftOut.more > 0}>
        <p class="alerts-more">{`${formatCount(props.leftOut.more)} more`}</p>
      </Show>
      <Show when={props.leftOut.hidden > 0}>
        <p class="alerts-more">
          {`${formatCount(props.leftOut.hidden)} of hidden severities `}
          <button type="button" class="button" onClick={() => alerts.showAll()}>
            Show
          </button>
        </p>
      </Show>
    </>
  );
}

function UndoButton() {
  const { alerts } = useStores();
  return (
    <span class="undo">
      <span role="status">{alerts.undo()?.text}</span>
      <Show when={alerts.undo()}>
        {(done) => (
          <button type="button" class="button" onClick={() => done().undo()}>
            Undo
          </button>
        )}
      </Show>
    </span>
  );
}

export function AlertFeed() {
  const { alerts, connection } = useStores();
  const none = () => {
    if (alerts.live()) return "No active alerts";
    return connection.tried() ? "Not known what fires: no connection" : "Not known yet what fires";
  };
  return (
    <section class="alert-feed" id="alerts" aria-labelledby="alerts-title">
      <div class="alert-header">
        <h2 id="alerts-title">Alerts</h2>
        <UndoButton />
        <Show when={alerts.over().length > 0}>
          <button type="button" class="button" title="Clear finished alerts" onClick={() => alerts.clear()}>
            Clear All
          </button>
        </Show>
      </div>
      <SeverityFilter />
      <div class="visually-hidden" role="alert">
        {alerts.newestCritical()?.alert.message}
      </div>
      <div class="alert-log" role="log" aria-live="polite" aria-labelledby="alerts-title">
        <h3 class="alerts-heading">{`Firing (${formatCount(alerts.firing().length)})`}</h3>
        <Show when={alerts.firing().length > 0} fallback={<p class="no-alerts">{none()}</p>}>
          <Show when={!alerts.live()}>
            <p class="alerts-more">As last heard: no connection to the alerts</p>
          </Show>
          <Entries ids={alerts.firingIds()} leftOut={alerts.firingLeftOut()} />
        </Show>
        <Show when={alerts.over().length > 0}>
          <h3 class="alerts-heading">{`Recent (${formatCount(alerts.over().length)})`}</h3>
          <Entries ids={alerts.recentIds()} leftOut={alerts.recentLeftOut()} />
        </Show>
      </div>
    </section>
  );
}
