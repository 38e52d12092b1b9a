/** The footer: the kept history and its size. In print also the board's title, the time and the address. */
import { createEffect, createMemo, onCleanup, Show } from "solid-js";
import { formatMoment } from "../format";
import { EVERY_MS } from "../stores/history";
import { useStores } from "./context";
import { useInView } from "./inView";

export function Footer() {
  const { board, connection, history, theme } = useStores();
  let foot!: HTMLElement;
  const inView = useInView(() => foot);
  /** Another run of the board may keep another history. */
  const epoch = createMemo(() => board.board()?.epoch);
  createEffect(() => {
    if (!inView() || epoch() === undefined) return;
    void history.refresh();
    const timer = setInterval(history.refresh, EVERY_MS);
    onCleanup(() => clearInterval(timer));
  });
  return (
    <footer ref={foot}>
      <Show when={theme.printing()}>
        <p>{`${board.title()}, ${formatMoment(connection.newest())}, from ${location.origin}${location.pathname}`}</p>
      </Show>
      <Show when={history.kept()}>{`History: ${history.kept()}`}</Show>
    </footer>
  );
}
