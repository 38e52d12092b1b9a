/** What the page of a board with hosts has more than others. It is loaded when a panel of hosts is shown. */
import { lazily } from "./LoadedPart";

/** `wall` is what has been loaded of it. */
const [wall, , onWall] = lazily(() => import("../hosts/hosts"));

export { wall };
export const HostsPanel = onWall((parts) => parts.HostsPanel, { fallback: () => <section class="chart" /> });
export const HostsKiosk = onWall((parts) => parts.HostsKiosk);
