/**
 * The search: a field and, below it, the items that match all words, by kind. Enter opens the selected one.
 */
import { createEffect, createMemo, createSignal, createUniqueId, For, on, Show } from "solid-js";
import { formatCount } from "../../format";
import { found, marked, wordsOf } from "../../window/find";
import { useStores } from "../context";
import { Icon } from "../Icon";
import { SeverityShape } from "../SeverityShape";
import { Spark } from "../Spark";
import { Dialog } from "./Dialog";
import { type Item, useSearched } from "./searched";

/** The most items of a kind, if several kinds match. */
const MOST_OF_A_KIND = 6;
/** The only kinds shown while the field is empty. */
const AT_FIRST = new Set(["Firing", "Sections"]);

function Marked(props: { text: string; words: readonly string[] }) {
  return (
    <For each={marked(props.text, props.words)}>
      {(part, place) => (place() % 2 === 1 ? <mark>{part}</mark> : part)}
    </For>
  );
}

export default function Search() {
  const { view } = useStores();
  const id = createUniqueId();
  const [question, setQuestion] = createSignal("");
  const [at, setAt] = createSignal(0);
  const words = createMemo(() => wordsOf(question()));
  const searched = useSearched();
  const groups = createMemo(() =>
    searched
      .filter(({ title }) => words().length > 0 || AT_FIRST.has(title))
      .map(({ title, items }) => ({ title, items: found(items(), words(), MOST_OF_A_KIND) }))
      .filter(({ items }) => items.length > 0),
  );
  const all = createMemo(() => groups().flatMap(({ items }) => items));
  const chosen = () => all()[Math.min(at(), all().length - 1)];
  const optionId = (item: Item) => `${id} ${item.id}`.replaceAll(/\s/g, "-");
  let list!: HTMLDivElement;

  createEffect(on(question, () => setAt(0), { defer: true }));
  createEffect(() => {
    if (chosen() === undefined) return;
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  });

  function go(item: Item | undefined, enlarge: boolean): void {
    if (item === undefined) return;
    if (enlarge && item.chart !== undefined) {
      view.show({ type: "chart", id: item.chart });
      return;
    }
    view.close();
    item.go();
  }

  function onKeyDown(event: KeyboardEvent): void {
    const last = all().length - 1;
    const to = {
      ArrowDown: at() >= last ? 0 : at() + 1,
      ArrowUp: at() <= 0 ? last : at() - 1,
      PageDown: Math.min(last, at() + MOST_OF_A_KIND),
      PageUp: Math.max(0, at() - MOST_OF_A_KIND),
    }[event.key];
    if (to !== undefined) setAt(Math.max(0, to));
    if (event.key === "Enter") go(chosen(), event.ctrlKey || event.metaKey);
    if (event.key === "Enter" || to !== undefined) event.preventDefault();
  }

  return (
    <Dialog class="search" label="Search">
      <div class="search-field">
        <Icon name="search" />
        <input
          type="text"
          role="combobox"
          aria-label="Search metrics, labels, alerts"
          aria-autocomplete="list"
          aria-expanded={all().length > 0}
          aria-controls={id}
          aria-activedescendant={chosen() && optionId(chosen())}
          placeholder="Search metrics, labels, alerts"
          autocomplete="off"
          spellcheck={false}
          value={question()}
          onInput={(event) => setQuestion(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <button type="button" class="key-button" aria-label="Esc: close" onClick={view.close}>
          Esc
        </button>
      </div>
      <div class="results" role="listbox" id={id} aria-label="Results" ref={list}>
        <For each={groups()}>
          {(group) => (
            // biome-ignore lint/a11y/useSemanticElements: it is a group of a list box
            <div role="group" aria-label={group.title}>
              <p class="results-title" aria-hidden="true">
                {group.title}
              </p>
              <For each={group.items}>
                {(item) => (
                  // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the field handles Enter
                  <div
                    class="result"
                    role="option"
                    id={optionId(item)}
                    aria-selected={chosen() === item}
                    data-severity={item.severity}
                    onPointerMove={() => setAt(all().indexOf(item))}
                    onClick={(event) => go(item, event.ctrlKey || event.metaKey)}
                  >
                    <Show when={item.severity}>{(severity) => <SeverityShape severity={severity()} />}</Show>
                    <span class="result-text">
                      <Marked text={item.text} words={words()} />
                      <Show when={item.detail}>
                        {(detail) => (
                          <span class="result-detail">
                            {" "}
                            <Marked text={detail()} words={words()} />
                          </span>
                        )}
                      </Show>
                    </span>
                    <Show when={item.series}>{(series) => <Spark series={series()} rangeOwn />}</Show>
                    <b class="result-value">{item.value?.()}</b>
                  </div>
                )}
              </For>
            </div>
          )}
        </For>
      </div>
      <p class="no-results" role="status">
        {words().length > 0
          ? all().length === 0
            ? `No results for “${question().trim()}”`
            : ""
          : all().length === 0
            ? "Type a part of a name"
            : ""}
      </p>
      <p class="visually-hidden" role="status">
        {words().length > 0 ? `${formatCount(all().length)} found` : ""}
      </p>
      <div class="dialog-foot" aria-hidden="true">
        <kbd>↑</kbd> <kbd>↓</kbd> choose <kbd>↵</kbd> go to it <kbd>Ctrl ↵</kbd> enlarge
      </div>
    </Dialog>
  );
}
