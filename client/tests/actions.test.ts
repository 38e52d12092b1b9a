/** What a viewer asks for goes to the server as the protocol has it, and a no comes back in words. */
import { describe, expect, it } from "vitest";
import { AlertActions, Refused } from "../src/link/actions";
import { alert } from "./world";

describe("the actions", () => {
  const asked: [url: string, body: unknown][] = [];
  const actions = (answer: () => Response) =>
    new AlertActions("https://here/live/", async (url, { body }) => {
      asked.push([url, JSON.parse(String(body))]);
      return answer();
    });
  const words = async (answer: () => Response) => {
    const error = await actions(answer)
      .acknowledge(["a"])
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(Refused);
    return (error as Refused).message;
  };

  it("are asked for under the path of the board, and answered by the alert", async () => {
    const yes = actions(() => Response.json(alert("a")));
    expect(await yes.acknowledge(["a/b"])).toEqual({ alerts: [alert("a")], refused: [] });
    await yes.silence(["a"], { duration: "15m", reason: "planned" });
    expect(asked).toEqual([
      ["https://here/live/api/alerts/a%2Fb/ack", {}],
      ["https://here/live/api/alerts/a/silence", { duration: "15m", reason: "planned" }],
    ]);
  });

  it("are one request for several alerts", async () => {
    const done = { alerts: [alert("a")], refused: [{ id: "b", error: "it is over" }] };
    const yes = actions(() => Response.json(done));
    asked.length = 0;
    expect(await yes.silence(["a", "b"], { until: "resolved", scope: "rule", reason: "known" })).toEqual(
      done,
    );
    expect(asked).toEqual([
      [
        "https://here/live/api/alerts/silence",
        { ids: ["a", "b"], until: "resolved", scope: "rule", reason: "known" },
      ],
    ]);
    await expect(actions(() => Response.json({ alerts: [] })).acknowledge(["a", "b"])).rejects.toThrow(
      Refused,
    );
  });

  it("make a mark, which is the answer", async () => {
    const mark = { id: "m", text: "deployed 1.4", timestamp: "2026-01-31T12:00:00.000Z", by: "" };
    const yes = actions(() => Response.json(mark));
    expect(await yes.mark({ text: "deployed 1.4" })).toEqual(mark);
    expect(asked.at(-1)).toEqual(["https://here/live/api/marks", { text: "deployed 1.4" }]);
    const other = await actions(() => Response.json(alert("a")))
      .mark({ text: "x" })
      .catch((error: unknown) => error);
    expect(other).toBeInstanceOf(Refused);
  });

  it("are refused in the server's words", async () => {
    const no = () => Response.json({ error: "alert a is over" }, { status: 409 });
    expect(await words(no)).toBe("Alert a is over");
  });

  it("are refused in words where the server has none", async () => {
    const said = "The server could not do that: it answered 502.";
    for (const body of ["<html>", "null", '{"error":""}', "[]"]) {
      expect(await words(() => new Response(body, { status: 502 }))).toBe(said);
    }
    expect(await words(() => new Response("{}"))).toBe("The server could not do that: it answered 200.");
  });

  it("say so when there is no server", async () => {
    const away = () => {
      throw new TypeError("Failed to fetch");
    };
    expect(await words(away)).toBe("The server can't be reached. Try again when the page is live.");
  });
});
