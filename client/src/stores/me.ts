/**
 * Who views the page, and what they may do. Where nobody logs in, everything is allowed; so it is until the server has
 * answered, which decides anyway.
 */
import { createSignal } from "solid-js";
import type { Me } from "../types.gen";

/** @param load asks the server; it rejects if the server is older or cannot be reached. */
export function createMeStore(load: () => Promise<Me>) {
  const [me, setMe] = createSignal<Me | null>(null);
  load().then(setMe, () => {});
  return {
    /** Whom the board can log out. Empty: nobody logs in, or to a proxy or to the application around the board. */
    loggedIn: () => (me()?.logout && me()?.name) || "",
    /** Whether to offer what changes the board for everyone: acknowledgements, silences and marks. */
    mayChange: () => me()?.role !== "viewer",
  };
}

export type MeStore = ReturnType<typeof createMeStore>;
