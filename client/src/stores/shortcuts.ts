/**
 * Single-key shortcuts and their on/off switch, for viewers who dictate or whose hands are unsteady. Maps key
 * events to actions. It must not know what an action does.
 */
import { createSignal } from "solid-js";

export type Action = "search" | "pause" | "enlarge" | "next" | "outline" | "theme" | "shortcuts";

export interface Shortcut {
  key: string;
  action: Action;
  /** The key's name, and what it does. */
  name: string;
  text: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { key: "/", action: "search", name: "/", text: "Search" },
  { key: " ", action: "pause", name: "Space", text: "Stand still, or go on live" },
  { key: "e", action: "enlarge", name: "e", text: "Enlarge the chart under the pointer or in focus" },
  { key: "n", action: "next", name: "n", text: "Next firing alert" },
  { key: "o", action: "outline", name: "o", text: "Outline" },
  { key: "t", action: "theme", name: "t", text: "Light or dark" },
  { key: "?", action: "shortcuts", name: "?", text: "All shortcuts" },
];

/** The part of KeyboardEvent that is used here. */
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

/** Elements that take text, and overlays with keys of their own. */
const TAKES_LETTERS = "input, textarea, select, [contenteditable], dialog, [popover]";
/** Elements that the space bar presses or scrolls. */
const TAKES_SPACE = "button, a, summary, [role=option], .table-scroll, .ranked-scroll";

export function createShortcutsStore(memory: { load(): boolean; save(on: boolean): void }) {
  const [on, setOn] = createSignal(memory.load());

  return {
    on,
    set(next: boolean): void {
      setOn(next);
      memory.save(next);
    },
    /** The action of a key, undefined for none. */
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
