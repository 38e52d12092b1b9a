/** The brushed range and what can be done with it. It stands beside the drawing on which the range was made. */
import { onCleanup, onMount, Show } from "solid-js";
import { formatPart, formatSpan } from "../format";
import { type Range, writeAddress } from "../time/range";
import { useStores } from "./context";
import { useCopy } from "./copy";

/** A link to the page as it is, at a range. */
function linkTo(range: Range): string {
  const { origin, pathname, search, hash } = location;
  return origin + pathname + writeAddress(search, { follows: false, ...range }) + hash;
}

/**
 * @param props.at where the middle of the range is: 0 at the left end of the axis, 1 at the right end.
 * @param props.draft whether the range is still being chosen.
 * @param props.onClose receives the focus, if it was here.
 */
export function BrushPill(props: { range: Range; at: number; draft: boolean; onClose: () => void }) {
  const { brush, comparison, me, time, view } = useStores();
  const copying = useCopy();
  let pill!: HTMLFieldSetElement;
  /** What opens later closes first. */
  const under = view.shown();

  const text = () =>
    `${formatPart(props.range, time.range())} · ${formatSpan(props.range.to - props.range.from)}`;

  function close(): void {
    const focused = pill.contains(document.activeElement);
    brush.clear();
    if (focused) props.onClose();
  }

  function zoom(): void {
    if (brush.zoomed()) {
      time.back();
      close();
    } else {
      time.stand(props.range);
      brush.set({ range: props.range, at: brush.at(), zoomed: true });
    }
  }

  const mark = (): void => {
    const { from, to } = props.range;
    view.show({ type: "mark", from: Math.round(from), until: Math.round(to) });
  };

  /** Escape closes one thing at a time. */
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Escape" || event.defaultPrevented || props.draft) return;
    if (document.querySelector(":popover-open, dialog[open]") !== null || view.shown() !== under) return;
    event.preventDefault();
    close();
  }

  onMount(() => {
    document.addEventListener("keydown", onKeyDown);
    onCleanup(() => document.removeEventListener("keydown", onKeyDown));
  });

  return (
    <div class="brush-place" style={{ "--at": props.at }}>
      <fieldset class="brush-pill" classList={{ draft: props.draft }} ref={pill}>
        <legend class="visually-hidden">{`The range ${text()}`}</legend>
        <span class="brush-text">{text()}</span>
        <Show when={!props.draft}>
          <button type="button" class="first" onClick={() => comparison.openRange(props.range)}>
            What changed?
          </button>
          <button type="button" onClick={zoom}>
            {brush.zoomed() ? "Back" : "Zoom"}
          </button>
          <button type="button" hidden={!me.mayChange()} onClick={mark}>
            Mark
          </button>
          <button type="button" onClick={() => void copying.copy(linkTo(props.range))}>
            {copying.copied() ? "Copied" : "Copy link"}
          </button>
          <Show when={copying.byHand()}>
            {(link) => (
              <input
                readOnly
                aria-label="Link to this range"
                value={link()}
                ref={(input) => queueMicrotask(() => input.select())}
              />
            )}
          </Show>
        </Show>
      </fieldset>
    </div>
  );
}
