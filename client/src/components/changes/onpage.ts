/** Brings both ranges of a comparison onto the page, so that the charts show them. */
import { createEffect, on, untrack } from "solid-js";
import { toShow } from "../../comparing/onpage";
import type { Comparison } from "../../time/comparison";
import { useStores } from "../context";

/** Once for each comparison: the viewer may zoom elsewhere afterwards. */
export function useBothOnPage(ranges: () => Comparison): void {
  const { stats, time } = useStores();
  function show(comparison: Comparison): void {
    const shown = toShow(comparison, time.range(), time.follows());
    if (shown?.follows) time.follow(shown.spanMs);
    else if (shown !== null) time.stand(shown);
  }
  // The range on the page is unknown before the first tick.
  createEffect(on([ranges, stats.loaded], ([both, loaded]) => loaded && untrack(() => show(both))));
}
