/** What is listed below the health line: what fires, and what is over. Loaded when there is something to list. */
import "../styles/alerts.css";
import { createMemo, For, Show } from "solid-js";
import type { Entry } from "../alerts/entries";
import { AlertEntry } from "./AlertEntry";
import { useStores } from "./context";
import { LeftOut, Recent } from "./Recent";

/** One place in the list, which stays while its alerts change: what is open in it and where the focus is stay too. */
function FiringEntry(props: { id: string }) {
  const { alerts } = useStores();
  // One that has just gone is as it was, for what is in it is updated before it is removed.
  const entry = createMemo<Entry>(
    (before) => alerts.entry(props.id) ?? before,
    alerts.entry(props.id) as Entry,
  );
  return <AlertEntry entry={entry()} />;
}

export default function AlertLog(props: { firing: boolean; recent: boolean }) {
  const { alerts } = useStores();
  return (
    <>
      <Show when={props.firing}>
        <div class="firing-list">
          <ul class="alerts">
            <For each={alerts.firingIds()}>{(id) => <FiringEntry id={id} />}</For>
          </ul>
          <LeftOut of={alerts.firingLeftOut()} />
        </div>
      </Show>
      <Show when={props.recent}>
        <Recent alone={!props.firing} />
      </Show>
    </>
  );
}
