/**
 * Keys that do something by themselves, and whether they may: a person who dictates, or whose hand is not steady,
 * switches them off. It takes key events and says which action they mean. It must not know what an action does.
 */
import { createSignal } from "solid-js";

export type Action = "search" | "pause" | "enlarge" | "next" | "outline" | "theme" | "shortcuts";

export interface Shortcut {
  key: string;
  action: Action;
  /** How the key is called, and what it does. */
  name: string;
  text: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { key: "/", action: "search", name: "/", text: "Search" },
  { key: " ", action: "pause", name: "Space", text: "Pause or resume" },
  { key: "e", action: "enlarge", name: "e", text: "Enlarge the chart under the pointer or in focus" },
  { key: "n", action: "next", name: "n", text: "Next firing alert" },
  { key: "o", action: "outline", name: "o", text: "Outline" },
  { key: "t", action: "theme", name: "t", text: "Light or dark" },
  { key: "?", action: "shortcuts", name: "?", text: "All shortcuts" },
];

/** The part of a key event that is needed. */
export interface Key {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  defaultPrevented: boolean;
  target: unknown;
}

interface ElementLike {
  closest(selector: string): unknown;
}

const isElement = (target: unknown): target is ElementLike =>
  typeof target === "object" && target !== null && "closest" in target;

/** Where letters are typed, and what is open over the page and has keys of its own. */
const TAKES_LETTERS = "input, textarea, select, [contenteditable], dialog, [popover]";
/** What is pressed, or scrolled, with the space bar. */
const TAKES_SPACE = "button, a, summary, [role=option], .table-scroll, .ranked-scroll";

export function createShortcutsStore(memory: { load(): boolean; save(on: boolean): void }) {
  const [on, setOn] = createSignal(memory.load());

  return {
    on,
    set(next: boolean): void {
      setOn(next);
      memory.save(next);
    },
    /** What a key means, undefined for nothing. */
    actionOf({ key, ctrlKey, altKey, metaKey, defaultPrevented, target }: Key): Action | undefined {
      if (!on() || ctrlKey || altKey || metaKey || defaultPrevented) return undefined;
      if (isElement(target)) {
        if (target.closest(TAKES_LETTERS) !== null) return undefined;
        if (key === " " && target.closest(TAKES_SPACE) !== null) return undefined;
      }
      return SHORTCUTS.find((shortcut) => shortcut.key === key)?.action;
    },
  };
}

export type ShortcutsStore = ReturnType<typeof createShortcutsStore>;
