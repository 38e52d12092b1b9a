/**
 * The menu of the range: ranges that follow now, fields for one that stands still, the latest alerts and marks to
 * look around, and the time zone.
 */
import "../../styles/opened.css";
import "../../styles/rangemenu.css";
import { createMemo, createSignal, createUniqueId, For, onMount, Show } from "solid-js";
import { formatSpan, formatUntil, formatZone } from "../../format";
import { around, latest } from "../../time/around";
import { formatField } from "../../time/field";
import { isUtc } from "../../time/zone";
import { useStores } from "../context";
import { useRanges } from "../ranges";
import { type Field, TimeField, useField } from "./TimeField";

function Follow(props: { close(): void }) {
  const { time } = useStores();
  const ranges = useRanges();
  let list!: HTMLUListElement;
  // The popover opens after its content is there.
  onMount(() =>
    requestAnimationFrame(() => {
      (list.querySelector<HTMLElement>("[aria-pressed=true]") ?? list.querySelector("button"))?.focus();
    }),
  );

  function onKeyDown(event: KeyboardEvent): void {
    const buttons = [...list.querySelectorAll("button")];
    const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const range = ranges().find(({ key }) => key === event.key);
    if (way !== undefined) {
      const here = buttons.indexOf(document.activeElement as HTMLButtonElement);
      buttons[(here + way + buttons.length) % buttons.length]?.focus();
    } else if (range !== undefined && !event.ctrlKey && !event.metaKey && !event.altKey) {
      props.close();
      range.choose();
    } else return;
    event.preventDefault();
  }

  return (
    <div class="range-follow">
      <h2>Follow now</h2>
      <ul ref={list} onKeyDown={onKeyDown}>
        <For each={ranges()}>
          {({ key, spanMs, isShown, choose }) => (
            <li>
              <button
                type="button"
                class="menu-item"
                aria-pressed={time.follows() && isShown()}
                onClick={() => {
                  props.close();
                  choose();
                }}
              >
                Last {formatSpan(spanMs)}
                <Show when={key}>
                  <kbd>{key}</kbd>
                </Show>
              </button>
            </li>
          )}
        </For>
      </ul>
    </div>
  );
}

function Fields(props: { close(): void }) {
  const { connection, time } = useStores();
  const id = createUniqueId();
  const now = connection.serverTime;
  const { from, to } = time.range();
  const first = useField(() => from, now);
  const last = useField(() => to, now);
  const [wrong, setWrong] = createSignal<{ field: Field | null; why: string } | null>(null);
  const errorOf = (field: Field) => (wrong()?.field === field ? (wrong()?.why ?? "") : "");

  function show(event: SubmitEvent): void {
    event.preventDefault();
    for (const field of [first, last]) {
      if (!Number.isNaN(field.read())) continue;
      const why = `“${field.shown()}” is not a time: write ${formatField(now()).slice(0, 16)}, or a time of today`;
      setWrong({ field, why });
      return;
    }
    if (first.read() >= last.read()) {
      setWrong({ field: last, why: "The end is not after the beginning: write a later time" });
      return;
    }
    if (first.read() >= now()) {
      setWrong({ field: first, why: "The beginning is in the future: write an earlier time" });
      return;
    }
    props.close();
    time.stand({ from: first.read(), to: last.read() });
  }

  return (
    <form class="range-fields" onSubmit={show}>
      <TimeField label="From" field={first} error={errorOf(first)} describedBy={id} />
      <TimeField label="To" field={last} error={errorOf(last)} describedBy={id} />
      <p class="range-error" id={id} role="alert">
        {wrong()?.why}
      </p>
      <div class="range-last">
        <Zone />
        <button type="submit" class="button primary">
          Show
        </button>
      </div>
    </form>
  );
}

const MOST_AROUND = 4;

function Around(props: { close(): void }) {
  const { alerts, connection, marks, time } = useStores();
  const happenings = createMemo(() => {
    const episodes = [...alerts.firing(), ...alerts.over()];
    return latest(
      [
        ...episodes.map(({ alert, began, ended }) => ({ text: alert.message, from: began, to: ended })),
        ...marks.all().map(({ text, began, ended }) => ({ text, from: began, to: ended })),
      ],
      MOST_AROUND,
    );
  });
  return (
    <Show when={happenings().length > 0}>
      <h2>Around</h2>
      <ul>
        <For each={happenings()}>
          {(one) => (
            <li>
              <button
                type="button"
                class="menu-item"
                onClick={() => {
                  props.close();
                  time.stand(around(one, connection.serverTime()));
                }}
              >
                <span class="range-what">{one.text}</span>
                <span class="range-when">{formatUntil(one.from, connection.time())}</span>
              </button>
            </li>
          )}
        </For>
      </ul>
    </Show>
  );
}

/** Whether times are written in the viewer's zone or in UTC. There is nothing to choose where they are the same. */
function Zone() {
  const { time, zone } = useStores();
  const local = () => formatZone(time.range().to, false);
  const choice = (utc: boolean, text: string) => (
    <button type="button" aria-pressed={isUtc() === utc} onClick={() => zone.choose(utc)}>
      {text}
    </button>
  );
  return (
    <Show when={local() !== "UTC"} fallback={<span class="range-when">UTC</span>}>
      <fieldset class="range-control" aria-label="Time zone">
        {choice(false, local())}
        {choice(true, "UTC")}
      </fieldset>
    </Show>
  );
}

export default function RangeMenu(props: { close(): void }) {
  const { history } = useStores();
  return (
    <div class="range-menu">
      <Follow close={props.close} />
      <div class="range-still">
        <h2>Stand still</h2>
        <Fields close={props.close} />
        <Around close={props.close} />
      </div>
      <p class="range-kept">
        {history.hasNone()
          ? "No history is kept: only the window can be shown."
          : `Kept: ${history.keptFor() || "nothing yet"}`}
      </p>
    </div>
  );
}
