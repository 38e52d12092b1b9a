/** For how long nobody is told of an alert, and why: both are seen by everyone else. */
import { createSignal, createUniqueId, For, onMount, Show, untrack } from "solid-js";
import { formatUntil } from "../format";
import type { Draft } from "../stores/alerts";
import type { Silence } from "../types.gen";
import { useStores } from "./context";

const DURATIONS = ["15m", "1h", "8h"];
export const NEW_DRAFT = { duration: DURATIONS[1], reason: "" };
const WORDS: Record<string, string> = { "15m": "15 min", "1h": "1 h", "8h": "8 h" };

export interface SilenceFormProps {
  /** The silence that is in force. */
  silenced: Silence | undefined;
  onSilence(duration: string, reason: string): Promise<void>;
  onCancel(): void;
}

export function SilenceForm(props: SilenceFormProps) {
  const { alerts, connection } = useStores();
  // What is typed stays when the alert ends and its entry moves to another list.
  const duration = () => alerts.draft()?.duration ?? DURATIONS[1];
  const edit = (more: Partial<Draft>) => alerts.setDraft((draft) => draft && { ...draft, ...more });
  const [asking, setAsking] = createSignal(false);
  let form!: HTMLFormElement;
  let reason: HTMLInputElement | undefined;
  const name = createUniqueId();
  onMount(() => (reason ?? form.querySelector("button"))?.focus());

  async function ask(duration: string, reason: string): Promise<void> {
    if (asking()) return;
    setAsking(true);
    try {
      await props.onSilence(duration, reason);
    } finally {
      setAsking(false);
    }
  }

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    if (props.silenced !== undefined) void ask("0s", "ended by a viewer");
    else void ask(duration(), reason?.value.trim() ?? "");
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    props.onCancel();
  }

  return (
    <form class="silence" ref={form} aria-busy={asking()} onSubmit={submit} onKeyDown={onKeyDown}>
      <Show
        when={props.silenced}
        fallback={
          <>
            <fieldset class="durations">
              <legend class="visually-hidden">Silence for</legend>
              <For each={DURATIONS}>
                {(one) => (
                  <label>
                    <input
                      type="radio"
                      name={name}
                      value={one}
                      checked={duration() === one}
                      onChange={() => edit({ duration: one })}
                    />
                    <span>{WORDS[one]}</span>
                  </label>
                )}
              </For>
            </fieldset>
            <input
              class="reason"
              type="text"
              ref={reason}
              value={untrack(alerts.draft)?.reason ?? ""}
              onInput={(event) => edit({ reason: event.currentTarget.value })}
              required
              maxLength={200}
              autocomplete="off"
              placeholder="Why? Everyone sees it"
              aria-label="Reason"
            />
          </>
        }
      >
        {(silenced) => (
          <p class="silenced-why">
            Silenced until {formatUntil(Date.parse(silenced().until), connection.time())}
            <Show when={silenced().by}> by {silenced().by}</Show>: {silenced().reason}
          </p>
        )}
      </Show>
      <div class="silence-buttons">
        <button type="submit" class="button">
          {props.silenced === undefined ? "Silence" : "End silence"}
        </button>
        <button type="button" class="button plain" onClick={() => props.onCancel()}>
          Cancel
        </button>
      </div>
    </form>
  );
}
