/**
 * The shared worker's entry: connects the tabs' ports to the hub. It holds no state of its own. The worker's
 * name carries the build and the mount, so tabs of another build or board get another worker.
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
  // Without these APIs the worker stays silent, and the tab connects directly.
  if (typeof WebSocket === "undefined" || typeof EventSource === "undefined") return;
  const port: Port = { post: (message) => channel.postMessage(message) };
  channel.onmessage = (message: MessageEvent<TabMessage>) => hub.receive(port, message.data);
};
