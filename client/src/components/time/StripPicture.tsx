/** What the strip shows below its frame: days, the outline, gaps, marks and alerts, and what is under the pointer. */
import { createMemo, For, Show } from "solid-js";
import { formatDate, formatTime, formatUntil } from "../../format";
import type { LaneAlert, OverviewStore } from "../../stores/overview";
import { dayLines, HEIGHT, mergeSpans, placeOf, WIDTH } from "../../time/strip";
import { useStores } from "../context";
import type { StripState } from "./Strip";

/** A day's text needs this many pixels. */
const LINE_ROOM = 56;
const LEAST_TICK = 3;
/** A wider gap, in pixels, has edges. */
const WIDE_GAP = 6;
const MOST_NAMED = 3;

export const percent = (place: number): string => `${(100 * place).toFixed(3)}%`;

/** The alerts that were loaded, and those that this page has seen since. */
export function useLane(overview: OverviewStore): () => readonly LaneAlert[] {
  const { alerts } = useStores();
  return createMemo(() => {
    const all = new Map(overview.alerts());
    for (const { alert, began, ended } of [...alerts.over(), ...alerts.firing()]) {
      const { id, severity, message } = alert;
      all.set(id, { id, severity, message, from: began, to: ended });
    }
    return [...all.values()];
  });
}

/** The time under the pointer, and the alerts and marks near it. */
export function Tip(props: {
  overview: OverviewStore;
  lane: readonly LaneAlert[];
  time: number;
  reach: number;
  left: number;
}) {
  const { connection } = useStores();
  const near = () => {
    const marks = props.overview.marks().map(({ text, timestamp }) => {
      const time = Date.parse(timestamp);
      return { message: text, from: time, to: time };
    });
    const found = [...marks, ...props.lane].filter(
      ({ from, to }) => from - props.reach <= props.time && props.time <= to + props.reach,
    );
    const texts = found.map(({ message, from }) => `${formatUntil(from, connection.time())} ${message}`);
    const more = texts.length - MOST_NAMED;
    return more > 0 ? [...texts.slice(0, MOST_NAMED), `${more} more`] : texts;
  };
  return (
    // Left of the pointer in the right half.
    <div
      class="strip-tip"
      aria-hidden="true"
      style={props.left < 0.5 ? { left: percent(props.left) } : { right: percent(1 - props.left) }}
    >
      <b>
        {formatDate(props.time)}, {formatTime(props.time)}
      </b>
      <For each={near()}>{(text) => <span>{text}</span>}</For>
    </div>
  );
}

export function Picture(props: {
  overview: OverviewStore;
  state: StripState;
  lane: readonly LaneAlert[];
  width: number;
}) {
  const { overview, state } = props;
  const stretch = overview.stretch;
  const clip = () => {
    const { from, to } = state.shown();
    const [left, right] = [placeOf(from, stretch()), placeOf(to, stretch())];
    return `inset(0 ${percent(Math.max(0, 1 - Math.max(right, left + LEAST_TICK / props.width)))} 0 ${percent(Math.max(0, left))})`;
  };
  const lines = createMemo(() => dayLines(stretch(), Math.max(2, props.width / LINE_ROOM)));
  const lane = createMemo(() => {
    const { from, to } = stretch();
    const inside = props.lane.filter((span) => span.to > from && span.from < to);
    const cut = inside.map((span) => ({
      ...span,
      from: Math.max(from, span.from),
      to: Math.min(to, span.to),
    }));
    return mergeSpans(cut, (LEAST_TICK * (to - from)) / props.width);
  });
  const marks = createMemo(() => {
    const times = overview.marks().map(({ timestamp }) => Date.parse(timestamp));
    return times.filter((time) => time >= stretch().from && time <= stretch().to);
  });
  const at = (time: number) => percent(placeOf(time, stretch()));
  const share = (length: number) => percent(length / (stretch().to - stretch().from));
  /** Whether a line's text is neither cut at the end nor under the tag. */
  function hasRoom(time: number): boolean {
    const place = placeOf(time, stretch());
    const half = LINE_ROOM / 2 / props.width;
    const tag = state.tag();
    return place + 2 * half <= 1 && (tag === null || Math.abs(place + half - tag.place) > tag.half + half);
  }
  const paths = () => (
    <>
      <path class="strip-peaks" d={overview.outline()?.peaks} />
      <path class="strip-averages" d={overview.outline()?.averages} />
    </>
  );
  const outline = (name: string, clipped?: () => string) => (
    <svg
      class={name}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{ "clip-path": clipped?.() }}
    >
      {paths()}
    </svg>
  );
  return (
    <>
      <div class="strip-ground" />
      <For each={lines()}>
        {({ time, text }) => (
          <span class="strip-day" style={{ left: at(time) }}>
            {hasRoom(time) ? text : ""}
          </span>
        )}
      </For>
      {outline("strip-outline")}
      {outline("strip-outline shown", clip)}
      <For each={overview.outline()?.gaps ?? []}>
        {({ from, to }) => (
          <i
            class="strip-gap"
            classList={{ wide: to - from > WIDE_GAP * state.pixel() }}
            style={{ left: at(from), width: share(to - from) }}
          />
        )}
      </For>
      <For each={marks()}>{(time) => <i class="strip-mark" style={{ left: at(time) }} />}</For>
      <div class="strip-lane">
        <Show when={overview.alertsFrom() > stretch().from}>
          <i class="strip-unknown" style={{ width: at(overview.alertsFrom()) }} />
        </Show>
        <For each={lane()}>
          {({ severity, from, to }) => (
            <i class={severity} style={{ left: at(from), width: share(to - from) }} />
          )}
        </For>
      </div>
    </>
  );
}
