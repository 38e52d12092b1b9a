/** Opens what changed in an alert's episode, compared with the time before it. */
import type { Entry } from "../alerts/entries";
import { useStores } from "./context";

/** @param props.of the alert in words, for screen readers. */
export function CompareLink(props: { entry: Entry; of: string }) {
  const { alerts, comparison, pastAlerts } = useStores();

  /** At another time it may have ended since. */
  function open(): void {
    const { alert, began, ended } = props.entry.lead;
    const now = alerts.now(alert.id);
    const resolved = Date.parse(now?.alert.resolved ?? pastAlerts.find(alert.id)?.resolved ?? "");
    comparison.openEpisode({ began, ended: Math.min(ended, resolved || ended) });
  }

  return (
    <>
      {" · "}
      <button type="button" class="compare" aria-label={`What changed? ${props.of}`} onClick={open}>
        What changed?
      </button>
    </>
  );
}
