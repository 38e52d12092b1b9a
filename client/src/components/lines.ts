/**
 * The lines of a chart: every series of its metrics, with names, colours and order. If there are very many,
 * only as many are drawn as a viewer can see.
 */
import { type Accessor, createMemo, untrack } from "solid-js";
import { Eight, type Ranks } from "../chart/eight";
import { COLORS } from "../chart/palette";
import { formatLine } from "../format";
import type { Series } from "../link/protocol";
import type { Chart } from "../types.gen";
import { kept, keptByContent } from "../window/kept";
import { onlyDiffering } from "./cardText";
import { useStores } from "./context";
import { distinct, named } from "./distinct";
import { useStale } from "./stale";

/** Lines in the background are a texture; more of them only cost time. */
const MOST_DRAWN = 100;
/** About how many characters fit in a label at a line's end. */
const SHORT = 20;

export interface Line {
  key: string;
  /** The full name. */
  label: string;
  /** The distinguishing part of the name. */
  short: string;
  unit: string;
  /** `stale since 12:03:04`; empty while the values are current. */
  stale: string;
  /** Null for a line in the background. */
  color: number | null;
}

export interface Lines {
  /** The drawn lines; the highest first if there are more lines than colours. */
  drawn: Accessor<readonly Line[]>;
  /** All lines, in the same order. */
  all: Accessor<readonly Line[]>;
  /** Whether there are more lines than colours. */
  many: Accessor<boolean>;
  /** The part of the names that all lines share, and the labels that differ. */
  common: Accessor<string>;
  what: Accessor<string>;
}

/**
 * @param live whether the order may change now.
 * @param held whether the order must stay because the viewer points at it.
 * @param chosen the keys of lines that are drawn whatever their rank.
 */
export function useLines(
  chart: Chart,
  live: Accessor<boolean>,
  held: Accessor<boolean>,
  chosen: Accessor<ReadonlySet<string> | null>,
): Lines {
  const { board, stats } = useStores();
  const several = chart.metrics.length > 1;
  const stale = new Map(chart.metrics.map((name) => [name, useStale(name)]));
  const series = createMemo<readonly Series[]>(
    (before) =>
      several ? kept(before, chart.metrics.flatMap(stats.seriesOf)) : stats.seriesOf(chart.metrics[0]),
    [],
  );
  const many = createMemo(() => series().length > COLORS);

  const eight = new Eight();
  const ranks = createMemo<Ranks>((before) => {
    const keys = series().map(({ key }) => key);
    if (many()) {
      if (!live() && before !== undefined && before.order.length > 0) return before;
      stats.drawn();
    }
    const window = untrack(() => stats.window);
    const next = eight.update(keys, (key) => window.newest(key), stats.pace(), held());
    return before?.order === next.order && before.colors === next.colors ? before : next;
  });

  const names = createMemo(() => named(series().map(({ labels }) => labels)));
  const labelOf = ({ name }: Series, labels: Series["labels"]): string => {
    const title = board.metric(name)?.title ?? name;
    const shown = formatLine(labels);
    return several ? [title, shown].filter(Boolean).join(" · ") : shown || title;
  };
  const labels = createMemo(() => {
    const own = series().map(({ labels }) => labels);
    // A host's own labels are the same on all of its series.
    const shown = own[0]?.host === undefined ? own : onlyDiffering(own);
    const texts = series().map((one, i) => labelOf(one, shown[i]));
    const short = distinct(many() && !several ? names().parts : texts, SHORT);
    return new Map(series().map(({ key }, i) => [key, { label: texts[i], short: short[i] || texts[i] }]));
  });

  const all = createMemo<readonly Line[]>((before) => {
    const known = new Map(series().map((one) => [one.key, one]));
    const { order, colors } = ranks();
    const lines = order.flatMap((key): Line[] => {
      const one = known.get(key);
      const text = labels().get(key);
      if (one === undefined || text === undefined) return [];
      const unit = board.metric(one.name)?.unit ?? one.unit;
      return [{ key, ...text, unit, stale: stale.get(one.name)?.() ?? "", color: colors.get(key) ?? null }];
    });
    return keptByContent(before, lines);
  }, []);
  const drawn = createMemo<readonly Line[]>((before) => {
    if (all().length <= MOST_DRAWN) return all();
    const first = all().slice(0, MOST_DRAWN);
    const more = all().filter(
      (line, i) => i >= MOST_DRAWN && (line.color !== null || chosen()?.has(line.key)),
    );
    return kept(before, [...first, ...more]);
  }, []);
  return {
    drawn,
    all,
    many,
    common: () => (many() && !several ? names().common : ""),
    what: () => names().what || "series",
  };
}
