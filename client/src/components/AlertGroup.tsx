/** Many alerts of one rule that fired at once, as one: how bad the worst is, and on demand the worst fifty. */
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { type Entry, entryOf, worstValue } from "../alerts/entries";
import type { Episode } from "../alerts/episodes";
import { extentOf, formatCount, formatText } from "../format";
import { AlertItem, AlertTop, DismissButton, Outcome } from "./AlertItem";
import { useStores } from "./context";
import { Icon } from "./Icon";

const MAX_OPENED = 50;

/** `disk_full: 10,000 series, worst 99.8 %`. */
export function useSummary(entry: () => Entry): () => string {
  const { board } = useStores();
  return () => {
    const { alert } = entry().worst;
    const value = worstValue(entry().worst);
    const series = `${alert.rule || alert.metric}: ${formatCount(entry().total)} series`;
    if (!Number.isFinite(value)) return series;
    return `${series}, worst ${formatText(value, board.unitOf(alert), extentOf([value, alert.threshold]))}`;
  };
}

export function AlertGroup(props: { entry: Entry }) {
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  const alert = () => props.entry.worst.alert;
  const summary = useSummary(() => props.entry);
  const state = () => (props.entry.firing ? "firing" : "resolved");
  const opened = createMemo<ReadonlyMap<string, Episode>>(() => {
    if (!open()) return new Map();
    return new Map(props.entry.episodes.slice(0, MAX_OPENED).map((one) => [one.alert.id, one]));
  });
  const follow = (id: string) =>
    createMemo<Episode>((before) => opened().get(id) ?? before, opened().get(id) as Episode);

  return (
    <li
      class={`alert alert-group alert-${alert().severity}`}
      classList={{ resolved: state() === "resolved" }}
      data-alert={props.entry.id}
      data-state={state()}
    >
      <div class="alert-content">
        <AlertTop alert={alert()} fired={props.entry.fired} />
        <button
          type="button"
          class="group-toggle"
          aria-expanded={open()}
          aria-controls={id}
          onClick={() => setOpen((shown) => !shown)}
        >
          <Icon name="chevron" />
          <span class="message">{summary()}</span>
        </button>
      </div>
      <div class="alert-side">
        <div class="alert-actions">
          <DismissButton entry={props.entry} name={summary()} />
        </div>
      </div>
      <Outcome entry={props.entry} />
      <div class="alert-below" id={id} hidden={!open()}>
        <ul>
          <For each={[...opened().keys()]}>
            {(id) => {
              const episode = follow(id);
              return <AlertItem entry={entryOf(episode())} />;
            }}
          </For>
        </ul>
        <Show when={props.entry.total > MAX_OPENED}>
          <p class="alerts-more">{`${MAX_OPENED} of ${formatCount(props.entry.total)} series, the worst`}</p>
        </Show>
      </div>
    </li>
  );
}
