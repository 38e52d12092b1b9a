/**
 * One entry of the alert list: the severity, the start, a spark line, the current value and the actions for
 * one rule, with one series or many. Folded, it is a single line. A group opens in place to show its worst
 * alerts. When it resolves, it keeps its size and place for a while. At another time it says how the alert went
 * on, and only what still fires has actions.
 */

import { createMemo, createSignal, createUniqueId, For, type JSX, Show } from "solid-js";
import { activeOf, type Entry, entryFrom, entryOf, isQuiet, isSilenced } from "../alerts/entries";
import { type Episode, isFiring } from "../alerts/episodes";
import { extentOf } from "../extent";
import { formatCount, formatValue, formatWhen } from "../format";
import { AlertActions, MOST_IDS, Refused, sentence } from "../link/actions";
import { seriesKey } from "../link/protocol";
import type { Alert, ChangedAlerts, SilenceAlert, SilenceScope } from "../types.gen";
import { CompareLink } from "./CompareLink";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { useInView } from "./inView";
import { useMoment } from "./moment";
import { Outcome } from "./Outcome";
import { nearRow, usePassedFocus } from "./passedFocus";
import { SeverityShape } from "./SeverityShape";
import { NEW_DRAFT, SilenceForm } from "./SilenceForm";
import { SparkLine } from "./SparkLine";
import { useShowAlert } from "./showAlert";
import { useSilencedUntil } from "./silenced";
import { useSummary } from "./summary";

const MAX_OPENED = 50;

/** List the firing alerts that nobody has acknowledged. */
const unseen = ({ episodes }: Entry): Alert[] =>
  episodes.flatMap(({ alert, state }) =>
    state === "firing" && alert.acknowledged === undefined ? alert : [],
  );

/**
 * The value of an alert's series at the time on the page. It is the value at firing if the series is gone or not
 * on its metric's scale.
 */
function Value(props: { alert: Alert; inView: () => boolean }) {
  const { board, sparks, stats } = useStores();
  const value = createMemo<number | undefined>((before) => {
    const { labels, metric, value } = props.alert;
    if (before !== undefined && !props.inView()) return before;
    if (!board.isPlain(props.alert)) return value;
    stats.drawn();
    sparks.changed();
    const known = [stats.window.newest(seriesKey(metric ?? "", labels)), sparks.valueThen(props.alert)];
    return known.find(Number.isFinite) ?? value;
  });
  const text = () => {
    const { labels, metric, threshold } = props.alert;
    const whole = stats.window.isWhole(seriesKey(metric ?? "", labels));
    return formatValue(
      value() ?? Number.NaN,
      board.unitOf(props.alert),
      extentOf([value(), threshold]),
      whole,
    );
  };
  return (
    <span class="alert-value" aria-live="off">
      <Show when={value() !== undefined}>
        {text().number} <small>{text().unit}</small>
      </Show>
    </span>
  );
}

/** A folded alert. A press unfolds it. */
function Folded(props: { entry: Entry; text: string; row: HTMLElement }) {
  const { alerts } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(
    () => button,
    () => nearRow(props.row),
  );
  return (
    <button
      type="button"
      ref={button}
      class="unfold"
      aria-expanded="false"
      title={`Unfold: ${props.text}`}
      onClick={() => alerts.unfold(props.entry)}
    >
      <Icon name="chevron" />
      <SeverityShape severity={props.entry.lead.alert.severity} hollow={!props.entry.firing} />
      <span class="severity">{props.entry.lead.alert.severity.toUpperCase()}</span>
      <span class="message">{props.text}</span>
    </button>
  );
}

/** The dismiss button. It folds a firing alert to a line and removes a resolved one. */
function Dismiss(props: { entry: Entry; text: string; row: HTMLElement }) {
  const { alerts } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(
    () => button,
    () => nearRow(props.row),
  );
  return (
    <button
      type="button"
      class="icon-button small dismiss"
      ref={button}
      aria-label={`Dismiss: ${props.text}${props.entry.firing ? ", folds it to a line while it fires" : ""}`}
      title={props.entry.firing ? "Fold to a line, while it fires" : "Dismiss"}
      onClick={() => alerts.dismiss(props.entry)}
    >
      ×
    </button>
  );
}

/** Ask for alerts, as many at once as the server takes. Keep the changes made so far if it refuses. */
function useAsking() {
  const { alerts } = useStores();
  const [error, setError] = createSignal("");
  async function ask(
    about: readonly Alert[],
    what: (ids: readonly string[]) => Promise<ChangedAlerts>,
  ): Promise<boolean> {
    setError("");
    const changed: Alert[] = [];
    let problem = "";
    try {
      for (let from = 0; from < about.length; from += MOST_IDS) {
        const done = await what(about.slice(from, from + MOST_IDS).map(({ id }) => id));
        changed.push(...done.alerts);
        problem ||= sentence(done.refused[0]?.error ?? "");
      }
    } catch (refusal) {
      if (!(refusal instanceof Refused)) throw refusal;
      problem = refusal.message;
    } finally {
      if (changed.length > 0) alerts.take(changed);
    }
    const done = changed.length > 0 ? `${changed.length} of ${about.length} done. ` : "";
    if (problem !== "") setError(done + problem);
    return problem === "";
  }
  return { ask, error, forget: () => setError("") };
}

