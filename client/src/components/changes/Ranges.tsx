/** The two ranges that are compared, in words and in fields. */
import { createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { formatRange, formatSpan, formatZone } from "../../format";
import { type Comparison, isJustBefore, LONGEST_MS, withBefore } from "../../time/comparison";
import { formatField } from "../../time/field";
import type { Range } from "../../time/range";
import { DAY_MS, isSameDay } from "../../time/zone";
import { useStores } from "../context";
import { type Field, TimeField, useField } from "../time/TimeField";

const earlier = ({ from, to }: Range, by: number): Range => ({ from: from - by, to: to - by });

/** What a range is usually compared with. */
const USUAL: readonly { text: string; of: (after: Range) => Range }[] = [
  { text: "Just before", of: (after) => withBefore(after).before },
  { text: "A day earlier", of: (after) => earlier(after, DAY_MS) },
  { text: "A week earlier", of: (after) => earlier(after, 7 * DAY_MS) },
];

interface Wrong {
  field: Field;
  why: string;
}

/** What is wrong with the range in two fields, and in which; null if nothing is. */
function wrongIn([first, last]: readonly [Field, Field], now: number): Wrong | null {
  for (const field of [first, last]) {
    const example = formatField(now).slice(0, 16);
    if (Number.isNaN(field.read()))
      return { field, why: `“${field.shown()}” is not a time: write ${example}` };
  }
  const length = last.read() - first.read();
  if (length <= 0) return { field: last, why: "The end is not after the beginning: write a later time" };
  if (length > LONGEST_MS) return { field: last, why: "Longer than 31 days: write an earlier time" };
  return null;
}

function RangesForm(props: { id: string; ranges: Comparison; close: () => void }) {
  const { comparison, connection } = useStores();
  const errors = createUniqueId();
  const now = connection.serverTime;
  const [wrong, setWrong] = createSignal<Wrong | null>(null);
  const fieldsOf = ({ from, to }: Range) => [useField(() => from, now), useField(() => to, now)] as const;
  const [after, before] = [fieldsOf(props.ranges.after), fieldsOf(props.ranges.before)];
  const rangeIn = ([first, last]: readonly [Field, Field]) => ({ from: first.read(), to: last.read() });

  /** Fill the fields of the range before. */
  function choose(of: (after: Range) => Range): void {
    const problem = wrongIn(after, now());
    setWrong(problem);
    if (problem !== null) return;
    const { from, to } = of(rangeIn(after));
    before[0].setText(formatField(from));
    before[1].setText(formatField(to));
  }

  function compare(event: SubmitEvent): void {
    event.preventDefault();
    const problem = wrongIn(after, now()) ?? wrongIn(before, now());
    setWrong(problem);
    if (problem !== null) return;
    comparison.open({ after: rangeIn(after), before: rangeIn(before) });
    props.close();
  }

  const rows = (name: string, fields: readonly [Field, Field]) => (
    <fieldset>
      <legend>{name}</legend>
      <For each={fields}>
        {(field, place) => (
          <TimeField
            label={place() === 0 ? "From" : "To"}
            field={field}
            error={wrong()?.field === field ? (wrong()?.why ?? "") : ""}
            describedBy={errors}
          />
        )}
      </For>
    </fieldset>
  );

  return (
    <form id={props.id} class="changes-form" onSubmit={compare}>
      {rows("Compare", after)}
      {rows("Against", before)}
      <p>
        <For each={USUAL}>
          {({ text, of }) => (
            <button type="button" class="button small" onClick={() => choose(of)}>
              {text}
            </button>
          )}
        </For>
      </p>
      <p class="changes-wrong" id={errors} role="alert">
        {wrong()?.why}
      </p>
      <p>
        <button type="submit" class="button small primary">
          Compare
        </button>
        <button type="button" class="button small" onClick={props.close}>
          Cancel
        </button>
        <span>{formatZone(props.ranges.after.from)}</span>
      </p>
    </form>
  );
}

export function Ranges(props: { ranges: Comparison }) {
  const { connection } = useStores();
  const id = createUniqueId();
  const [editing, setEditing] = createSignal(false);
  let edit!: HTMLButtonElement;
  const today = createMemo(() => {
    const { after, before } = props.ranges;
    return [after.from, after.to, before.from].every((time) => isSameDay(time, connection.time()));
  });
  const write = (range: Range) => formatRange(range, !today());
  const length = () => formatSpan(props.ranges.after.to - props.ranges.after.from);

  function close(): void {
    setEditing(false);
    edit.focus();
  }

  return (
    <div class="changes-ranges">
      <p>
        <b class="after">{write(props.ranges.after)}</b> against <b>{write(props.ranges.before)}</b>
        {isJustBefore(props.ranges) ? `, the ${length()} before` : ""}
      </p>
      <button
        type="button"
        class="changes-edit"
        ref={edit}
        aria-expanded={editing()}
        aria-controls={id}
        onClick={() => setEditing((open) => !open)}
      >
        Other times
      </button>
      <Show when={editing()}>
        <RangesForm id={id} ranges={props.ranges} close={close} />
      </Show>
    </div>
  );
}
