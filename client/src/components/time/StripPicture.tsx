/** What the strip shows below its frame: days, the outline, gaps, marks and alerts, and what is under the pointer. */
import { createMemo, For } from "solid-js";
import { formatCount, formatDate, formatTime, formatUntil, plural } from "../../format";
import type { OverviewStore } from "../../stores/overview";
import type { Range } from "../../time/range";
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

/** Whether a moment or a span is near a time. */
const isNear = ({ from, to }: Range, time: number, reach: number): boolean =>
  from - reach <= time && time <= to + reach;

/** The time under the pointer, and the alerts and marks near it. */
export function Tip(props: { overview: OverviewStore; time: number; reach: number; left: number }) {
  const { alerts, connection, marks } = useStores();
  /** Only the last alerts are known by their messages. */
  function alertsNear(): string[] {
    const known = alerts
      .allNow()
      .map(({ alert, began, ended }) => ({ text: alert.message, from: began, to: ended }))
      .filter((one) => isNear(one, props.time, props.reach));
    if (known.length > 0) return known.map(({ text, from }) => said(from, text));
    return props.overview
      .alerts()
      .filter((span) => isNear(span, props.time, props.reach))
      .map((span) =>
        said(span.from, `${formatCount(span.alerts)} ${span.severity} ${plural(span.alerts, "alert")}`),
      );
  }
  const said = (from: number, text: string) => `${formatUntil(from, connection.time())} ${text}`;
  const near = () => {
    const beside = marks
      .all()
      .filter(({ began, ended }) => isNear({ from: began, to: ended }, props.time, props.reach));
    const texts = [...beside.map(({ began, text }) => said(began, text)), ...alertsNear()];
    const more = texts.length - MOST_NAMED;
    return more > 0 ? [...texts.slice(0, MOST_NAMED), `${more} more`] : texts;
  };
  return (
    // Left of the pointer in the right half.
    <div
      class="strip-tip"
      aria-hidden="true"
      style={{
        left: props.left < 0.5 ? percent(props.left) : undefined,
        right: props.left < 0.5 ? undefined : percent(1 - props.left),
      }}
    >
      <b>{`${formatDate(props.time)}, ${formatTime(props.time)}`}</b>
      <For each={near()}>{(text) => <span>{text}</span>}</For>
    </div>
  );
}

export function Picture(props: { overview: OverviewStore; state: StripState; width: number }) {
  const { alerts, marks: kept } = useStores();
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
    // What was loaded, and what has happened since.
    const since = alerts.allNow().map(({ alert, began, ended }) => ({
      ...{ severity: alert.severity, from: began, to: ended },
    }));
    const inside = [...overview.alerts(), ...since].filter((span) => span.to > from && span.from < to);
    const cut = inside.map((span) => ({
      ...span,
      from: Math.max(from, span.from),
      to: Math.min(to, span.to),
    }));
    return mergeSpans(cut, (LEAST_TICK * (to - from)) / props.width);
  });
  const marks = createMemo(() => {
    const { from, to } = stretch();
    return kept
      .all()
      .map(({ began }) => began)
      .filter((time) => time >= from && time <= to);
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
        <For each={lane()}>
          {({ severity, from, to }) => (
            <i class={severity} style={{ left: at(from), width: share(to - from) }} />
          )}
        </For>
      </div>
    </>
  );
}