/** The alerts of an entry that still fire, as they are now; null if none does. The same entry, unless at another time. */
function useNow(entry: () => Entry): () => Entry | null {
  const { alerts } = useStores();
  return createMemo(() => {
    if (alerts.at() === null) return entry();
    const firing = entry().episodes.flatMap(({ alert }) => {
      const now = alerts.now(alert.id);
      return now !== undefined && isFiring(now) ? now : [];
    });
    return firing.length === 0 ? null : entryFrom(entry().id, firing);
  });
}

/** How an alert of another time went on. */
function GoneOn(props: { entry: Entry; name: string }) {
  const { alerts, pastAlerts, time } = useStores();
  const moment = useMoment();
  const end = createMemo(() => {
    const ends = props.entry.episodes.map(({ alert }) => {
      const now = alerts.now(alert.id);
      return Date.parse(now?.alert.resolved ?? pastAlerts.find(alert.id)?.resolved ?? "") || now?.ended;
    });
    return Math.max(...ends.map((one) => one ?? Number.NaN));
  });
  const known = () => Number.isFinite(end());
  const word = () => {
    if (props.entry.episodes.some(({ alert }) => alerts.now(alert.id)?.state === "lost")) return "ended";
    return props.entry.total > 1 ? "all resolved by" : "resolved";
  };

  /** The end comes at three quarters of the range. */
  function goToEnd(): void {
    const span = time.spanMs();
    time.stand({ from: end() - 0.75 * span, to: end() + 0.25 * span });
  }

  return (
    <div class="alert-actions gone-on">
      <span class="outcome">{known() ? `${word()} ${formatWhen(end(), moment())}` : "over by now"}</span>
      <Show when={known()}>
        <button
          type="button"
          class="button small"
          aria-label={`Go to its end: ${props.name}`}
          onClick={goToEnd}
        >
          Go to its end
          <Icon name="chevron" />
        </button>
      </Show>
    </div>
  );
}

function Actions(props: { entry: Entry; name: string; asking: ReturnType<typeof useAsking> }) {
  const { alerts, base, connection } = useStores();
  const actions = new AlertActions(base);
  let silenceButton!: HTMLButtonElement;
  const alert = () => props.entry.lead.alert;
  const silencing = () => alerts.draft()?.id === props.entry.id;
  const silencedUntil = useSilencedUntil(() => props.entry, connection.serverTime);
  const left = () => unseen(props.entry);
  const seen = () => alert().acknowledged !== undefined && left().length === 0;
  const word = () => {
    if (seen()) return "Acknowledged";
    return props.entry.total > 1 ? `Acknowledge ${formatCount(left().length)}` : "Acknowledge";
  };

  function closeForm(): void {
    if (!silencing()) return;
    alerts.setDraft(null);
    props.asking.forget();
    silenceButton.focus({ preventScroll: true });
  }

  async function silence(terms: SilenceAlert): Promise<void> {
    const active = activeOf(props.entry);
    // What is silenced already stays so.
    const of =
      terms.scope === "rule" ? [alert()] : active.filter((one) => !isSilenced(one, connection.serverTime()));
    if (await props.asking.ask(of, (ids) => actions.silence(ids, terms))) closeForm();
  }

  async function endSilence(): Promise<void> {
    const active = activeOf(props.entry);
    const own = active.filter(({ silenced }) => silenced?.scope !== "rule");
    const end = (scope: SilenceScope) => (ids: readonly string[]) =>
      actions.silence(ids, { duration: "0s", scope, reason: "ended by a viewer" });
    const ended = own.length === 0 || (await props.asking.ask(own, end("series")));
    const ofRule =
      own.length === active.length || (ended && (await props.asking.ask([alert()], end("rule"))));
    if (ended && ofRule) closeForm();
  }

  return (
    <div class="alert-actions">
      <button
        type="button"
        class="button small"
        // A resolved alert needs no button. Hide it but keep its space.
        classList={{ absent: !props.entry.firing && !seen() }}
        aria-label={`${word()}: ${props.name}`}
        aria-pressed={seen()}
        aria-disabled={!props.entry.firing || seen()}
        onClick={() => left().length > 0 && void props.asking.ask(left(), (ids) => actions.acknowledge(ids))}
      >
        <Icon name="check" />
        {word()}
      </button>
      <button
        type="button"
        class="button small"
        ref={silenceButton}
        aria-label={`Silence: ${props.name}`}
        aria-pressed={silencedUntil() !== null}
        aria-expanded={silencing()}
        onClick={() => alerts.setDraft({ id: props.entry.id, ...NEW_DRAFT })}
      >
        <Icon name="silent" />
        {silencedUntil() === null ? "Silence" : "Silenced"}
      </button>
      <Show when={silencing()}>
        <SilenceForm
          anchor={() => silenceButton}
          what={props.name}
          entry={props.entry}
          silenced={silencedUntil() === null ? undefined : alert().silenced}
          onSilence={silence}
          onEnd={endSilence}
          onCancel={closeForm}
        />
      </Show>
    </div>
  );
}

