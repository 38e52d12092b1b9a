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
  | "changes"
  | "outline"
  | "theme"
  | "shortcuts";

/** The keys of each action. The list of all keys (Shortcuts.tsx) says what they do. */
const KEYS: Readonly<Record<Action, readonly string[]>> = {
  search: ["/"],
  range: [..."12345678"],
  pause: [" "],
  earlier: ["ArrowLeft"],
  later: ["ArrowRight"],
  live: ["l"],
  back: ["Backspace"],
  enlarge: ["e"],
  mark: ["m"],
  changes: ["w"],
  next: ["n"],
  outline: ["o"],
  theme: ["t"],
  shortcuts: ["?"],
};

const ACTIONS: ReadonlyMap<string, Action> = new Map(
  Object.entries(KEYS).flatMap(([action, keys]) =>
    keys.map((key): [string, Action] => [key, action as Action]),
  ),
);

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
      return ACTIONS.get(key);
    },
  };
}

export type ShortcutsStore = ReturnType<typeof createShortcutsStore>;
