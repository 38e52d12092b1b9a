/**
 * The strip of all that is kept: the outline of a metric, days, alerts and marks, and the range on the page as a
 * frame. Dragging, the wheel and the keyboard change the range; the page follows when that is done.
 */
import "../../styles/strip.css";
import { createSignal, onCleanup, onMount, Show } from "solid-js";
import { formatDate, formatDuration, formatRange, formatTime } from "../../format";
import type { OverviewStore } from "../../stores/overview";
import type { Range } from "../../time/range";
import { centred, movedBy, placeOf, resized, roundSpan, timeOf, zoomed } from "../../time/strip";
import { useStores } from "../context";
import { useWidth } from "../width";
import { Picture, percent, Tip } from "./StripPicture";

/** The tag needs about this many pixels for each letter. */
const LETTER = 6.2;
const TAG_PAD = 16;
/** A press that moves less than this is a click. */
const CLICK = 4;
/** A range whose end is this near to now, in pixels, follows it. */
const SNAP = 4;
const WHEEL_DOUBLES = 400;
const WHEEL_DONE_MS = 200;
/** How far the pointer finds alerts and marks, in pixels. */
const NEAR = 5;
/** The ends of a narrower frame, in pixels, lie outside of it. */
const NARROW = 12;

type Side = "from" | "to";
type Drag = { kind: Side | "move" | "make"; x: number; time: number; origin: Range };

/** What the strip's parts share. */
function useStrip(overview: OverviewStore, width: () => number) {
  const { connection, time } = useStores();
  /** The range while it is being changed. */
  const [draft, setDraft] = createSignal<Range | null>(null);
  const shown = (): Range => draft() ?? time.range();
  const pixel = () => (overview.stretch().to - overview.stretch().from) / width();

  /** Show a range; one that touches now follows it. @param snaps whether a few pixels from now are enough. */
  function show(range: Range, snaps: boolean): void {
    setDraft(null);
    const near = snaps ? SNAP * pixel() : 0;
    if (range.to + near >= connection.newest()) time.follow(roundSpan(range.to - range.from));
    else time.stand(range);
  }
  /** Whether nothing is kept of the range. */
  const isElsewhere = () => shown().to < overview.stretch().from;
  const zoom = (about: number, factor: number): Range => zoomed(shown(), about, factor, overview.stretch());
  const place = (at: number) => Math.min(1, Math.max(0, placeOf(at, overview.stretch())));
  /** The range in words, over the frame; null while the page follows now. It stays in the strip. */
  function tag(): { text: string; place: number; half: number } | null {
    const { from, to } = shown();
    if ((time.follows() && draft() === null) || isElsewhere()) return null;
    const text = formatRange({ from, to }, draft() !== null);
    const half = (LETTER * text.length + TAG_PAD) / 2 / width();
    return { text, half, place: Math.min(1 - half, Math.max(half, (place(from) + place(to)) / 2)) };
  }
  return { draft, setDraft, shown, follows: time.follows, isElsewhere, pixel, place, show, tag, zoom };
}

export type StripState = ReturnType<typeof useStrip>;

/** Moves the frame, or one end of it, by keyboard. */
function keyed(
  side: Side | null,
  event: KeyboardEvent,
  overview: OverviewStore,
  state: StripState,
): Range | null {
  const { from, to } = state.shown();
  const { stretch } = overview;
  const by = (to - from) * (event.shiftKey ? 0.01 : side === null ? 0.5 : 0.1);
  const moves: Record<string, number> = {
    ...{ ArrowLeft: -by, ArrowDown: -by, ArrowRight: by, ArrowUp: by },
    ...{ PageDown: 10 * -by, PageUp: 10 * by },
    ...{ Home: stretch().from - stretch().to, End: stretch().to - stretch().from },
  };
  const zooms: Record<string, number> = { "+": 0.5, "=": 0.5, "-": 2 };
  // While it follows now, its end stays.
  if (event.key in zooms) return state.zoom(state.follows() ? to : (from + to) / 2, zooms[event.key]);
  if (!(event.key in moves)) return null;
  if (side === null) return movedBy({ from, to }, moves[event.key], stretch());
  return resized({ from, to }, side, (side === "from" ? from : to) + moves[event.key], stretch());
}

