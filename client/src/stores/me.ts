/**
 * Who views the page, and what they may do. Where nobody logs in, there is no name, and everything is allowed; so it
 * is until the server has answered, which decides anyway.
 */
import { type Accessor, createSignal } from "solid-js";
import type { Me } from "../types.gen";

export type MeStore = Accessor<Me | null>;

/** @param load asks the server; it rejects if the server is older or cannot be reached. */
export function createMeStore(load: () => Promise<Me>): MeStore {
  const [me, setMe] = createSignal<Me | null>(null);
  load().then(setMe, () => {});
  return me;
}
