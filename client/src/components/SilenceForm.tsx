/** The form that silences alerts, over the page: for how long, how many, and why. Everyone sees all three. */
import { createMemo, createSignal, createUniqueId, For, onCleanup, onMount, Show, untrack } from "solid-js";
import type { Entry } from "../alerts/entries";
import { formatCount, formatLine } from "../format";
import { midnight, timeAt, wallClock } from "../time/zone";
import type { Silence, SilenceAlert } from "../types.gen";
import { useStores } from "./context";
import { Panel } from "./Menu";
import { sayUntil } from "./silenced";

const MORNING_HOUR = 8;
const MINUTE_MS = 60_000;

interface Length {
  words: string;
  /** On the button, after "Silence". */
  short: string;
  /** The length in the server's format, computed when called. */
  terms(): Pick<SilenceAlert, "duration" | "until">;
}

function untilTomorrow(): string {
  const now = Date.now();
  const morning = timeAt(wallClock(midnight(now, 1)) + MORNING_HOUR * 60 * MINUTE_MS);
  return `${Math.ceil((morning - now) / MINUTE_MS)}m`;
}

const lasting = (duration: string, words: string): Length => ({
  words,
  short: `for ${words}`,
  terms: () => ({ duration }),
});

const LENGTHS: Record<string, Length> = {
  "30m": lasting("30m", "30 min"),
  "2h": lasting("2h", "2 h"),
  "8h": lasting("8h", "8 h"),
  tomorrow: {
    words: "Until tomorrow 08:00",
    short: "until 08:00",
    terms: () => ({ duration: untilTomorrow() }),
  },
  over: { words: "Until it is over", short: "until it is over", terms: () => ({ until: "resolved" }) },
};
export const NEW_DRAFT = { duration: "2h", ofRule: false, reason: "" };

export interface SilenceFormProps {
  entry: Entry;
  anchor: () => HTMLElement;
  /** The name of the silenced alerts. */
  what: string;
  /** The silence in force. */
  silenced: Silence | undefined;
  onSilence(terms: SilenceAlert): Promise<void>;
  onEnd(): Promise<void>;
  onCancel(): void;
}

/** A choice of one, as a list. */
function Choice(props: {
  title: string;
  of: readonly (readonly [key: string, words: string])[];
  now: string;
  choose(key: string): void;
}) {
  const name = createUniqueId();
  return (
    <fieldset class="durations">
      <legend>{props.title}</legend>
      <For each={props.of}>
        {([key, words]) => (
          <label>
            <input
              type="radio"
              name={name}
              value={key}
              checked={props.now === key}
              onChange={() => props.choose(key)}
            />
            <span>{words}</span>
          </label>
        )}
      </For>
    </fieldset>
  );
}

export function SilenceForm(props: SilenceFormProps) {
  const { alerts, connection } = useStores();
  // The draft survives when the alert changes.
  const chosen = () => alerts.draft() ?? NEW_DRAFT;
  const length = () => LENGTHS[chosen().duration];
  const alert = () => props.entry.lead.alert;
  // Memos: a choice that is drawn again loses the focus.
  const firing = createMemo(() => props.entry.firing);
  const lengths = () =>
    Object.entries(LENGTHS).flatMap(([key, { words }]): [string, string][] =>
      key === "over" && !firing() ? [] : [[key, words]],
    );
  const one = createMemo(() => formatLine(alert().labels ?? {}));
  const these = createMemo(() =>
    props.entry.total > 1 ? `These ${formatCount(props.entry.total)}` : `This rule on ${one()}`,
  );
  const edit = (more: { duration?: string; ofRule?: boolean; reason?: string }) => {
    const draft = alerts.draft();
    if (draft !== null) alerts.setDraft({ ...draft, ...more });
  };
  const [asking, setAsking] = createSignal(false);
  let form!: HTMLFormElement;
  let reason: HTMLInputElement | undefined;
  // The alert may disappear while its form is open.
  onCleanup(() => untrack(() => alerts.closeDraft(props.entry.id)));
  onMount(() =>
    queueMicrotask(() => (reason ?? form.querySelector("button"))?.focus({ preventScroll: true })),
  );

  async function submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (asking()) return;
    setAsking(true);
    try {
      if (props.silenced !== undefined) await props.onEnd();
      else {
        const scope = chosen().ofRule ? "rule" : "series";
        await props.onSilence({ ...length().terms(), scope, reason: reason?.value.trim() ?? "" });
      }
    } finally {
      setAsking(false);
    }
  }

  return (
    <Panel anchor={props.anchor} label={`Silence ${props.what}`} onClose={props.onCancel}>
      <form class="silence" ref={form} aria-busy={asking()} onSubmit={(event) => void submit(event)}>
        <Show
          when={props.silenced}
          fallback={
            <>
              <Choice
                title="Silence"
                of={lengths()}
                now={chosen().duration}
                choose={(duration) => edit({ duration })}
              />
              <Show when={one()}>
                <Choice
                  title="What"
                  of={[
                    ["", these()],
                    ["rule", "This rule everywhere"],
                  ]}
                  now={chosen().ofRule ? "rule" : ""}
                  choose={(scope) => edit({ ofRule: scope === "rule" })}
                />
              </Show>
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
              Silenced {sayUntil(silenced(), connection.time())}
              <Show when={silenced().by}> by {silenced().by}</Show>: {silenced().reason}
            </p>
          )}
        </Show>
        <div class="silence-buttons">
          <button type="button" class="button small" onClick={props.onCancel}>
            Cancel
          </button>
          <button type="submit" class="button small primary">
            {props.silenced === undefined ? `Silence ${length().short}` : "End silence"}
          </button>
        </div>
      </form>
    </Panel>
  );
}
