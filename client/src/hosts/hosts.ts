/** All that the page of a board with hosts has more than others. */
export { default as HostsHealth } from "./HostsHealth";
export { default as HostsKiosk } from "./HostsKiosk";
export { default as HostsPanel } from "./HostsPanel";
