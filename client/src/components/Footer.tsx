/** The footer: the kept history and its size. In print also the board's title, the time and the address. */
import { Show } from "solid-js";
import { formatRange, formatZone, zoned } from "../format";
import { useStores } from "./context";

/** A full date and time, for use outside the page: `Sunday, 29 November 2026 at 14:32:08 CET`. */
const formatMoment = zoned("en-GB", { dateStyle: "full", timeStyle: "long" });

export default function Footer() {
  const { board, connection, history, past, theme, time } = useStores();
  const when = () => {
    if (time.follows()) return formatMoment(connection.newest() || connection.time());
    return `${formatRange(time.range())} (${formatZone(time.range().to)})`;
  };
  return (
    <footer>
      <Show when={theme.printing()}>
        <p>{`${board.title()}, ${when()}, from ${location.origin}${location.pathname}`}</p>
        {/* What was never in view is loaded while it is printed. */}
        <Show when={past.lacks()}>
          <p>Some values had not been loaded yet: print again.</p>
        </Show>
      </Show>
      <Show when={history.kept()}>{`History: ${history.kept()}`}</Show>
    </footer>
  );
}
