/** Many alerts of one rule that fired at once, as one: how bad the worst is, and on demand the worst fifty. */
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { useStores } from "../context";
import { type Entry, entryOf, worstValue } from "../entries";
import type { Episode } from "../episodes";
import { formatCount, formatText } from "../format";
import { AlertItem, AlertTop, DismissButton, Outcome } from "./AlertItem";
import { Icon } from "./Icon";

const MAX_OPENED = 50;

export function AlertGroup(props: { entry: Entry }) {
  const { board } = useStores();
  const [open, setOpen] = createSignal(false);
  const id = createUniqueId();
  const alert = () => props.entry.worst.alert;
  const summary = () => {
    const value = worstValue(props.entry.worst);
    const series = `${alert().rule || alert().metric}: ${formatCount(props.entry.total)} series`;
    return Number.isFinite(value) ? `${series}, worst ${formatText(value, board.unitOf(alert()))}` : series;
  };
  const state = () => (props.entry.firing > 0 ? "firing" : "resolved");
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
