/**
 * The two ranges that are compared to find what changed. The open view keeps them, and with it the address.
 * It must not know how they differ, nor how they are drawn.
 */
import { createMemo } from "solid-js";
import { type Comparison, type Lasting, ofEpisode, type Ticking, withBefore } from "../time/comparison";
import type { Range } from "../time/range";
import type { ViewStore } from "./view";

export interface ComparisonOptions {
  view: Pick<ViewStore, "comparison" | "close" | "show" | "shown">;
  /** The range on the page, and the one that the viewer has brushed; null for none. */
  range(): Range;
  brushed(): Range | null;
  ticking(): Ticking;
}

export function createComparisonStore({ view, range, brushed, ticking }: ComparisonOptions) {
  const open = ({ after, before }: Comparison) => view.show({ type: "changes", after, before });

  /** Compare a range with the time of the same length before it. */
  const openRange = ({ from, to }: Range) => open(withBefore({ from: Math.floor(from), to: Math.ceil(to) }));

  /** The end of a range is exclusive, and the newest tick is on the page. */
  const openPage = () => openRange(brushed() ?? { from: range().from, to: range().to + 1 });

  return {
    /** Null while nothing is compared. */
    ranges: createMemo(view.comparison),
    open,
    openRange,
    openEpisode: (episode: Lasting): void => open(ofEpisode(episode, ticking())),
    /** Compare the brushed range, or else the one on the page, with the time before it. */
    openPage,
    toggle: () => (view.shown()?.type === "changes" ? view.close() : openPage()),
  };
}

export type ComparisonStore = ReturnType<typeof createComparisonStore>;
