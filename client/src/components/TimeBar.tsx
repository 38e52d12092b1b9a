/**
 * The bar below the header: the range on the page and how to change it, and the strip of all that is kept. The
 * menu and the strip are loaded later; the bar has their room from the start.
 */
import { createEffect, createMemo, onCleanup, Show } from "solid-js";
import { formatRange, formatSpan, formatZone } from "../format";
import { EVERY_MS } from "../stores/history";
import { useStores } from "./context";
import { Icon } from "./Icon";
import { onDemand } from "./LoadedPart";
import { MenuButton } from "./Menu";
import { passTo, usePassedFocus } from "./passedFocus";
import { useSpanMs } from "./span";

const Standing = onDemand((parts) => parts.Standing);
const Strip = onDemand((parts) => parts.Strip);
const RangeMenu = onDemand((parts) => parts.RangeMenu);
const RangeNotice = onDemand((parts) => parts.RangeNotice);

/** How often to ask what is kept while nothing is: a board that has just started. */
const SOON_MS = 60_000;

/** Ask the server what is kept: when the board starts, and again from time to time. */
function useKept(): void {
  const { board, history } = useStores();
  const epoch = createMemo(() => board.board()?.epoch);
  createEffect(() => {
    if (epoch() !== undefined) void history.refresh();
  });
  createEffect(() => {
    const timer = setInterval(
      history.refresh,
      Number.isNaN(history.oldest()) && !history.hasNone() ? SOON_MS : EVERY_MS,
    );
    onCleanup(() => clearInterval(timer));
  });
}

function RangeControl() {
  const { time } = useStores();
  const spanMs = useSpanMs();
  const text = () => (time.follows() ? `Last ${formatSpan(spanMs())}` : formatRange(time.range()));
  const length = () => (time.follows() ? "" : ` · ${formatSpan(spanMs())}`);
  return (
    <fieldset class="range-control" aria-label="Range of time">
      <button
        type="button"
        aria-label="Back by half a range"
        title="Back by half a range (←)"
        onClick={() => time.step(-1)}
      >
        <Icon name="left" />
      </button>
      <MenuButton
        label={`Range: ${text()}${length()}`}
        class="range-button"
        leftwards
        button={
          <>
            <Icon name="clock" />
            <span class="range-text">{text()}</span>
            <span class="range-length">{length()}</span>
            <Icon name="chevron" />
          </>
        }
      >
        {(close) => <RangeMenu close={close} />}
      </MenuButton>
      <button
        type="button"
        aria-label="Forward by half a range"
        title="Forward by half a range (→)"
        aria-disabled={time.follows()}
        onClick={() => time.follows() || time.step(1)}
      >
        <Icon name="right" />
      </button>
    </fieldset>
  );
}

function Pause() {
  const { time } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(() => button, passTo(".replay button"));
  return (
    <button type="button" class="button pause" title="Stand still (space)" ref={button} onClick={time.pause}>
      <Icon name="pause" />
      Pause
    </button>
  );
}

export function TimeBar() {
  const { history, stats, time } = useStores();
  useKept();
  return (
    <section class="time-bar" classList={{ still: !time.follows() }} aria-label="Time">
      <div class="time-controls">
        <RangeControl />
        <Show when={time.follows()} fallback={<Standing />}>
          <Pause />
        </Show>
        <span class="time-zone">{formatZone(time.range().to)}</span>
      </div>
      <Show when={history.hasStrip()}>
        <div class="strip-place">
          {/* After the first values, which are wanted more. */}
          <Show when={stats.loaded()}>
            <Strip />
          </Show>
        </div>
      </Show>
      <Show when={!time.isOwn()}>
        <RangeNotice />
      </Show>
    </section>
  );
}
