/** What changed, beside the board. It is loaded on first use, or with the other views that are preloaded. */
import { Show } from "solid-js";
import { useStores } from "./context";
import { LoadedPart, onDemand } from "./LoadedPart";

const WhatChanged = onDemand(() => import("./changes/WhatChanged"));

export function ChangesPlace() {
  const { comparison } = useStores();
  return (
    <Show when={comparison.ranges()}>
      <LoadedPart>
        <WhatChanged />
      </LoadedPart>
    </Show>
  );
}