/** What the arrow keys move: the frame, or one end of it. */
function Slider(props: {
  side: Side | null;
  label: string;
  time: number;
  text: string;
  overview: OverviewStore;
  state: StripState;
}) {
  const seconds = (at: number) => Math.round((at - props.overview.stretch().from) / 1000);
  function onKeyDown(event: KeyboardEvent): void {
    const next = keyed(props.side, event, props.overview, props.state);
    if (next === null || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    props.state.show(next, false);
  }
  return (
    <div
      role="slider"
      class={props.side === null ? "strip-grip" : `strip-handle ${props.side}`}
      tabIndex={0}
      data-side={props.side ?? "move"}
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={seconds(props.overview.stretch().to)}
      aria-valuenow={seconds(props.time)}
      aria-valuetext={props.text}
      onKeyDown={onKeyDown}
    />
  );
}

function Frame(props: { overview: OverviewStore; state: StripState; width: number }) {
  const { overview, state } = props;
  const left = () => state.place(state.shown().from);
  const right = () => state.place(state.shown().to);
  const end = (side: Side, label: string) => (
    <Slider
      side={side}
      label={label}
      overview={overview}
      state={state}
      time={state.shown()[side]}
      text={`${formatDate(state.shown()[side])}, ${formatTime(state.shown()[side])}`}
    />
  );
  return (
    <>
      <div
        class="strip-frame"
        classList={{ narrow: (right() - left()) * props.width < NARROW, elsewhere: state.isElsewhere() }}
        style={{ left: percent(left()), width: percent(right() - left()) }}
      >
        <Slider
          side={null}
          label="Range on the page. + and − zoom it"
          time={state.shown().to}
          text={formatRange(state.shown())}
          overview={overview}
          state={state}
        />
        {end("from", "Beginning of the range")}
        {end("to", "End of the range")}
      </div>
      <Show when={state.tag()}>
        {(tag) => (
          <span class="strip-tag" aria-hidden="true" style={{ left: percent(tag().place) }}>
            {tag().text}
          </span>
        )}
      </Show>
    </>
  );
}

function Loaded(props: { overview: OverviewStore }) {
  const { history, time } = useStores();
  const { overview } = props;
  let strip!: HTMLFieldSetElement;
  const width = useWidth(() => strip);
  const state = useStrip(overview, width);
  const [hovered, setHovered] = createSignal<number | null>(null);
  let drag: Drag | null = null;
  let wheeled = 0;

  const timeAt = (x: number): number => {
    const { left } = strip.getBoundingClientRect();
    return timeOf(Math.min(1, Math.max(0, (x - left) / width())), overview.stretch());
  };

  function onPointerDown(event: PointerEvent): void {
    if (event.button !== 0) return;
    const kind = (event.target as Element).closest<HTMLElement>("[data-side]")?.dataset.side as
      | Side
      | "move"
      | undefined;
    drag = { kind: kind ?? "make", x: event.clientX, time: timeAt(event.clientX), origin: time.range() };
    strip.setPointerCapture(event.pointerId);
  }

  function onPointerMove(event: PointerEvent): void {
    const at = timeAt(event.clientX);
    setHovered(at);
    if (drag === null || (state.draft() === null && Math.abs(event.clientX - drag.x) < CLICK)) return;
    const { kind, origin } = drag;
    if (kind === "move") state.setDraft(movedBy(origin, at - drag.time, overview.stretch()));
    else if (kind === "make") state.setDraft({ from: Math.min(drag.time, at), to: Math.max(drag.time, at) });
    else state.setDraft(resized(origin, kind, at, overview.stretch()));
  }

  function onPointerUp(): void {
    const draft = state.draft();
    if (draft !== null) state.show(draft, drag?.kind !== "from" || time.follows());
    else if (drag?.kind === "make") state.show(centred(drag.origin, drag.time, overview.stretch()), true);
    drag = null;
  }

  function cancel(): void {
    drag = null;
    state.setDraft(null);
  }

  function onWheel(event: WheelEvent): void {
    // Not while the browser itself zooms, or scrolls sideways.
    if (event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    state.setDraft(state.zoom(timeAt(event.clientX), 2 ** (event.deltaY / WHEEL_DOUBLES)));
    clearTimeout(wheeled);
    wheeled = window.setTimeout(() => {
      const draft = state.draft();
      if (draft !== null) state.show(draft, time.follows());
    }, WHEEL_DONE_MS);
  }

  onMount(() => {
    // Passive by default.
    strip.addEventListener("wheel", onWheel, { passive: false });
    const onKeyDown = (event: KeyboardEvent) => event.key === "Escape" && state.draft() !== null && cancel();
    window.addEventListener("keydown", onKeyDown);
    onCleanup(() => {
      clearTimeout(wheeled);
      window.removeEventListener("keydown", onKeyDown);
    });
  });

  const keptFor = () => formatDuration(overview.stretch().to - overview.stretch().from);
  const title = () => {
    const more = history.tiers().length > 1 ? ". Press to show what another tier keeps" : "";
    return `Kept: ${history.keptFor()}${more}`;
  };
  return (
    <>
      <fieldset
        class="strip"
        ref={strip}
        aria-label={`All that is kept: ${keptFor()}`}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={cancel}
        onPointerLeave={() => setHovered(null)}
      >
        <Show when={Number.isFinite(width())}>
          <Picture overview={overview} state={state} width={width()} />
          <Frame overview={overview} state={state} width={width()} />
          <Show when={state.draft() === null && hovered()}>
            {(at) => (
              <Tip
                overview={overview}
                time={at()}
                reach={NEAR * state.pixel()}
                left={placeOf(at(), overview.stretch())}
              />
            )}
          </Show>
        </Show>
      </fieldset>
      <button
        type="button"
        class="strip-kept"
        title={overview.failed() || title()}
        onClick={overview.nextTier}
      >
        {overview.failed() === "" ? `${keptFor()} kept` : "not loaded"}
      </button>
    </>
  );
}

export default function Strip() {
  const stores = useStores();
  const [overview, setOverview] = createSignal<OverviewStore>();
  void stores.overview().then((loaded) => setOverview(() => loaded));
  return <Show when={overview()?.isKnown() && overview()}>{(one) => <Loaded overview={one()} />}</Show>;
}
