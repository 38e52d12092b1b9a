/**
 * Single-key shortcuts and their on/off switch, for viewers who dictate or whose hands are unsteady. Maps key
 * events to actions. It must not know what an action does.
 */
import { createSignal } from "solid-js";

export type Action =
  | "search"
  | "range"
  | "pause"
  | "earlier"
  | "later"
  | "live"
  | "back"
  | "enlarge"
  | "mark"
  | "next"
  | "outline"
  | "theme"
  | "shortcuts";

export interface Shortcut {
  /** All keys of the action. */
  keys: readonly string[];
  action: Action;
  /** The key's name, and what it does. */
  name: string;
  text: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  { keys: ["/"], action: "search", name: "/", text: "Search" },
  { keys: [..."12345678"], action: "range", name: "1 – 8", text: "The last minute, 5 min … 30 d" },
  { keys: [" "], action: "pause", name: "Space", text: "Stand still, or go on" },
  { keys: ["ArrowLeft"], action: "earlier", name: "←", text: "Back by half a range" },
  { keys: ["ArrowRight"], action: "later", name: "→", text: "Forward by half a range" },
  { keys: ["l"], action: "live", name: "l", text: "Live: follow now again" },
  { keys: ["Backspace"], action: "back", name: "Backspace", text: "Back to the range before" },
  { keys: ["e"], action: "enlarge", name: "e", text: "Enlarge the chart under the pointer or in focus" },
  { keys: ["m"], action: "mark", name: "m", text: "Mark the time of the cursor, or now" },
  { keys: ["n"], action: "next", name: "n", text: "Next firing alert" },
  { keys: ["o"], action: "outline", name: "o", text: "Outline" },
  { keys: ["t"], action: "theme", name: "t", text: "Light or dark" },
  { keys: ["?"], action: "shortcuts", name: "?", text: "All shortcuts" },
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
/** Elements that the arrow keys move or scroll. */
const TAKES_ARROWS = "[role=slider], [role=tab], .table-scroll, .ranked-scroll, .table-wide";

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
        if (key.startsWith("Arrow") && target.closest(TAKES_ARROWS) !== null) return undefined;
      }
      return SHORTCUTS.find(({ keys }) => keys.includes(key))?.action;
    },
  };
}

export type ShortcutsStore = ReturnType<typeof createShortcutsStore>;
