/** The list below the health line: firing and recent alerts. It is loaded once there is an alert to list. */
import "../styles/alerts.css";
import { createMemo, For, Show } from "solid-js";
import type { Entry } from "../alerts/entries";
import { AlertEntry } from "./AlertEntry";
import { useStores } from "./context";
import { LeftOut, Recent } from "./Recent";

/**
 * One entry of the list. It stays mounted while its alerts change, so it keeps its open parts and the focus.
 */
function FiringEntry(props: { id: string }) {
  const { alerts } = useStores();
  // Keep the last value: a removed entry updates once more before it unmounts.
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
