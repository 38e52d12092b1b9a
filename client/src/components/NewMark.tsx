/** The dialog that makes a mark: what happened, and when. Everyone sees it. */
import "../styles/mark.css";
import { createSignal, createUniqueId, onMount, Show, untrack } from "solid-js";
import { formatZone } from "../format";
import { AlertActions, Refused } from "../link/actions";
import { writeTime } from "../time/range";
import { timeAt, wallClock } from "../time/zone";
import { useStores } from "./context";
import { Dialog, DialogHead } from "./finding/Dialog";

/** As the server has them. */
const MAX_TEXT = 200;

/** A time as a field of the page's zone has it, to the second. */
const fieldOf = (time: number | undefined): string =>
  time === undefined ? "" : new Date(wallClock(time)).toISOString().slice(0, 19);

export default function NewMark() {
  const { base, connection, marks, view } = useStores();
  const actions = new AlertActions(base);
  const shown = untrack(view.shown);
  const asked = shown?.type === "mark" ? shown : { from: undefined, until: undefined };
  const id = createUniqueId();
  const [from, setFrom] = createSignal(fieldOf(asked.from ?? untrack(connection.serverTime)));
  const [until, setUntil] = createSignal(fieldOf(asked.until));
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal("");
  let text!: HTMLInputElement;
  // Once the dialog is open.
  onMount(() => queueMicrotask(() => text.focus()));

  /** The time of a field; the exact one that it began with while nobody has changed it. Undefined if it is empty. */
  function timeOf(field: string, exact: number | undefined): string | undefined {
    const time = field === fieldOf(exact) ? exact : timeAt(Date.parse(`${field}Z`));
    return time === undefined || Number.isNaN(time) ? undefined : writeTime(time);
  }

  async function make(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    if (busy()) return;
    setBusy(true);
    setError("");
    try {
      const [timestamp, end] = [timeOf(from(), asked.from), timeOf(until(), asked.until)];
      marks.add([await actions.mark({ text: text.value.trim(), timestamp, until: end })]);
      view.close();
    } catch (problem) {
      if (!(problem instanceof Refused)) throw problem;
      setError(problem.message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <Dialog class="new-mark" label="New mark">
      <DialogHead title="New mark" />
      <form aria-busy={busy()} onSubmit={make}>
        <label for={`${id} text`}>What happened</label>
        <input
          id={`${id} text`}
          ref={text}
          type="text"
          required
          pattern=".*\S.*"
          maxLength={MAX_TEXT}
          autocomplete="off"
          placeholder="deployed 1.4"
        />
        <div class="mark-times">
          <label>
            When, {formatZone(untrack(connection.serverTime))}
            <input
              type="datetime-local"
              step="1"
              required
              value={from()}
              onInput={(event) => setFrom(event.currentTarget.value)}
            />
          </label>
          <label>
            Until, if it lasted
            <input
              type="datetime-local"
              step="1"
              value={until()}
              onInput={(event) => setUntil(event.currentTarget.value)}
            />
          </label>
        </div>
        <Show when={error()}>
          <p class="mark-error" role="alert">
            {error()}
          </p>
        </Show>
        <div class="mark-foot">
          <span>Everyone sees it on charts and under Recent.</span>
          <button type="button" class="button small" onClick={view.close}>
            Cancel
          </button>
          <button type="submit" class="button small primary">
            Mark
          </button>
        </div>
      </form>
    </Dialog>
  );
}