/** The worst alerts of a group, each with its own buttons. */
function Members(props: { entry: Entry; id: string }) {
  const shown = createMemo<ReadonlyMap<string, Episode>>(
    () => new Map(props.entry.episodes.slice(0, MAX_OPENED).map((one) => [one.alert.id, one])),
  );
  return (
    <div class="members" id={props.id}>
      <ul>
        <For each={[...shown().keys()]}>
          {(id) => {
            // Keep the last value: a removed entry updates once more before it unmounts.
            const episode = createMemo<Episode>(
              (before) => shown().get(id) ?? before,
              shown().get(id) as Episode,
            );
            return <AlertEntry entry={entryOf(episode())} member />;
          }}
        </For>
      </ul>
      <Show when={props.entry.total > MAX_OPENED}>
        <p class="alerts-more">{`${MAX_OPENED} of ${formatCount(props.entry.total)}, the worst`}</p>
      </Show>
    </div>
  );
}

/**
 * @param props.member whether it is shown below its group.
 * @param props.children stand after the severity.
 */
export function AlertEntry(props: { entry: Entry; member?: boolean; children?: JSX.Element }) {
  const { alerts, me } = useStores();
  const moment = useMoment();
  const showAlert = useShowAlert();
  const [open, setOpen] = createSignal(false);
  const asking = useAsking();
  const id = createUniqueId();
  const alert = () => props.entry.lead.alert;
  const summary = useSummary(() => props.entry);
  const isGroup = () => props.entry.total > 1;
  const folded = () => !props.member && alerts.isFolded(props.entry);
  let item!: HTMLLIElement;
  const inView = useInView(() => item);
  const quiet = createMemo(() => props.entry.firing && isQuiet(activeOf(props.entry), moment()));
  const now = useNow(() => props.entry);
  const isPast = () => alerts.at() !== null;
  const stillFires = () => {
    const left = isPast() ? (now()?.total ?? 0) : 0;
    if (left === 0) return "";
    return isGroup() ? `${formatCount(left)} still firing now` : "still firing now";
  };

  return (
    <li
      ref={item}
      class={`alert alert-${alert().severity}`}
      classList={{
        folded: folded(),
        resolved: !props.entry.firing,
        quiet: quiet(),
        member: props.member,
        "alert-group": isGroup(),
      }}
      data-alert={isGroup() ? props.entry.id : alert().id}
      data-state={props.entry.lead.state}
      data-folded={folded() ? "" : undefined}
    >
      <Show when={!folded()} fallback={<Folded entry={props.entry} text={summary()} row={item} />}>
        <span class="alert-severity">
          <SeverityShape severity={alert().severity} hollow={!props.entry.firing} />
          <span class="severity">{alert().severity.toUpperCase()}</span>
          {props.children}
        </span>
        <div class="alert-content">
          <Show
            when={isGroup()}
            fallback={
              <Show
                when={alert().metric}
                fallback={
                  <span class="message" title={alert().message}>
                    {alert().message}
                  </span>
                }
              >
                <button
                  type="button"
                  class="alert-link message"
                  title={`${alert().message}: show its chart`}
                  onClick={() => showAlert(props.entry.lead)}
                >
                  {alert().message}
                </button>
              </Show>
            }
          >
            <button
              type="button"
              class="group-toggle message"
              aria-expanded={open()}
              aria-controls={id}
              onClick={() => setOpen((shown) => !shown)}
            >
              <Icon name="chevron" />
              {summary()}
            </button>
          </Show>
          <Outcome entry={props.entry} inView={inView} note={stillFires()}>
            <CompareLink entry={props.entry} of={summary()} />
          </Outcome>
        </div>
        <Show when={alert().metric && !props.member}>
          <SparkLine episode={props.entry.lead} inView={inView} />
        </Show>
        <Value alert={alert()} inView={inView} />
        <Show when={now()} fallback={<GoneOn entry={props.entry} name={summary()} />}>
          {(entry) => (
            <Show when={me.mayChange()}>
              <Actions entry={entry()} name={summary()} asking={asking} />
            </Show>
          )}
        </Show>
        <Show when={!props.member && !isPast()}>
          <Dismiss entry={props.entry} text={summary()} row={item} />
        </Show>
        <Show when={asking.error()}>
          <p class="alert-error" role="alert">
            {asking.error()}
          </p>
        </Show>
        <Show when={isGroup() && open()}>
          <Members entry={props.entry} id={id} />
        </Show>
      </Show>
    </li>
  );
}
