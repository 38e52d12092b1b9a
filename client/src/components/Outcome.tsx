/** Since when and how long an alert has fired, or how it ended, and how people responded. */

import { createMemo, type JSX, Show } from "solid-js";
import { type Entry, firesBelow } from "../alerts/entries";
import { extentOf } from "../extent";
import { formatText, formatWhen } from "../format";
import { seriesKey } from "../link/protocol";
import { useStores } from "./context";
import { useLasted } from "./lasted";
import { useMoment } from "./moment";
import { sayUntil, useSilencedUntil } from "./silenced";

/**
 * The worst value of an episode. The server reports it at the end; until then it is the worst value seen
 * here.
 *
 * @param inView whether the value is visible.
 */
function useWorst(entry: () => Entry, inView: () => boolean): () => number | undefined {
  const { board, sparks, stats } = useStores();
  return createMemo<number | undefined>((before) => {
    const { firing, lead } = entry();
    const { alert, ended, fired } = lead;
    const known = [alert.peak, alert.value].filter((value) => value !== undefined);
    if (known.length === 0 || !firing || !board.isPlain(alert)) return alert.peak;
    if (before !== undefined && !inView()) return before;
    stats.drawn();
    sparks.changed();
    const { times, values } = sparks.of(alert, ended);
    const seen = values.filter((value, i) => times[i] >= fired && Number.isFinite(value));
    return (firesBelow(alert) ? Math.min : Math.max)(...known, ...seen);
  });
}

/**
 * @param props.inView whether it is visible; a firing alert changes with every tick.
 * @param props.note another note at the end.
 */
export function Outcome(props: {
  entry: Entry;
  inView?: () => boolean;
  note?: string;
  children?: JSX.Element;
}) {
  const { board, stats } = useStores();
  const moment = useMoment();
  const worst = useWorst(
    () => props.entry,
    () => props.inView?.() ?? false,
  );
  const alert = () => props.entry.lead.alert;
  const silencedUntil = useSilencedUntil(() => props.entry);
  const since = () => formatWhen(props.entry.began, moment());
  const lasted = useLasted(() => props.entry);
  const peak = () => {
    const [{ threshold, value }, peak] = [alert(), worst()];
    if (peak === undefined || props.entry.total > 1) return "";
    const whole = stats.window.isWhole(seriesKey(alert().metric ?? "", alert().labels));
    return `peak ${formatText(peak, board.unitOf(alert()), extentOf([peak, threshold, value]), whole)}`;
  };
  const care = () => {
    const { episodes, firing, total } = props.entry;
    const until = silencedUntil();
    const { acknowledged, ended, silenced } = alert();
    if (!firing) return ended ?? "";
    const seen = episodes.filter(
      (one) => one.state === "firing" && one.alert.acknowledged !== undefined,
    ).length;
    if (total > 1) return seen === 0 ? "" : seen === total ? "all acknowledged" : `${seen} acknowledged`;
    if (until !== null && silenced !== undefined) {
      return `silenced ${sayUntil(silenced, moment())}: ${silenced.reason}`;
    }
    return acknowledged === undefined
      ? ""
      : [["acknowledged", acknowledged.by].filter(Boolean).join(" by "), acknowledged.note]
          .filter(Boolean)
          .join(": ");
  };

  return (
    <span class="outcome">
      since <time dateTime={alert().started}>{since()}</time>
      {/* Before the texts that change, so that a link stays where one aims at it. */}
      {props.children} · {/* Too frequent to announce. */}
      <span class="lasted" aria-live="off">
        {lasted()}
      </span>
      <Show when={peak()}>
        <span class="peak">{` · ${peak()}`}</span>
      </Show>
      <Show when={care()}>
        {" · "}
        <span class="outcome-note">{care()}</span>
      </Show>
      <Show when={props.note}>
        {" · "}
        <b>{props.note}</b>
      </Show>
    </span>
  );
}
