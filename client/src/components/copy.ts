/** Copying a text. Outside a secure context there is no clipboard, so the text is shown to be copied by hand. */
import { createSignal } from "solid-js";

const SAID_MS = 2_000;

export interface Copying {
  copy(text: string): Promise<void>;
  /** Whether a text has just been copied. */
  copied(): boolean;
  /** The text to copy by hand; empty for none. */
  byHand(): string;
}

export function useCopy(): Copying {
  const [copied, setCopied] = createSignal(false);
  const [byHand, setByHand] = createSignal("");
  return {
    async copy(text) {
      try {
        await navigator.clipboard.writeText(text);
        setByHand("");
        setCopied(true);
        setTimeout(() => setCopied(false), SAID_MS);
      } catch {
        setByHand(text);
      }
    },
    copied,
    byHand,
  };
}
