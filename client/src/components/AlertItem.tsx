/**
 * One alert: how bad it is, what it says, whether it fires and for how long, the values around the moment, and what a
 * viewer can do about it. Whatever happens to it, it keeps its size: the feed must not move under a finger.
 */
import { createEffect, createMemo, createSignal, on, Show } from "solid-js";
import { Refused } from "../actions";
import { useStores } from "../context";
import type { Entry } from "../entries";
import { formatDuration, formatText, formatUntil, formatWhen } from "../format";
import type { Alert } from "../types.gen";
import { Icon } from "./Icon";
import { SilenceForm } from "./SilenceForm";
import { SparkLine } from "./SparkLine";

export function AlertTop(props: { alert: Alert; fired: number }) {
  const { connection } = useStores();
  return (
    <span class="alert-top">
      <span class="severity">{props.alert.severity.toUpperCase()}</span>
      <time class="time" dateTime={new Date(props.fired).toISOString()}>
        {formatWhen(props.fired, connection.time())}
      </time>
    </span>
  );
}

/** Until when an alert is silenced, milliseconds since 1970; null when it is not. */
function useSilencedUntil(alert: () => Alert): () => number | null {
  const { connection } = useStores();
  return createMemo(() => {
    const until = Date.parse(alert().silenced?.until ?? "");
    return until > connection.serverTime() ? until : null;
  });
}

/** When the last of an entry's alerts ended, NaN where nobody knows. */
const endOf = ({ episodes }: Entry): number =>
  episodes.reduce((last, { alert }) => Math.max(last, Date.parse(alert.resolved ?? "")), 0);

/** Always one line of text, whatever it says. */
export function Outcome(props: { entry: Entry }) {
  const { board, connection } = useStores();
  const alert = () => props.entry.worst.alert;
  const silencedUntil = useSilencedUntil(alert);
  const ended = createMemo(() => (props.entry.firing > 0 ? Number.NaN : endOf(props.entry)));
  const lasted = () => {
    const { began, firing, grouped, total, worst } = props.entry;
    if (firing > 0) {
      const some = grouped && firing < total ? `${firing} firing` : "firing";
      return `${some} for ${formatDuration(connection.serverTime() - began)}`;
    }
    if (worst.state === "lost") return "ended with a restart";
    return Number.isFinite(ended()) ? `resolved after ${formatDuration(ended() - began)}` : "resolved";
  };
  const peak = () => {
    const { peak, value } = alert();
    const worse = peak !== undefined && peak !== value && !props.entry.grouped;
    return worse ? `peak ${formatText(peak, board.unitOf(alert()))}` : "";
  };
  const note = () => {
    if (props.entry.grouped) return "";
    const until = silencedUntil();
    const { acknowledged, ended, silenced } = alert();
    if (until !== null) {
      return [`silenced until ${formatUntil(until, connection.time())}`, silenced?.reason]
        .filter(Boolean)
        .join(": ");
    }
    if (props.entry.firing === 0) return ended || peak();
    return acknowledged === undefined
      ? peak()
      : ["acknowledged", acknowledged.by].filter(Boolean).join(" by ");
  };
  const title = () => [lasted(), note()].filter(Boolean).join(", ");

  return (
    <span class="outcome" title={title()}>
      <span class="outcome-mark">
        <Show when={props.entry.firing === 0}>
          <Icon name="check" />
        </Show>
      </span>
      {/* It ticks, and that is no news. */}
      <span class="lasted" aria-live="off">
        {lasted()}
      </span>
      <Show when={note()}>
        <span class="outcome-note">{note()}</span>
      </Show>
    </span>
  );
}

export function DismissButton(props: { entry: Entry; name: string }) {
  const { alerts } = useStores();
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Dismiss: ${props.name}`}
      title="Dismiss"
      onClick={() => alerts.dismiss(props.entry.id)}
    >
      ×
    </button>
  );
}

export function AlertItem(props: { entry: Entry }) {
  const { actions, alerts } = useStores();
  const [error, setError] = createSignal("");
  const [silencing, setSilencing] = createSignal(false);
  let silenceButton!: HTMLButtonElement;
  const alert = () => props.entry.worst.alert;
  const firing = () => props.entry.worst.state === "firing";
  const acknowledged = () => alert().acknowledged !== undefined;
  const silencedUntil = useSilencedUntil(alert);
  const seen = () => {
    const { by, note, timestamp } = alert().acknowledged ?? {};
    if (timestamp === undefined) return "Acknowledge";
    return [`Acknowledged ${formatWhen(Date.parse(timestamp), Date.now())}`, by, note]
      .filter(Boolean)
      .join(", ");
  };

  async function ask(answer: Promise<Alert>): Promise<boolean> {
    setError("");
    try {
      alerts.tell(await answer);
      return true;
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      setError(problem.message);
      return false;
    }
  }

  function closeForm(): void {
    setSilencing(false);
    setError("");
    silenceButton.focus();
  }

  async function silence(duration: string, reason: string): Promise<void> {
    if (await ask(actions.silence(alert().id, duration, reason))) closeForm();
  }

  createEffect(on(firing, () => setError(""), { defer: true }));

  return (
    <li
      class={`alert alert-${alert().severity}`}
      classList={{
        resolved: !firing(),
        quiet: firing() && (acknowledged() || silencedUntil() !== null),
      }}
      data-alert={alert().id}
      data-state={props.entry.worst.state}
    >
      <div class="alert-content">
        <AlertTop alert={alert()} fired={props.entry.fired} />
        <span class="message">{alert().message}</span>
      </div>
      <div class="alert-side">
        <div class="alert-actions">
          <button
            type="button"
            class="icon-button"
            // What is over needs nobody, but the place of the button stays.
            classList={{ absent: !firing() && !acknowledged() }}
            aria-label={`Acknowledge: ${alert().message}`}
            aria-pressed={acknowledged()}
            aria-disabled={!firing() || acknowledged()}
            title={seen()}
            onClick={() => firing() && !acknowledged() && void ask(actions.acknowledge(alert().id))}
          >
            <Icon name="check" />
          </button>
          <button
            type="button"
            class="icon-button"
            ref={silenceButton}
            aria-label={`Silence: ${alert().message}`}
            aria-pressed={silencedUntil() !== null}
            aria-expanded={silencing()}
            title={silencedUntil() === null ? "Silence" : "Silenced"}
            onClick={() => (silencing() ? closeForm() : setSilencing(true))}
          >
            <Icon name="silent" />
          </button>
          <DismissButton entry={props.entry} name={alert().message} />
        </div>
        <Show when={alert().metric}>
          <SparkLine alert={alert()} />
        </Show>
      </div>
      <Outcome entry={props.entry} />
      <div class="alert-below">
        <Show when={silencing()}>
          <SilenceForm
            silenced={silencedUntil() === null ? undefined : alert().silenced}
            onSilence={silence}
            onCancel={closeForm}
          />
        </Show>
        <Show when={error()}>
          <p class="alert-error" role="alert">
            {error()}
          </p>
        </Show>
      </div>
    </li>
  );
}
