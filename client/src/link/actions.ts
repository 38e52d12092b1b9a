/**
 * A viewer's requests about an alert: acknowledge and silence. A failure becomes an error whose message the
 * viewer can read. `fetch` and the page's address are arguments.
 */
import type { AcknowledgeAlert, Alert, SilenceAlert } from "../types.gen";

/** The server was unreachable or refused; the message is for the viewer. */
export class Refused extends Error {}

export type Post = (url: string, init: RequestInit) => Promise<Response>;

const ANSWER_WITHIN_MS = 10_000;

export class AlertActions {
  /** @param base the address of the page, without its file name. */
  constructor(
    private readonly base: string,
    private readonly post: Post = (url, init) => fetch(url, init),
  ) {}

  acknowledge(id: string): Promise<Alert> {
    const body: AcknowledgeAlert = {};
    return this.ask(id, "ack", body);
  }

  /** @param duration like `15m`; `0s` ends a silence. */
  silence(id: string, duration: string, reason: string): Promise<Alert> {
    const body: SilenceAlert = { duration, reason };
    return this.ask(id, "silence", body);
  }

  private async ask(id: string, what: string, body: unknown): Promise<Alert> {
    const url = new URL(`api/alerts/${encodeURIComponent(id)}/${what}`, this.base).href;
    let answer: Response;
    try {
      answer = await this.post(url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
    } catch {
      throw new Refused("The server can't be reached. Try again when the page is live.");
    }
    const said: unknown = await answer.json().catch(() => null);
    if (answer.ok && isAlert(said)) return said;
    throw new Refused(errorOf(said) ?? `The server could not do that: it answered ${answer.status}.`);
  }
}

const isAlert = (said: unknown): said is Alert =>
  typeof said === "object" && said !== null && "id" in said && "message" in said;

function errorOf(said: unknown): string | null {
  if (typeof said !== "object" || said === null || !("error" in said)) return null;
  const error = String(said.error);
  return error === "" ? null : error[0].toUpperCase() + error.slice(1);
}
