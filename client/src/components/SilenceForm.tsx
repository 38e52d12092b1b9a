/** The form that silences an alert, over the page: for how long, and why. Everyone sees both. */
import { createSignal, createUniqueId, For, onCleanup, onMount, Show, untrack } from "solid-js";
import { formatUntil } from "../format";
import type { Silence } from "../types.gen";
import { useStores } from "./context";
import { Panel } from "./Menu";

const MORNING_HOUR = 8;
const MINUTE_MS = 60_000;

interface Length {
  words: string;
  /** The duration in the server's format, computed when called. */
  duration(): string;
}

function untilTomorrow(): string {
  const morning = new Date();
  morning.setDate(morning.getDate() + 1);
  morning.setHours(MORNING_HOUR, 0, 0, 0);
  return `${Math.ceil((morning.getTime() - Date.now()) / MINUTE_MS)}m`;
}

const LENGTHS: Record<string, Length> = {
  "30m": { words: "30 min", duration: () => "30m" },
  "2h": { words: "2 h", duration: () => "2h" },
  "8h": { words: "8 h", duration: () => "8h" },
  tomorrow: { words: "Until tomorrow 08:00", duration: untilTomorrow },
};
export const NEW_DRAFT = { duration: "2h", reason: "" };

export interface SilenceFormProps {
  entryId: string;
  anchor: () => HTMLElement;
  /** The name of the silenced alerts. */
  what: string;
  /** The silence in force. */
  silenced: Silence | undefined;
  onSilence(duration: string, reason: string): Promise<void>;
  onCancel(): void;
}

export function SilenceForm(props: SilenceFormProps) {
  const { alerts, connection } = useStores();
  // The draft survives when the alert changes.
  const length = () => LENGTHS[alerts.draft()?.duration ?? ""] ?? LENGTHS[NEW_DRAFT.duration];
  const edit = (more: { duration?: string; reason?: string }) => {
    const draft = alerts.draft();
    if (draft !== null) alerts.setDraft({ ...draft, ...more });
  };
  const [asking, setAsking] = createSignal(false);
  let form!: HTMLFormElement;
  let reason: HTMLInputElement | undefined;
  const name = createUniqueId();
  // The alert may disappear while its form is open.
  onCleanup(() => untrack(() => alerts.closeDraft(props.entryId)));
  onMount(() =>
    queueMicrotask(() => (reason ?? form.querySelector("button"))?.focus({ preventScroll: true })),
  );

  async function ask(duration: string, why: string): Promise<void> {
    if (asking()) return;
    setAsking(true);
    try {
      await props.onSilence(duration, why);
    } finally {
      setAsking(false);
    }
  }

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    if (props.silenced !== undefined) void ask("0s", "ended by a viewer");
    else void ask(length().duration(), reason?.value.trim() ?? "");
  }

  return (
    <Panel anchor={props.anchor} label={`Silence ${props.what}`} onClose={props.onCancel}>
      <form class="silence" ref={form} aria-busy={asking()} onSubmit={submit}>
        <Show
          when={props.silenced}
          fallback={
            <>
              <fieldset class="durations">
                <legend>Silence</legend>
                <For each={Object.entries(LENGTHS)}>
                  {([key, { words }]) => (
                    <label>
                      <input
                        type="radio"
                        name={name}
                        value={key}
                        checked={length() === LENGTHS[key]}
                        onChange={() => edit({ duration: key })}
                      />
                      <span>{words}</span>
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
                placeholder="Why (shown to everyone)"
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
          <button type="button" class="button small" onClick={() => props.onCancel()}>
            Cancel
          </button>
          <button type="submit" class="button small primary">
            {props.silenced === undefined ? "Silence" : "End silence"}
          </button>
        </div>
      </form>
    </Panel>
  );
}
