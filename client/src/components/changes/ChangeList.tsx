/** The list of what changed, with its filter; or why there is none. */
import { createMemo, createSignal, For, Show } from "solid-js";
import { countOf, noneLeft, type Way, wayOf, whatIsMissing, whyNothing } from "../../comparing/words";
import { formatLine, formatWhen } from "../../format";
import { seriesKey } from "../../link/protocol";
import type { ChangeLinesStore } from "../../stores/changelines";
import type { ChangesStore } from "../../stores/changes";
import type { Comparison } from "../../time/comparison";
import type { SeriesChange } from "../../types.gen";
import { found as matching, wordsOf } from "../../window/find";
import { useStores } from "../context";
import { Icon } from "../Icon";
import { ChangeRow } from "./ChangeRow";

const WAYS: readonly { way: Way; text: string }[] = [
  { way: "all", text: "All" },
  { way: "up", text: "Up" },
  { way: "down", text: "Down" },
];
/** The room of the rows that are coming. */
const COMING = [1, 2, 3, 4, 5, 6];

/** A row, in the words that the filter finds. */
export interface Listed {
  change: SeriesChange;
  key: string;
  rank: number;
  /** The title of the metric, the labels, and the metric's name. */
  text: string;
  detail: string;
  more: string;
}

const Coming = () => (
  <ul aria-hidden="true">
    <For each={COMING}>{() => <li class="change coming" />}</For>
  </ul>
);

export function ChangeList(props: { ranges: Comparison; changes: ChangesStore; lines: ChangeLinesStore }) {
  const { board, connection, history } = useStores();
  const [filter, setFilter] = createSignal("");
  const [way, setWay] = createSignal<Way>("all");
  /** What changed, as soon as the board has come with the titles and units. */
  const answer = createMemo(() => {
    const now = props.changes.found();
    return now.state === "found" && board.board() ? now.answer : undefined;
  });
  const all = createMemo<readonly Listed[]>(() =>
    (answer()?.changes ?? []).map((change, place) => ({
      ...{ change, rank: place + 1, key: seriesKey(change.name, change.labels) },
      ...{ text: board.metric(change.name)?.title ?? change.name, detail: formatLine(change.labels) },
      more: change.name,
    })),
  );
  const rows = createMemo(() => {
    const wanted = all().filter(({ change }) => way() === "all" || wayOf(change) === way());
    return matching(wanted, wordsOf(filter()), wanted.length).sort((a, b) => a.rank - b.rank);
  });
  const kept = () => ({
    oldest: history.oldest(),
    newest: connection.newest(),
    intervalMs: board.board()?.interval_ms ?? 1000,
  });
  const when = (time: number) => formatWhen(time, connection.time());
  const failure = () => {
    const now = props.changes.found();
    return now.state === "failed" ? now.message : undefined;
  };
  const note = () => {
    const now = props.changes.found();
    if (answer() || now.state === "failed") return "";
    return (now.state === "loading" && now.note) || "Comparing all series …";
  };
  /** Why the list is empty. */
  const empty = () => {
    const { changed = 0, compared = 0, tier = "raw" } = answer() ?? {};
    if (compared === 0) return whyNothing(props.ranges, tier, kept(), when);
    return noneLeft(compared, changed, filter().trim(), way());
  };
  const missing = () => ((answer()?.compared ?? 0) > 0 ? whatIsMissing(props.ranges, kept(), when) : "");

  return (
    <>
      <div class="changes-tools">
        <label class="filter">
          <Icon name="search" />
          <span class="visually-hidden">Filter what changed</span>
          <input
            type="text"
            placeholder="Filter"
            autocomplete="off"
            spellcheck={false}
            value={filter()}
            onInput={(event) => setFilter(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape" || filter() === "") return;
              event.preventDefault();
              setFilter("");
            }}
          />
        </label>
        <fieldset class="segments">
          <legend class="visually-hidden">Which way</legend>
          <For each={WAYS}>
            {(one) => (
              <button type="button" aria-pressed={way() === one.way} onClick={() => setWay(one.way)}>
                {one.text}
              </button>
            )}
          </For>
        </fieldset>
      </div>
      <Show when={missing()}>
        <p class="changes-note">{missing()}</p>
      </Show>
      <div class="changes-body">
        <Show
          when={failure()}
          fallback={
            <Show when={!note()} fallback={<Coming />}>
              <Show when={rows().length > 0} fallback={<p class="changes-empty">{empty()}</p>}>
                <ol>
                  <For each={rows()}>{(row) => <ChangeRow row={row} lines={props.lines} />}</For>
                </ol>
              </Show>
            </Show>
          }
        >
          {(message) => (
            <div class="changes-empty" role="alert">
              <p>{message()}</p>
              <button type="button" class="button small" onClick={props.changes.retry}>
                Try again
              </button>
            </div>
          )}
        </Show>
      </div>
      <p class="changes-foot" role="status">
        {note()}
        <Show when={answer()}>{(one) => countOf(one())}</Show>
      </p>
    </>
  );
}
