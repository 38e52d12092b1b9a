/**
 * A viewer's requests: acknowledge and silence alerts, one or several at once, and make a mark. A failure becomes
 * an error whose message the viewer can read. `fetch` and the page's address are arguments.
 */
import type { AcknowledgeAlert, Alert, ChangedAlerts, Mark, NewMark, SilenceAlert } from "../types.gen";

/** The server was unreachable or refused; the message is for the viewer. */
export class Refused extends Error {}

export type Post = (url: string, init: RequestInit) => Promise<Response>;

/** The most alerts of one request. */
export const MOST_IDS = 1_000;
const ANSWER_WITHIN_MS = 10_000;

export class AlertActions {
  /** @param base the address of the page, without its file name. */
  readonly #base: string;
  readonly #post: Post = (url, init) => fetch(url, init);

  constructor(base: string, post: Post = (url, init) => fetch(url, init)) {
    this.#base = base;
    this.#post = post;
  }

  /** @param ids at most `MOST_IDS`. */
  acknowledge(ids: readonly string[]): Promise<ChangedAlerts> {
    const body: AcknowledgeAlert = {};
    return this.#askOf(ids, "ack", body);
  }

  /** @param ids at most `MOST_IDS`. */
  silence(ids: readonly string[], terms: SilenceAlert): Promise<ChangedAlerts> {
    return this.#askOf(ids, "silence", terms);
  }

  mark(mark: NewMark): Promise<Mark> {
    return this.#ask("marks", mark, isMark);
  }

  /** One alert has a request of its own: the server limits requests for several more strictly. */
  async #askOf(ids: readonly string[], what: string, body: object): Promise<ChangedAlerts> {
    if (ids.length > 1) return this.#ask(`alerts/${what}`, { ...body, ids }, isChanged);
    const alert = await this.#ask(`alerts/${encodeURIComponent(ids[0])}/${what}`, body, isAlert);
    return { alerts: [alert], refused: [] };
  }

  async #ask<T extends object>(
    path: string,
    body: object,
    isAnswer: (said: object) => said is T,
  ): Promise<T> {
    const url = new URL(`api/${path}`, this.#base).href;
    let answer: Response;
    try {
      answer = await this.#post(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      throw new Refused("The server can't be reached. Try again when the page is live.");
    }
    const said: unknown = await answer.json().catch(() => null);
    if (answer.ok && typeof said === "object" && said !== null && isAnswer(said)) return said;
    throw new Refused(errorOf(said) ?? `The server could not do that: it answered ${answer.status}.`);
  }
}

const isAlert = (said: object): said is Alert => "id" in said && "message" in said;
const isMark = (said: object): said is Mark => "id" in said && "text" in said;

const isChanged = (said: object): said is ChangedAlerts =>
  "alerts" in said && Array.isArray(said.alerts) && "refused" in said && Array.isArray(said.refused);

/** The server's words for people: with a capital letter. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function errorOf(said: unknown): string | null {
  if (typeof said !== "object" || said === null || !("error" in said)) return null;
  const error = String(said.error);
  return error === "" ? null : sentence(error);
}
