/** The controls of a page that stands still: replay, and the way back to now. */
import { For } from "solid-js";
import { SPEEDS } from "../../stores/time";
import { useStores } from "../context";
import { Icon } from "../Icon";
import { passTo, usePassedFocus } from "../passedFocus";

function Live() {
  const { time } = useStores();
  let button!: HTMLButtonElement;
  usePassedFocus(() => button, passTo(".pause"));
  return (
    <button
      type="button"
      class="button primary"
      title="Follow now again (l)"
      ref={button}
      onClick={() => time.live()}
    >
      <Icon name="right" />
      Live
    </button>
  );
}

function Replay() {
  const { replay } = useStores();
  const name = () => (replay.plays() ? "Stop the replay" : "Replay");
  let play!: HTMLButtonElement;
  // A replay that has caught up goes live.
  usePassedFocus(() => play, passTo(".pause"));
  return (
    <fieldset class="range-control replay" aria-label="Replay">
      <button
        type="button"
        aria-label={name()}
        title={`${name()} (space)`}
        ref={play}
        onClick={replay.toggle}
      >
        <Icon name={replay.plays() ? "pause" : "play"} />
      </button>
      <For each={SPEEDS}>
        {(speed) => (
          <button
            type="button"
            aria-label={`${speed}×: replay at ${speed} times the speed`}
            aria-pressed={replay.speed() === speed}
            onClick={() => replay.choose(speed)}
          >{`${speed}×`}</button>
        )}
      </For>
    </fieldset>
  );
}

export default function Standing() {
  return (
    <>
      <Replay />
      <Live />
    </>
  );
}
