/** What a viewer can do about a stale page, the likeliest first. Pure: it takes what the page knows. */
export interface Step {
  text: string;
  /** A line for a terminal. */
  command?: string;
}

export interface Loss {
  /** Whether the connection is open: then the server is there, but makes no ticks. */
  connected: boolean;
  /** Whether this device has a network. */
  online: boolean;
  /** The board's address, without a slash at its end. */
  address: string;
  host: string;
}

const LOG: Step = {
  text: "Its log is in its terminal. A service’s log:",
  command: "journalctl -u tickboard -n 50",
};

const isThisMachine = (host: string): boolean => /^(localhost|127\..*|\[::1\])$/.test(host);

export function stepsFor({ connected, online, address, host }: Loss): Step[] {
  const ask = `curl -sS ${address}/api/health`;
  if (!online) return [{ text: "Connect this device to its network." }];
  if (connected) {
    return [
      { text: "Ask the board what is wrong:", command: ask },
      { ...LOG, text: `The log names the line where it hangs. ${LOG.text}` },
      { text: "If it does not recover, restart it. A service:", command: "systemctl restart tickboard" },
    ];
  }
  const there = isThisMachine(host) ? "" : ` on ${host}`;
  return [
    ...(there === "" ? [] : [{ text: "See whether the machine answers:", command: `ping ${host}` }]),
    { text: "See whether the board, or a proxy before it, answers:", command: ask },
    { text: `See whether it runs${there}. A service:`, command: "systemctl status tickboard" },
    { text: "If it was started in a terminal, start it there again with the same command." },
    LOG,
  ];
}
