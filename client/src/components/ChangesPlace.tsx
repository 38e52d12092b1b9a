/** What changed, beside the board. It is loaded on first use, or with the other views that are preloaded. */
import { Show } from "solid-js";
import { useStores } from "./context";
import { onDemand } from "./LoadedPart";

const WhatChanged = onDemand((parts) => parts.WhatChanged);

export function ChangesPlace() {
  const { comparison } = useStores();
  return (
    <Show when={comparison.ranges()}>
      <WhatChanged />
    </Show>
  );
}
