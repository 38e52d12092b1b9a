/**
 * A chart's canvas. It draws in turn with other charts, and only while it is in view. What reads its values,
 * by pointer or keyboard, is loaded with the first event.
 */
import { type Accessor, createEffect, createMemo, createSignal, on, onCleanup, Show } from "solid-js";
import { colorsOf } from "../chart/palette";
import { Plot } from "../chart/plot";
import type { Scale, SceneLine, Threshold } from "../chart/scene";
import type { Shade } from "../chart/shade";
import { useStores } from "./context";
import { useDrawing } from "./drawing";
import { NotLoadedOver, onDemand } from "./LoadedPart";
import type { Line } from "./lines";
import type { Standout } from "./standout";

const ChartReading = onDemand((parts) => parts.ChartReading, { Failed: NotLoadedOver });
const TimeOverlay = onDemand((parts) => parts.TimeOverlay, { Failed: NotLoadedOver });

/** The most events that are kept while the part that handles them loads. */
const MOST_EARLY = 200;
/** Keys that do something else when no chart is in focus. */
const OWN_KEYS = /^(Arrow|Page|Home|End|Enter|Backspace)/;

export interface Picture {
  title: string;
  lines: Accessor<readonly Line[]>;
  unit: Accessor<string>;
  limits: Accessor<{ min?: number; max?: number }>;
  stacked: boolean;
  thresholds: Accessor<readonly Threshold[]>;
  shades: Accessor<readonly Shade[]>;
  scale: Accessor<Scale>;
  /** Whether labels stand at the line ends. */
  labelled: Accessor<boolean>;
  standout: Standout;
  description: Accessor<string>;
}

/**
 * @param props.onDrawn receives the plot after each drawing.
 * @param props.onKey receives the keys that the canvas does not handle; returns whether it handled one.
 */
export function ChartCanvas(props: {
  picture: Picture;
  live: Accessor<boolean>;
  onDrawn?: (plot: Plot) => void;
  onFocus?: () => void;
  onKey?: (key: string) => boolean;
}) {
  const { brush, comparison, connection, cursor, marks, stats, theme } = useStores();
  const { picture } = props;
  const { standout } = picture;
  let element!: HTMLDivElement;
  let plot: Plot | null = null;
  const [drawn, setDrawn] = createSignal(0, { equals: false });
  const [read, setRead] = createSignal(false);
  /** The events before the part that reads the chart has loaded; null from then on. */
  let early: Event[] | null = [];

  const lost = () => connection.tried() && !connection.live();
  let sceneOf: { window: unknown; series: number; lines: readonly Line[]; lost: boolean } | null = null;
  let sceneLines: readonly SceneLine[] = [];
  /** Return the same array while the lines and their buffers are unchanged. */
  function linesFor(): readonly SceneLine[] {
    const { window } = stats;
    const now = { window, series: window.seriesVersion, lines: picture.lines(), lost: lost() };
    if (
      sceneOf === null ||
      (Object.keys(now) as (keyof typeof now)[]).some((key) => sceneOf?.[key] !== now[key])
    ) {
      sceneOf = now;
      sceneLines = now.lines.map(({ key, short, color, stale }) => ({
        ...{ key, name: short, color, stale: stale !== "" || now.lost },
        values: window.ring(key),
        band: window.bandOf(key),
        whole: () => window.isWhole(key),
      }));
    }
    return sceneLines;
  }

  /** The time axis that two fingers ask for, before the values of that range are loaded. */
  const pinched = createMemo(() => {
    const draft = brush.draft();
    return draft?.mode === "view" && draft.at === element ? draft.range : null;
  });

  function draw(): void {
    const { window } = stats;
    const range = pinched() ?? { from: window.until - window.spanMs, to: window.until };
    plot ??= new Plot(element);
    plot.draw({
      ring: window,
      version: window.version,
      spanMs: range.to - range.from,
      until: range.to,
      lines: linesFor(),
      unit: picture.unit(),
      limits: { ...picture.limits(), unit: picture.unit() },
      scale: picture.scale(),
      stacked: picture.stacked,
      labelled: picture.labelled(),
      thresholds: picture.thresholds(),
      shades: picture.shades(),
      isolated: standout.keys(),
      colors: colorsOf(theme.shown()),
    });
    setDrawn(0);
    props.onDrawn?.(plot);
  }

  useDrawing(
    () => element,
    props.live,
    draw,
    () => [
      picture.lines(),
      picture.unit(),
      picture.limits(),
      picture.scale(),
      picture.labelled(),
      picture.thresholds(),
      picture.shades(),
      standout.keys(),
      lost(),
    ],
  );
  createEffect(on(pinched, () => props.live() && draw(), { defer: true }));
  createEffect(() => {
    const time = cursor.time();
    if (props.live()) plot?.moveCursor(time);
  });
  onCleanup(() => plot?.destroy());

  /** Keep an event for the part that reads the chart, and load it. */
  function begin(event: Event): void {
    if (early === null || early.length === MOST_EARLY) return;
    early.push(event);
    if (event instanceof KeyboardEvent && OWN_KEYS.test(event.key)) event.preventDefault();
    setRead(true);
  }

  function takeEarly(): readonly Event[] {
    const events = early ?? [];
    early = null;
    return events;
  }

  /** Whether something is to be shown on the time axis. */
  const overlaid = createMemo(
    () =>
      brush.range() !== null ||
      (brush.draft() !== null && brush.draft()?.at === element) ||
      comparison.ranges() !== null ||
      marks.inRange().length > 0,
  );

  return (
    <>
      <div
        class="canvas"
        ref={element}
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor
        tabIndex={0}
        aria-label={picture.description() || picture.title}
        onFocus={(event) => {
          props.onFocus?.();
          begin(event);
        }}
        onKeyDown={begin}
        onPointerMove={begin}
        onPointerDown={begin}
        onPointerUp={begin}
      />
      <Show when={overlaid()}>
        <TimeOverlay element={element} axis={() => plot?.timeAxis ?? null} drawn={drawn} live={props.live} />
      </Show>
      <Show when={read()}>
        <ChartReading
          picture={picture}
          element={element}
          plot={() => plot}
          drawn={drawn}
          takeEarly={takeEarly}
          onKey={props.onKey}
        />
      </Show>
    </>
  );
}
