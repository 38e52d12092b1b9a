/**
 * The shared worker's entry: hands the ports of the tabs to the hub. It must not hold anything of its own; the
 * worker's name carries the build and the mount, so tabs of another build or another board have another worker.
 */
import { systemClock } from "../time/clock";
import { browserNetwork, DirectFeed } from "./feed";
import { type Port, ShareHub, type TabMessage } from "./share";

interface SharedScope {
  onconnect: ((event: MessageEvent) => void) | null;
}

const hub = new ShareHub(
  systemClock,
  (base, listener) => new DirectFeed(base, browserNetwork, systemClock, listener),
);

(globalThis as unknown as SharedScope).onconnect = (event) => {
  const [channel] = event.ports;
  // A browser without these in a worker stays silent, and the tab connects by itself.
  if (typeof WebSocket === "undefined" || typeof EventSource === "undefined") return;
  const port: Port = { post: (message) => channel.postMessage(message) };
  channel.onmessage = (message: MessageEvent<TabMessage>) => hub.receive(port, message.data);
};
