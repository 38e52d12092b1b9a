/** What is open over the board: one thing at a time, closed by the back button, and a chart by its link. */
import { createRoot } from "solid-js";
import { beforeEach, describe, expect, it } from "vitest";
import { createViewStore, type Place, type ViewStore } from "../src/stores/view";

/** A browser's history, which goes back only when it is told that time has passed. */
class TestPlace implements Place {
  entries: { state: unknown; hash: string }[];
  at = 0;
  private going = 0;

  constructor(hash = "") {
    this.entries = [{ state: null, hash }];
  }

  state = () => this.entries[this.at].state;
  hash = () => this.entries[this.at].hash;
  push = (state: unknown, hash: string) => {
    this.entries = [...this.entries.slice(0, ++this.at), { state: structuredClone(state), hash }];
  };
  replace = (state: unknown, hash: string) => {
    this.entries[this.at] = { state: structuredClone(state), hash };
  };
  back = () => {
    this.going++;
  };
  /** What the browser does after a while, or a person with its button. */
  arrive(store: ViewStore, by = -this.going): void {
    this.at += by;
    this.going = 0;
    store.moved();
  }
}

const open = (place: Place) => createRoot(() => createViewStore(place));

describe("a view", () => {
  let place: TestPlace;
  let view: ViewStore;

  beforeEach(() => {
    place = new TestPlace();
    view = open(place);
  });

  it("is none at first, and is closed by the back button", () => {
    expect(view.shown()).toBeNull();
    view.show({ type: "search" });
    expect(view.shown()).toEqual({ type: "search" });
    place.arrive(view, -1);
    expect(view.shown()).toBeNull();
    place.arrive(view, +1);
    expect(view.shown()).toEqual({ type: "search" });
  });

  it("takes the place of the one before, so that one step back closes it", () => {
    view.show({ type: "search" });
    view.show({ type: "shortcuts" });
    expect(view.shown()).toEqual({ type: "shortcuts" });
    expect(place.entries).toHaveLength(2);
    place.arrive(view, -1);
    expect(view.shown()).toBeNull();
  });

  it("that is closed leaves no entry to go back to", () => {
    view.show({ type: "outline" });
    view.close();
    expect(view.shown()).toBeNull();
    place.arrive(view);
    expect(place.at).toBe(0);
    expect(view.shown()).toBeNull();
  });

  it("is opened after another has been closed, though the browser goes back slowly", () => {
    view.show({ type: "search" });
    view.close();
    view.show({ type: "chart", id: "cpu" });
    place.arrive(view);
    expect(view.shown()).toEqual({ type: "chart", id: "cpu" });
    expect([place.at, place.entries.length]).toEqual([1, 2]);
  });

  it("is left for something else once the browser has gone back, and at once where none is open", () => {
    const done: string[] = [];
    view.leave(() => done.push("at once"));
    view.show({ type: "chart", id: "cpu" });
    view.leave(() => done.push("afterwards"));
    expect([view.shown(), done]).toEqual([null, ["at once"]]);
    place.arrive(view);
    view.moved();
    expect([place.at, done]).toEqual([0, ["at once", "afterwards"]]);
  });

  it("is never opened on a wall", () => {
    const wall = new TestPlace("#chart=cpu");
    const fixed = createRoot(() => createViewStore(wall, true));
    fixed.show({ type: "chart", id: "load" });
    fixed.moved();
    expect([fixed.shown(), wall.entries.length]).toEqual([null, 1]);
  });

  it("is closed once, however often that is asked for", () => {
    view.show({ type: "search" });
    view.close();
    view.close();
    place.arrive(view);
    expect(place.at).toBe(0);
  });
});

describe("what changed", () => {
  const both = { after: { from: 2000, to: 3000 }, before: { from: 1000, to: 2000 } };
  const changes = { type: "changes", ...both } as const;

  it("is in the address, which opens it", () => {
    const place = new TestPlace();
    const view = open(place);
    view.show(changes);
    expect(view.covers()).toBe(false);
    const linked = open(new TestPlace(place.hash()));
    expect([linked.shown(), linked.comparison()]).toEqual([changes, changes]);
    expect(open(new TestPlace("#changes=yesterday")).shown()).toBeNull();
  });

  it("stays under what opens over it, and is there again when that closes", () => {
    const place = new TestPlace();
    const view = open(place);
    view.show(changes);
    view.show({ type: "search" });
    view.show({ type: "chart", id: "cpu" });
    expect([view.shown()?.type, view.comparison(), view.covers()]).toEqual(["chart", changes, true]);
    view.close();
    // At once, though the browser goes back slowly.
    expect(view.shown()).toEqual(changes);
    place.arrive(view);
    expect([view.shown(), place.at]).toEqual([changes, 1]);
    view.close();
    place.arrive(view);
    expect([view.shown(), view.comparison(), place.at]).toEqual([null, null, 0]);
  });

  it("takes other ranges without another step back", () => {
    const place = new TestPlace();
    const view = open(place);
    view.show(changes);
    view.show({ ...changes, before: { from: 0, to: 500 } });
    expect(view.comparison()?.before).toEqual({ from: 0, to: 500 });
    expect([place.at, place.entries.length]).toEqual([1, 2]);
  });

  it("of a link stays under what opens over it", () => {
    const place = new TestPlace("#changes=2026-01-31T12:00:00Z/2026-01-31T12:10:00Z");
    const view = open(place);
    view.show({ type: "search" });
    view.close();
    expect(view.shown()?.type).toBe("changes");
    place.arrive(view);
    expect(view.shown()?.type).toBe("changes");
    view.close();
    expect([view.shown(), place.hash()]).toEqual([null, ""]);
  });
});

describe("a chart's link", () => {
  it("is its address, which opens it", () => {
    const place = new TestPlace();
    const view = open(place);
    view.show({ type: "chart", id: "cpu user,größe" });
    expect(place.hash()).toMatch(/^#chart=[\w%]+$/);
    expect(open(new TestPlace(place.hash())).shown()).toEqual({ type: "chart", id: "cpu user,größe" });
  });

  it("is gone from the address when the chart is closed, without leaving the page", () => {
    const place = new TestPlace("#chart=cpu");
    const view = open(place);
    view.close();
    expect([view.shown(), place.hash(), place.at]).toEqual([null, "", 0]);
  });

  it("that was typed in is followed, and one that is broken is none", () => {
    const place = new TestPlace();
    const view = open(place);
    place.push(null, "#chart=load");
    view.moved();
    expect(view.shown()).toEqual({ type: "chart", id: "load" });
    for (const hash of ["#chart=%E0%A4%A", "#alerts", ""]) {
      expect(open(new TestPlace(hash)).shown()).toBeNull();
    }
  });
});
