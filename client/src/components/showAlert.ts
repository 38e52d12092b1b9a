/**
 * Go to the chart of an alert at its time, with as much before and after it as it lasted. An alert that fires, and
 * began within the range that the page follows, is shown as it goes on.
 */
import { type Episode, isFiring } from "../alerts/episodes";
import { seriesKey } from "../link/protocol";
import type { Range } from "../time/range";
import { useStores } from "./context";

/** A range of at least `spanMs` with an episode in its middle third. */
export function rangeAround(began: number, ended: number, spanMs: number): Range {
  const length = ended - began;
  const side = (Math.max(spanMs, 3 * length) - length) / 2;
  return { from: began - side, to: ended + side };
}

export function useShowAlert(): (episode: Episode) => void {
  const { alerts, connection, pastAlerts, sections, time, view } = useStores();

  function move(episode: Episode): void {
    const { alert, began } = episode;
    const { from, to } = time.range();
    // At another time it may have ended since.
    const resolved = Date.parse(
      alerts.now(alert.id)?.alert.resolved ?? pastAlerts.find(alert.id)?.resolved ?? "",
    );
    const ended = isFiring(episode) ? resolved || connection.serverTime() : episode.ended;
    const inside = began >= from && (ended <= to || (time.follows() && isFiring(episode)));
    if (!inside) time.stand(rangeAround(began, ended, time.spanMs()));
  }

  return (episode) => {
    const { metric = "", labels } = episode.alert;
    const go = () => {
      move(episode);
      sections.go(sections.of(metric) ?? "", { chart: metric, series: seriesKey(metric, labels) });
    };
    // The board returns with the next frame.
    if (!view.covers()) go();
    else view.leave(() => requestAnimationFrame(go));
  };
}
