/** A chart's canvas. It draws in turn with other charts, and only while it is in view. */
import { type Accessor, createEffect, createSignal, on, onCleanup } from "solid-js";
import { colorsOf } from "../chart/palette";
import { Plot } from "../chart/plot";
import type { Scale, SceneLine, Threshold } from "../chart/scene";
import type { Shade } from "../chart/shade";
import type { Window } from "../window/window";
import { useStores } from "./context";
import { useDrawing, usePinched } from "./drawing";
import { NotLoadedOver, onDemand } from "./LoadedPart";
import type { Line } from "./lines";
import type { Standout } from "./standout";
import { TimeCanvas } from "./TimeCanvas";

const ChartReading = onDemand((parts) => parts.ChartReading, { Failed: NotLoadedOver });

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
  /** The window of the day before, null if it is not drawn. */
  before?: Accessor<Window | null>;
  live: Accessor<boolean>;
  onDrawn?: (plot: Plot) => void;
  onFocus?: () => void;
  onKey?: (key: string) => boolean;
}) {
  const { connection, cursor, stats, theme } = useStores();
  const { picture } = props;
  const { standout } = picture;
  let element!: HTMLDivElement;
  let plot: Plot | null = null;
  const [drawn, setDrawn] = createSignal(0, { equals: false });

  const lost = () => connection.tried() && !connection.live();
  const before = () => props.before?.() ?? null;
  let sceneOf: Record<string, unknown> | null = null;
  let sceneLines: readonly SceneLine[] = [];
  /** Return the same array while the lines and their buffers are unchanged. */
  function linesFor(): readonly SceneLine[] {
    const { window } = stats;
    const shown = { window, series: window.seriesVersion, before: before(), lines: picture.lines() };
    const now: Record<string, unknown> = { ...shown, lost: lost() };
    if (sceneOf === null || Object.keys(now).some((key) => sceneOf?.[key] !== now[key])) {
      sceneOf = now;
      sceneLines = shown.lines.map(({ key, short, color, stale }) => ({
        ...{ key, name: short, color, stale: stale !== "" || lost() },
        values: window.ring(key),
        before: shown.before?.ring(key),
        band: window.bandOf(key),
        whole: () => window.isWhole(key),
      }));
    }
    return sceneLines;
  }

  const pinched = usePinched(() => element);

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
      before: before(),
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
      before(),
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

  return (
    <TimeCanvas
      label={picture.description() || picture.title}
      ref={(found) => {
        element = found;
      }}
      axis={() => plot?.timeAxis ?? null}
      drawn={drawn}
      live={props.live}
      onFocus={props.onFocus}
      reading={(drawing) => (
        <ChartReading drawing={drawing} picture={picture} plot={() => plot} onKey={props.onKey} />
      )}
    />
  );
}
