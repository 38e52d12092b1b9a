/** The stats of each line of a chart, and its value at the cursor. */
import { createMemo, For, Show } from "solid-js";
import { colorVariable } from "../chart/palette";
import { valueText } from "../chart/scene";
import { formatCount, formatTime } from "../format";
import { percentiles } from "../window/percentile";
import { useBeat } from "./beat";
import { useStores } from "./context";
import type { Line } from "./lines";
import type { ChartPicture } from "./picture";

/** Nobody reads a table with more rows. */
const ROWS = 200;

/** Whether the values on the page are averages of buckets. */
export function useBucketed(picture: ChartPicture, beat: () => number): () => boolean {
  const { stats } = useStores();
  return createMemo(() => {
    beat();
    return picture.lines().some(({ key }) => stats.window.bandOf(key) !== undefined);
  });
}

export function StatsTable(props: { picture: ChartPicture; live: () => boolean }) {
  const { cursor, stats } = useStores();
  const beat = useBeat(props.live);
  const lines = () => props.picture.all.all().slice(0, ROWS);
  const at = createMemo(() => {
    const time = cursor.time();
    beat();
    if (time === null) return null;
    const tick = stats.window.orderedTimes().indexOf(time);
    return tick === -1 ? null : tick;
  });
  const bucketed = useBucketed(props.picture, beat);
  return (
    <div class="table-wide">
      <table class="stats-table">
        <thead>
          <tr>
            <th scope="col">{props.picture.all.what()}</th>
            <th scope="col" class="at">
              {at() === null ? "cursor" : formatTime(cursor.time() ?? Number.NaN)}
            </th>
            <For each={["now", "avg", "min", "max", "p95", "p99", "samples"]}>
              {(title) => (
                <th scope="col" class={title}>
                  {title}
                  <Show when={title.startsWith("p") && bucketed()}> of avg</Show>
                </th>
              )}
            </For>
          </tr>
        </thead>
        <tbody onPointerLeave={() => props.picture.standout.point(null)}>
          <For each={lines()}>
            {(line) => <StatsRow line={line} picture={props.picture} at={at()} beat={beat} />}
          </For>
        </tbody>
      </table>
    </div>
  );
}

function StatsRow(props: { line: Line; picture: ChartPicture; at: number | null; beat: () => number }) {
  const { stats } = useStores();
  const standout = () => props.picture.standout;
  const values = createMemo(() => {
    props.beat();
    return stats.window.ordered(props.line.key);
  });
  const numbers = createMemo(() => {
    values();
    return stats.window.statsOf(props.line.key);
  });
  const now = createMemo(() => {
    values();
    return stats.window.newest(props.line.key);
  });
  const high = createMemo(() => percentiles(values(), [0.95, 0.99]));
  const text = (value: number) => {
    const whole = stats.window.isWhole(props.line.key);
    return valueText(value, props.picture.unit(), [numbers().min, numbers().max], whole);
  };
  return (
    <tr
      classList={{ on: standout().keys()?.has(props.line.key) }}
      onPointerEnter={() => standout().point(props.line.key)}
    >
      <th scope="row">
        <button
          type="button"
          title={props.line.label}
          aria-pressed={standout().chosen()?.has(props.line.key) ?? false}
          onFocus={() => standout().point(props.line.key)}
          onBlur={() => standout().point(null)}
          onClick={(event) => standout().choose(props.line.key, event.ctrlKey || event.metaKey)}
        >
          <span
            class="swatch"
            style={{
              background: `var(${colorVariable(props.line.color)})`,
            }}
          />
          <span>{props.line.short}</span>
        </button>
      </th>
      <td class="at">{props.at === null ? "" : text(values()[props.at] ?? Number.NaN)}</td>
      <td class="now">{text(now())}</td>
      <td class="avg">{text(numbers().avg)}</td>
      <td class="min">{text(numbers().min)}</td>
      <td class="max">{text(numbers().max)}</td>
      <td class="p95">{text(high()[0])}</td>
      <td class="p99">{text(high()[1])}</td>
      <td class="samples">{formatCount(numbers().count)}</td>
    </tr>
  );
}
