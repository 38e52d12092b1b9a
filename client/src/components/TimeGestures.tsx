/** Choosing a range on a drawing that does not read its own values by pointer. It is loaded with the first event. */
import { onMount } from "solid-js";
import type { TimeAxis } from "../chart/timeaxis";
import { type BrushKeys, useBrushKeys } from "./brushKeys";
import { useTimeGestures } from "./gestures";

/**
 * @param props.first the event that came before this part.
 * @param props.say announces a text to screen readers.
 * @param props.onKeys receives the keys that choose a range.
 */
export default function TimeGestures(props: {
  element: HTMLElement;
  axis: () => TimeAxis | null;
  first: () => Event | null;
  say: (text: string) => void;
  onKeys: (keys: BrushKeys) => void;
}) {
  useTimeGestures(props.element, () => props.axis(), props.first());
  const keys = useBrushKeys(props.element, (text) => props.say(text));
  onMount(() => props.onKeys(keys));
  return null;
}
