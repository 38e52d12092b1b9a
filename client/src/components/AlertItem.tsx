/**
 * One alert: how bad it is, what it says, whether it fires and for how long, the values around the moment, and what a
 * viewer can do about it. Whether it fires or is over, it has the same size.
 */
import { createMemo, createSignal, onCleanup, onMount, Show } from "solid-js";
import type { Entry } from "../alerts/entries";
import { extentOf, formatDuration, formatText, formatUntil, formatWhen } from "../format";
import { Refused } from "../link/actions";
import type { Alert } from "../types.gen";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { NEW_DRAFT, SilenceForm } from "./SilenceForm";
import { SparkLine } from "./SparkLine";

export function AlertTop(props: { alert: Alert; fired: number }) {
  const { connection } = useStores();
  return (
    <span class="alert-top">
      <span class="severity">{props.alert.severity.toUpperCase()}</span>
      <time class="time" dateTime={props.alert.timestamp}>
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

export function Outcome(props: { entry: Entry }) {
  const { board, connection } = useStores();
  const alert = () => props.entry.worst.alert;
  const silencedUntil = useSilencedUntil(alert);
  const lasted = () => {
    const { began, ended, firing, worst } = props.entry;
    if (firing) return `firing for ${formatDuration(connection.serverTime() - began)}`;
    return worst.state === "lost"
      ? "ended with a restart"
      : `resolved after ${formatDuration(ended - began)}`;
  };
  const peak = () => {
    const { peak, threshold, value } = alert();
    const worse = peak !== undefined && peak !== value && !props.entry.grouped;
    return worse ? `peak ${formatText(peak, board.unitOf(alert()), extentOf([peak, threshold, value]))}` : "";
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
    if (!props.entry.firing) return ended || peak();
    return acknowledged === undefined
      ? peak()
      : ["acknowledged", acknowledged.by].filter(Boolean).join(" by ");
  };
  const title = () => [lasted(), note()].filter(Boolean).join(", ");

  return (
    <span class="outcome" title={title()}>
      <span class="outcome-mark">
        <Show when={!props.entry.firing}>
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

/** What fires is folded to a line, what is over goes. */
export function DismissButton(props: { entry: Entry; name: string }) {
  const { alerts } = useStores();
  const title = () => (props.entry.firing ? "Fold to a line, while it fires" : "Dismiss");
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={`Dismiss: ${props.name}${props.entry.firing ? ", folds it to a line while it fires" : ""}`}
      title={title()}
      onClick={() => alerts.dismiss(props.entry)}
    >
      ×
    </button>
  );
}

/** An entry that fires and that the viewer has folded: a press shows all of it again. */
export function FoldedEntry(props: { entry: Entry; text: string }) {
  const { alerts } = useStores();
  const alert = () => props.entry.worst.alert;
  return (
    <li
      class={`alert folded alert-${alert().severity}`}
      data-alert={props.entry.id}
      data-state="firing"
      data-folded
    >
      <button
        type="button"
        class="unfold"
        aria-expanded="false"
        title={`Unfold: ${props.text}`}
        onClick={() => alerts.unfold(props.entry)}
      >
        <Icon name="chevron" />
        <span class="severity">{alert().severity.toUpperCase()}</span>
        <span class="message">{props.text}</span>
      </button>
    </li>
  );
}

/** Where the focus was when its entry left a list: it moves to another one, and the focus with it. */
let left: { id: string; place: number } | null = null;

function keepFocus(id: string, element: () => HTMLElement): void {
  const controls = () => [...element().querySelectorAll<HTMLElement>("button, input")];
  onMount(() => {
    if (left?.id === id) controls()[left.place]?.focus();
    left = null;
  });
  onCleanup(() => {
    const place = controls().indexOf(document.activeElement as HTMLElement);
    if (place !== -1) left = { id, place };
  });
}

export function AlertItem(props: { entry: Entry }) {
  const { actions, alerts } = useStores();
  const [error, setError] = createSignal("");
  let item!: HTMLLIElement;
  let silenceButton!: HTMLButtonElement;
  const alert = () => props.entry.worst.alert;
  const firing = () => props.entry.firing;
  const silencing = () => alerts.draft()?.id === alert().id;
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
      alerts.take(await answer);
      return true;
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      setError(problem.message);
      return false;
    }
  }

  function closeForm(): void {
    alerts.setDraft(null);
    setError("");
    silenceButton.focus();
  }

  async function silence(duration: string, reason: string): Promise<void> {
    if (await ask(actions.silence(alert().id, duration, reason))) closeForm();
  }

  keepFocus(props.entry.id, () => item);

  return (
    <li
      ref={item}
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
            onClick={() => (silencing() ? closeForm() : alerts.setDraft({ id: alert().id, ...NEW_DRAFT }))}
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
