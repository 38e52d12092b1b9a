/** Takes the colours from a stale page. */
import "../styles/stale.css";
import { createEffect, onCleanup } from "solid-js";
import { useStores } from "./context";

/** Show the page in grey while it is stale. Canvases read the colours from the style sheet of this module. */
export function useGrey(): void {
  const { connection, theme } = useStores();
  createEffect(() => theme.setStale(connection.stale()));
  onCleanup(() => theme.setStale(false));
}
