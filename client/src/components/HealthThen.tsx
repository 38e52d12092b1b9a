/** In the first line at another time: whether its alerts are still to come, and what fires now. */
import { Show } from "solid-js";
import { SEVERITIES } from "../alerts/entries";
import { formatCount, formatWhen } from "../format";
import { useStores } from "./context";
import { useMoment } from "./moment";

/** At another time: what fires now, which goes there. */
function FiringNow() {
  const { alerts, time } = useStores();
  const count = () => SEVERITIES.reduce((sum, severity) => sum + alerts.countNow(severity), 0);
  return (
    <Show when={alerts.at() !== null && alerts.live() && count() > 0}>
      <button type="button" class="health-link" onClick={() => time.live()}>
        {`${formatCount(count())} ${count() === 1 ? "fires" : "fire"} now`}
      </button>
    </Show>
  );
}

/** Whether the alerts of the time on the page are being loaded, or why they could not be. */
function Loading() {
  const { alerts, pastAlerts, time } = useStores();
  const moment = useMoment();
  const failed = () => pastAlerts.state().failed;
  /** Of when the alerts are that are shown meanwhile. */
  const shown = () => {
    if (!alerts.sure() || time.follows() || alerts.at() === time.range().to) return "";
    return `; shown are those of ${alerts.at() === null ? "now" : formatWhen(moment(), time.range().to)}`;
  };
  return (
    <>
      <span class="health-more" role="status">
        {pastAlerts.state().loading ? "Loading alerts…" : ""}
      </span>
      <Show when={failed()}>
        <span class="health-failed" role="alert">
          {`${failed()[0].toUpperCase()}${failed().slice(1)}${shown()}`}
        </span>
        <button type="button" class="button small" onClick={() => pastAlerts.retry()}>
          Retry
        </button>
      </Show>
    </>
  );
}

export default function HealthThen() {
  return (
    <>
      <Loading />
      <FiringNow />
    </>
  );
}
