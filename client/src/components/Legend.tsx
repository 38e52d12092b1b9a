/** The lines of a chart listed below it, where their labels do not fit at the line ends. */
import { type Accessor, createMemo, Index } from "solid-js";
import { colorVariable } from "../chart/palette";
import { valueText } from "../chart/scene";
import { useStores } from "./context";
import type { Line } from "./lines";
import { Name } from "./Name";
import type { Standout } from "./standout";

export function Legend(props: { lines: readonly Line[]; standout: Standout; live: Accessor<boolean> }) {
  const { stats } = useStores();
  const values = createMemo<readonly string[]>((before) => {
    if (!props.live()) return before;
    stats.drawn();
    return props.lines.map(({ key, unit }) =>
      valueText(stats.window.newest(key), unit, undefined, stats.window.isWhole(key)),
    );
  }, []);
  return (
    <ul class="legend" onPointerLeave={() => props.standout.point(null)}>
      <Index each={props.lines}>
        {(line, i) => (
          <li>
            <button
              type="button"
              aria-pressed={props.standout.chosen()?.has(line().key) ?? false}
              onPointerEnter={() => props.standout.point(line().key)}
              onFocus={() => props.standout.point(line().key)}
              onBlur={() => props.standout.point(null)}
              onClick={(event) => props.standout.choose(line().key, event.ctrlKey || event.metaKey)}
            >
              <span class="swatch" style={{ background: `var(${colorVariable(line().color ?? 0)})` }} />
              <span class="line-label">
                <Name text={line().label} short={line().short} />
              </span>
              <span class="line-value">{values()[i]}</span>
            </button>
          </li>
        )}
      </Index>
    </ul>
  );
}
