/** Finding by words, and the keys that are shortcuts. */
import { createRoot } from "solid-js";
import { describe, expect, it } from "vitest";
import { createShortcutsStore, type Key } from "../src/stores/shortcuts";
import { found, marked, wordsOf } from "../src/window/find";

describe("what is found", () => {
  const items = [
    { text: "Pages swapped in" },
    { text: "kswapd0", detail: "root" },
    { text: "Swap in use", more: "swap_used" },
    { text: "Memory", more: "memory_used" },
  ];
  const texts = (question: string, limit = 10) =>
    found(items, wordsOf(question), limit).map(({ text }) => text);

  it("has all words somewhere, in any case", () => {
    expect(texts("SWAP root")).toEqual(["kswapd0"]);
    expect(texts("memory_us")).toEqual(["Memory"]);
    expect(texts("swap memory")).toEqual([]);
  });

  it("comes in an order: what begins with it, then with a word of it, then the others", () => {
    expect(texts("swap")).toEqual(["Swap in use", "Pages swapped in", "kswapd0"]);
    expect(texts("swap", 1)).toEqual(["Swap in use"]);
  });

  it("is all where nothing is asked for", () => {
    expect(texts("  ")).toHaveLength(4);
  });

  it("shows where its words are, whatever signs they have", () => {
    expect(marked("Swap (%) in use", wordsOf("(%) SWAP"))).toEqual(["", "Swap", " ", "(%)", " in use"]);
    expect(marked("Swap", [])).toEqual(["Swap"]);
  });
});

describe("a shortcut", () => {
  const inside = (...selectors: string[]) => ({
    closest: (list: string) => (selectors.some((one) => list.split(", ").includes(one)) ? {} : null),
  });
  const press = (key: string, more: Partial<Key> = {}): Key => ({
    ...{ key, ctrlKey: false, altKey: false, metaKey: false, defaultPrevented: false, target: inside() },
    ...more,
  });
  const storeOf = (on: boolean) => {
    const saved: boolean[] = [];
    const store = createRoot(() =>
      createShortcutsStore({ load: () => on, save: (next) => saved.push(next) }),
    );
    return { store, saved };
  };

  it("is a key alone", () => {
    const { store } = storeOf(true);
    expect(["/", " ", "?", "x"].map((key) => store.actionOf(press(key)))).toEqual([
      "search",
      "pause",
      "shortcuts",
      undefined,
    ]);
    for (const more of [{ ctrlKey: true }, { altKey: true }, { metaKey: true }, { defaultPrevented: true }]) {
      expect(store.actionOf(press("t", more))).toBeUndefined();
    }
  });

  it("of several keys is one action", () => {
    const { store } = storeOf(true);
    expect(["1", "8", "ArrowLeft", "l"].map((key) => store.actionOf(press(key)))).toEqual([
      ...["range", "range", "earlier", "live"],
    ]);
    expect(store.actionOf(press("9"))).toBeUndefined();
  });

  it("of an arrow is none where arrows move or scroll something", () => {
    const { store } = storeOf(true);
    expect(store.actionOf(press("ArrowLeft", { target: inside("[role=slider]") }))).toBeUndefined();
    expect(store.actionOf(press("ArrowLeft", { target: inside("button") }))).toBe("earlier");
  });

  it("is none where letters are typed, and the space bar none where it presses or scrolls", () => {
    const { store } = storeOf(true);
    for (const target of [
      inside("input"),
      inside("select"),
      inside("dialog"),
      inside("[contenteditable]"),
      inside("[popover]"),
    ]) {
      expect(store.actionOf(press("t", { target }))).toBeUndefined();
    }
    expect(store.actionOf(press(" ", { target: inside("button") }))).toBeUndefined();
    for (const target of [inside(".table-scroll"), inside(".ranked-scroll")]) {
      expect(store.actionOf(press(" ", { target }))).toBeUndefined();
    }
    expect(store.actionOf(press("t", { target: inside("button") }))).toBe("theme");
    expect(store.actionOf(press("t", { target: null }))).toBe("theme");
  });

  it("can be switched off, and stays so", () => {
    const { store, saved } = storeOf(true);
    store.set(false);
    expect(store.actionOf(press("/"))).toBeUndefined();
    expect([store.on(), saved]).toEqual([false, [false]]);
    expect(storeOf(false).store.actionOf(press("?"))).toBeUndefined();
  });
});
