/**
 * What the board declares, and what its owner has to mend. Replaced whole when the server has another one. It
 * must not know values.
 */
import { createMemo, createSignal } from "solid-js";
import type { FeedEvent } from "../feed";
import type { Board, MetricInfo, Problem, RuleInfo } from "../types.gen";

export function createBoardStore() {
  const [board, setBoard] = createSignal<Board | null>(null);
  const [problems, setProblems] = createSignal<readonly Problem[]>([]);

  const metrics = createMemo(() => new Map((board()?.metrics ?? []).map((info) => [info.name, info])));

  function apply(event: FeedEvent): void {
    if (event.type === "board") {
      setBoard(event.board);
      setProblems(event.board.problems ?? []);
    }
    if (event.type === "problems") setProblems(event.problems);
    if (event.type === "snapshot" && event.board !== null) {
      // The same board again would only build the same page again.
      if (event.board.epoch !== board()?.epoch) setBoard(event.board);
      setProblems(event.problems);
    }
  }

  return {
    apply,
    /** Null until the server has answered once. */
    board,
    problems,
    title: () => board()?.title ?? "Live Dashboard",
    metric: (name: string): MetricInfo | undefined => metrics().get(name),
    /** The rules with a threshold that can be drawn on a chart of these metrics. */
    thresholdsOf: (names: readonly string[]): RuleInfo[] =>
      (board()?.rules ?? []).filter(
        ({ metric, threshold }) => typeof threshold === "number" && names.includes(metric ?? ""),
      ),
  };
}

export type BoardStore = ReturnType<typeof createBoardStore>;
