/** What helps with a stale page depends on what the page knows of its cause. */
import { expect, test } from "vitest";
import { type Loss, stepsFor } from "../src/components/staleHelp";

const there: Loss = {
  connected: false,
  online: true,
  address: "http://web-3:3000/live",
  host: "web-3",
};
const commands = (loss: Partial<Loss>) =>
  stepsFor({ ...there, ...loss }).flatMap(({ command }) => command ?? []);

test("a server that does not answer is looked for on its machine, with the board's own address", () => {
  expect(commands({})).toEqual([
    "ping web-3",
    "curl -sS http://web-3:3000/live/api/health",
    "systemctl status tickboard",
    "journalctl -u tickboard -n 50",
  ]);
  expect(stepsFor(there)[2].text).toBe("See whether it runs on web-3. A service:");
});

test.each(["localhost", "127.0.0.1", "127.0.1.1", "[::1]"])("%s is this machine, which answers", (host) => {
  expect(commands({ host })[0]).toMatch(/^curl/);
  expect(stepsFor({ ...there, host })[1].text).toBe("See whether it runs. A service:");
});

test("a server that holds the connection but makes no ticks is asked why, and restarted last", () => {
  expect(commands({ connected: true })).toEqual([
    "curl -sS http://web-3:3000/live/api/health",
    "journalctl -u tickboard -n 50",
    "systemctl restart tickboard",
  ]);
});

test("a device without a network needs one first", () => {
  expect(stepsFor({ ...there, online: false })).toEqual([{ text: "Connect this device to its network." }]);
});
