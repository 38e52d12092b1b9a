/**
 * The marks that people and programs have made: all that the server keeps, loaded once, and the new ones as they
 * are made. It must not know how they are drawn.
 */
import { createMemo, createSignal } from "solid-js";
import type { FeedEvent } from "../link/feed";
import { Retry } from "../link/retry";
import type { Clock } from "../time/clock";
import type { Range } from "../time/range";
import type { Mark } from "../types.gen";
import { kept } from "../window/kept";

/** A mark with its times as milliseconds since 1970. One that is a moment ends when it begins. */
export interface PlacedMark extends Mark {
  readonly began: number;
  readonly ended: number;
}

export interface MarksOptions {
  clock: Clock;
  /** GET all marks that are kept. */
  load(): Promise<readonly Mark[]>;
  /** The range on the page, and the one whose marks are listed among the recent alerts. */
  range(): Range;
  around(): Range;
}

/** As many as the server keeps. */
const MAX_MARKS = 10_000;

function placed(mark: Mark): PlacedMark {
  const began = Date.parse(mark.timestamp);
  return { ...mark, began, ended: Date.parse(mark.until ?? "") || began };
}

export function createMarksStore({ clock, load, range, around }: MarksOptions) {
  const [all, setAll] = createSignal<readonly PlacedMark[]>([]);
  const [failed, setFailed] = createSignal(false);
  const retry = new Retry(clock, () => void fetchAll());
  let fetching = false;

  /** The ones that came with the stream while the others were loaded stay. */
  function add(marks: readonly Mark[]): void {
    const known = new Map(all().map((mark) => [mark.id, mark]));
    for (const mark of marks) if (!known.has(mark.id)) known.set(mark.id, placed(mark));
    setAll([...known.values()].sort((one, other) => one.began - other.began).slice(-MAX_MARKS));
  }

  async function fetchAll(): Promise<void> {
    if (fetching) return;
    fetching = true;
    try {
      add(await load());
      retry.succeeded();
      setFailed(false);
    } catch {
      setFailed(true);
      retry.later();
    } finally {
      fetching = false;
    }
  }

  const between = ({ from, to }: Range): PlacedMark[] =>
    all().filter(({ began, ended }) => began < to && ended >= from);

  return {
    apply(event: FeedEvent): void {
      if (event.type === "mark") add([event.mark]);
      // A stream that began anew, or a worker that had forgotten this tab, may have left marks out.
      const anew =
        event.type === "alerts" ? event.whole : event.type === "snapshot" && event.episodes !== null;
      if (anew) void fetchAll();
    },
    /** All marks that are kept, ordered by time. */
    all,
    /** Those of the range on the page; the same array while they are unchanged. */
    inRange: createMemo<readonly PlacedMark[]>((before) => kept(before, between(range())), []),
    /** Those that are listed among the recent alerts. */
    recent: createMemo<readonly PlacedMark[]>((before) => kept(before, between(around())), []),
    /** Whether they could not be loaded. They are asked for again by themselves. */
    failed,
    /** Add marks from the server's answer. */
    add,
  };
}

export type MarksStore = ReturnType<typeof createMarksStore>;
