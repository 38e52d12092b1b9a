/** The text of an alert entry: the message of one alert, or the common part of many and the worst of them. */

import { type Entry, firesBelow, worstValue } from "../alerts/entries";
import { ruleOf } from "../alerts/episodes";
import { extentOf } from "../extent";
import { formatCount, formatLabels, formatText, plural } from "../format";
import type { Alert } from "../types.gen";
import { differing } from "./cardText";
import { useStores } from "./context";
import { distinct } from "./distinct";

/** How many names are compared with the worst one's to shorten it. */
const MAX_COMPARED = 50;

const differingOf = (alerts: readonly Alert[]): string[] =>
  differing(alerts.map(({ labels = {} }) => labels));

/** Name each alert by its differing labels, as briefly as possible. */
export function shortNames(alerts: readonly Alert[]): string[] {
  const names = differingOf(alerts);
  const texts = alerts.map(({ labels = {} }) =>
    names.length === 1
      ? (labels[names[0]] ?? "")
      : formatLabels(Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]))),
  );
  return distinct(texts);
}

/**
 * Return `Pod CPU over 90 %: 2 pods, worst …c05 at 97.6 %`, or the alert's own message.
 *
 * A rule whose name has spaces keeps that name.
 */
export function useSummary(entry: () => Entry): () => string {
  const { board } = useStores();
  const title = (alert: Alert): string => {
    const { threshold, metric = "" } = alert;
    if (/\s/.test(alert.rule ?? "") || threshold === undefined || !board.isPlain(alert)) return ruleOf(alert);
    const side = firesBelow(alert) ? "under" : "over";
    const limit = formatText(threshold, board.unitOf(alert)).replace(/\.0+(?=\D|$)/, "");
    return `${board.metric(metric)?.title ?? metric} ${side} ${limit}`;
  };
  return () => {
    const { episodes, lead, total } = entry();
    const { alert } = lead;
    if (total === 1) return alert.message;
    const compared = episodes.slice(0, MAX_COMPARED).map((one) => one.alert);
    const labels = differingOf(compared);
    const what = labels.length === 1 ? plural(total, labels[0]) : "series";
    const many = `${title(alert)}: ${formatCount(total)} ${what}`;
    const value = worstValue(lead);
    const [name] = shortNames(compared);
    if (!Number.isFinite(value) || name === "") return many;
    return `${many}, worst ${name} at ${formatText(value, board.unitOf(alert), extentOf([value, alert.threshold]))}`;
  };
}
