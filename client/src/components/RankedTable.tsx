/**
 * The legend of a chart with more lines than colours: its series by rank, with the differing parts of their
 * names and their newest values. It drops columns as it narrows; the narrowest form is a list beside the
 * lines.
 */
import { extentOf } from "../extent";
import "../styles/ranked.css";
import { type Accessor, createMemo, createSignal, createUniqueId, For, Show } from "solid-js";
import { colorVariable } from "../chart/palette";
import { valueText } from "../chart/scene";
import { formatCount } from "../format";
import type { Severity } from "../types.gen";
import { percentiles } from "../window/percentile";
import { useBeat } from "./beat";
import { useStores } from "./context";
import type { Line } from "./lines";
import { Spark } from "./Spark";
import { useSpan } from "./span";
import type { Standout } from "./standout";

const ROWS = 8;
/** How many rows one press adds. */
const MORE = 50;

export interface Limit {
  value: number;
  severity: Severity;
}

const average = (values: readonly number[]): number => {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
};

export default function RankedTable(props: {
  title: string;
  lines: readonly Line[];
  /** How many of the lines are drawn. */
  drawn: number;
  what: string;
  unit: string;
  /** The maximum of the bars' scale. */
  full: Accessor<number>;
  limit: Limit | undefined;
  filter: string;
  standout: Standout;
  live: Accessor<boolean>;
  onHold: (held: boolean) => void;
}) {
  const { stats } = useStores();
  const span = useSpan();
  const [shown, setShown] = createSignal(ROWS);
  const beat = useBeat(props.live);
  const id = createUniqueId();

  const found = createMemo(() => {
    const text = props.filter.trim().toLowerCase();
    return text === "" ? props.lines : props.lines.filter(({ label }) => label.toLowerCase().includes(text));
  });
  const places = createMemo(() => new Map(props.lines.map(({ key }, i) => [key, i + 1])));
  const byKey = createMemo(() => new Map(found().map((line) => [line.key, line])));
  const keys = createMemo(() =>
    found()
      .slice(0, shown())
      .map(({ key }) => key),
  );
  const more = () => Math.min(MORE, found().length - keys().length);
  const whole = createMemo(() => {
    beat();
    const values = props.lines.map(({ key }) => stats.window.newest(key));
    const text = (value: number) => valueText(value, props.unit, extentOf(values));
    return `avg ${text(average(values))} · p95 ${text(percentiles(values, [0.95])[0])}`;
  });

  return (
    <div class="ranked" onPointerEnter={() => props.onHold(true)} onPointerLeave={leave}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: scrolling areas need keyboard access */}
      <section class="ranked-scroll" tabIndex={0} aria-label={`${props.title}, by rank`}>
        <table class="ranked-table" id={id}>
          <thead>
            <tr>
              <th class="rank" scope="col">
                #
              </th>
              <th class="name" scope="col">
                {props.what}
              </th>
              <th class="share-cell" scope="col">
                <span class="visually-hidden">share of the scale</span>
              </th>
              <th class="now" scope="col">
                now ↓
              </th>
              <th class="spark-cell" scope="col">
                {span()}
              </th>
              <th class="stat" scope="col">
                avg
              </th>
              <th class="stat" scope="col">
                min
              </th>
              <th class="stat" scope="col">
                max
              </th>
            </tr>
          </thead>
          <tbody>
            <For each={keys()}>
              {(key) => (
                <Row
                  line={byKey().get(key) ?? props.lines[0]}
                  rank={places().get(key) ?? 0}
                  unit={props.unit}
                  full={props.full}
                  limit={props.limit}
                  standout={props.standout}
                  beat={beat}
                />
              )}
            </For>
          </tbody>
        </table>
        <Show when={keys().length === 0}>
          <p class="no-rows">{`No series matches “${props.filter}”`}</p>
        </Show>
      </section>
      <p class="ranked-foot">
        <Show when={more() > 0}>
          <button
            type="button"
            class="link"
            aria-controls={id}
            onClick={() => setShown((count) => count + MORE)}
          >{`${formatCount(more())} more`}</button>
        </Show>
        <Show when={shown() > ROWS}>
          <button type="button" class="link" aria-controls={id} onClick={() => setShown(ROWS)}>
            Fewer
          </button>
        </Show>
        <span class="ranked-note">
          the highest first · colour: the 8 highest
          <Show when={props.drawn < props.lines.length}>
            {" "}
            · lines: the {formatCount(props.drawn)} highest
          </Show>
        </span>
        <span class="ranked-all">{`all ${formatCount(props.lines.length)}: ${whole()}`}</span>
      </p>
    </div>
  );

  function leave(): void {
    props.onHold(false);
    props.standout.point(null);
  }
}

function Row(props: {
  line: Line;
  rank: number;
  unit: string;
  full: Accessor<number>;
  limit: Limit | undefined;
  standout: Standout;
  beat: Accessor<number>;
}) {
  const { alerts, stats } = useStores();
  const numbers = createMemo(() => {
    props.beat();
    return stats.window.statsOf(props.line.key);
  });
  const now = createMemo(() => {
    props.beat();
    return stats.window.newest(props.line.key);
  });
  const extent = () => [numbers().min, numbers().max] as const;
  const text = (value: number) =>
    valueText(value, props.unit, extent(), stats.window.isWhole(props.line.key));
  const severity = () => alerts.severityOf(props.line.key);
  const share = (value: number) => `${Math.max(0, Math.min(1, value / props.full() || 0)) * 100}%`;
  const stands = () => props.standout.keys()?.has(props.line.key) ?? false;
  const chosen = () => props.standout.chosen()?.has(props.line.key) ?? false;

  return (
    <tr
      data-severity={severity()}
      classList={{ on: stands(), stale: props.line.stale !== "" }}
      onPointerEnter={() => props.standout.point(props.line.key)}
    >
      <td class="rank">{props.rank}</td>
      <th class="name" scope="row">
        <button
          type="button"
          aria-pressed={chosen()}
          title={props.line.label}
          onFocus={() => props.standout.point(props.line.key)}
          onBlur={() => props.standout.point(null)}
          onClick={(event) => props.standout.choose(props.line.key, event.ctrlKey || event.metaKey)}
        >
          <span
            class="swatch"
            style={{
              background: `var(${colorVariable(props.line.color)})`,
            }}
          />
          <span class="row-name">{props.line.short}</span>
        </button>
      </th>
      <td class="share-cell">
        <span class="meter-bar" aria-hidden="true">
          <span style={{ width: share(now()) }} />
          <Show when={props.limit}>{(limit) => <i style={{ left: share(limit().value) }} />}</Show>
        </span>
      </td>
      <td class="now">{text(now())}</td>
      <td class="spark-cell">
        <Spark series={props.line.key} rangeOwn />
      </td>
      <td class="stat">{text(numbers().avg)}</td>
      <td class="stat">{text(numbers().min)}</td>
      <td class="stat">{text(numbers().max)}</td>
    </tr>
  );
}
