/** A field of a time, in the page's zone. */
import "../../styles/timefield.css";
import { createSignal } from "solid-js";
import { formatField, parseField } from "../../time/field";

export interface Field {
  shown(): string;
  setText(text: string): void;
  /** Milliseconds since 1970, NaN if it is no time. What is not changed keeps its milliseconds. */
  read(): number;
}

/** @param now what a time of day without a date belongs to. */
export function useField(time: () => number, now: () => number): Field {
  const [text, setText] = createSignal<string | null>(null);
  const shown = () => text() ?? formatField(time());
  return {
    shown,
    setText,
    read: () => (shown() === formatField(time()) ? time() : parseField(shown(), now())),
  };
}

export function TimeField(props: { label: string; field: Field; error: string; describedBy: string }) {
  return (
    <label class="range-field">
      {props.label}
      <input
        type="text"
        autocomplete="off"
        spellcheck={false}
        value={props.field.shown()}
        aria-invalid={props.error !== ""}
        aria-describedby={props.error === "" ? undefined : props.describedBy}
        onInput={(event) => props.field.setText(event.currentTarget.value)}
      />
    </label>
  );
}
