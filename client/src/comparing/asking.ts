/**
 * Asks the server what changed, and for the values of both ranges. A failure becomes an error whose message
 * the viewer can read. `fetch` is an argument.
 */
import { type Answer, decodeAnswer } from "../past/answer";
import type { Comparison } from "../time/comparison";
import { type Range, writeTime } from "../time/range";
import type { ChangesAnswer } from "../types.gen";

/** No answer; the message is for the viewer. */
export class Unanswered extends Error {
  /** @param retryMs when to ask again, as the server says; NaN if it does not. */
  constructor(
    message: string,
    readonly retryMs = Number.NaN,
  ) {
    super(message);
  }
}

/** GET an address below the page's. */
export type Get = (path: string, signal: AbortSignal) => Promise<Response>;

/** The most series that are listed. Nobody reads more; the filter is for these. */
export const MOST_LISTED = 500;
/** A comparison of very many values takes some seconds, and others may be before it. */
const ANSWER_WITHIN_MS = 30_000;
/** The server accepts longer addresses, but what is between may not. */
const MOST_CHARACTERS = 6000;

async function answerTo(get: Get, path: string, signal: AbortSignal): Promise<Response> {
  let answer: Response;
  try {
    answer = await get(path, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]));
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new Unanswered(late ? "The server did not answer in time." : "The server can't be reached.");
  }
  if (answer.ok) return answer;
  const said: unknown = await answer.json().catch(() => null);
  const error = typeof said === "object" && said !== null && "error" in said ? String(said.error) : "";
  const message = error === "" ? `The server answered ${answer.status}.` : `${capitalized(error)}.`;
  const retry = answer.status === 503 ? answer.headers.get("Retry-After") : null;
  throw new Unanswered(message, retry === null ? Number.NaN : Number(retry) * 1000);
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function isAnswer(said: unknown): said is ChangesAnswer {
  if (typeof said !== "object" || said === null) return false;
  const { changes, compared, changed } = said as Partial<ChangesAnswer>;
  return Array.isArray(changes) && Number.isFinite(compared) && Number.isFinite(changed);
}

/** Ask what changed. Rejects with `Unanswered`. */
export async function askChanges(
  get: Get,
  { after, before }: Comparison,
  signal: AbortSignal,
): Promise<ChangesAnswer> {
  const query = new URLSearchParams({
    ...{ from: writeTime(after.from), to: writeTime(after.to) },
    ...{ baseline_from: writeTime(before.from), baseline_to: writeTime(before.to) },
    limit: String(MOST_LISTED),
  });
  const answer = await answerTo(get, `api/changes?${query}`, signal);
  const said: unknown = await answer.json().catch(() => null);
  if (!isAnswer(said)) throw new Unanswered("The server's answer can't be read.");
  return said;
}

/** The first of these selectors that fit into one address. */
export function fitting(selectors: readonly string[]): string[] {
  let left = MOST_CHARACTERS;
  const last = selectors.findIndex((one) => {
    left -= encodeURIComponent(one).length + "&metrics=".length;
    return left < 0;
  });
  return selectors.slice(0, last === -1 ? undefined : Math.max(1, last));
}

/** Ask for values of a range. Rejects with `Unanswered`. */
export async function askValues(
  get: Get,
  selectors: readonly string[],
  range: Range,
  points: number,
  signal: AbortSignal,
): Promise<Answer> {
  const query = new URLSearchParams({ from: writeTime(range.from), to: writeTime(range.to) });
  query.set("points", String(points));
  query.set("format", "binary");
  for (const one of selectors) query.append("metrics", one);
  const answer = await answerTo(get, `api/history?${query}`, signal);
  try {
    return decodeAnswer(await answer.arrayBuffer());
  } catch {
    throw new Unanswered("The server's answer can't be read.");
  }
}
