/**
 * The problems that the board's owner has to fix, as in the terminal. They stay on top until all are fixed.
 */
import { For, Show } from "solid-js";
import { formatWhen } from "../format";
import type { Problem } from "../types.gen";
import { useStores } from "./context";

function place({ file, line }: Problem): string {
  if (!file) return "";
  return line ? `${file}:${line}` : file;
}

function ProblemItem(props: { problem: Problem }) {
  const { connection } = useStores();
  const when = () => formatWhen(Date.parse(props.problem.since), connection.time());
  return (
    <li class="problem">
      <p>
        <strong>{props.problem.source}</strong> <span class="problem-message">{props.problem.message}</span>
      </p>
      <p class="problem-place">
        <Show when={place(props.problem)}>
          <code>{place(props.problem)}</code>
        </Show>
        <span>{when()}</span>
      </p>
      <Show when={props.problem.detail}>
        <details>
          <summary>Details</summary>
          <pre>{props.problem.detail}</pre>
        </details>
      </Show>
    </li>
  );
}

export default function Problems() {
  const { board } = useStores();
  return (
    <section class="problems" role="alert" aria-label="Problems of this board">
      <ul>
        <For each={board.problems()}>{(problem) => <ProblemItem problem={problem} />}</For>
      </ul>
    </section>
  );
}
