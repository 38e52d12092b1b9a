/** The footer: the kept history and its size. In print also the board's title, the time and the address. */
import { Show } from "solid-js";
import { formatMoment, formatRange, formatZone } from "../format";
import { useStores } from "./context";

export default function Footer() {
  const { board, connection, history, theme, time } = useStores();
  const when = () => {
    if (time.follows()) return formatMoment(connection.newest());
    return `${formatRange(time.range())} (${formatZone(time.range().to)})`;
  };
  return (
    <footer>
      <Show when={theme.printing()}>
        <p>{`${board.title()}, ${when()}, from ${location.origin}${location.pathname}`}</p>
      </Show>
      <Show when={history.kept()}>{`History: ${history.kept()}`}</Show>
    </footer>
  );
}
