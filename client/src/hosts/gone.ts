/** The hosts that are gone; those of one role and moment together. */
import { createMemo } from "solid-js";
import { byName, type Host, roleOf } from "./model";
import { useHosts } from "./store";

/** Of so many that are gone together, one cell says it. */
const TOGETHER = 2;
const TOGETHER_MS = 10_000;
/** Hosts of one role that are gone since about the same time. */
export interface Gone {
  key: string;
  hosts: readonly Host[];
}

/** Take hosts of one role together that have gone at the same moment. */
export function goneTogether(hosts: readonly Host[]): Gone[] {
  const sorted = hosts.toSorted((a, b) => (a.since || 0) - (b.since || 0) || byName(a, b));
  const found: Host[][] = [];
  for (const host of sorted) {
    const near = found.find(
      ([first]) => roleOf(first) === roleOf(host) && (host.since || 0) - (first.since || 0) < TOGETHER_MS,
    );
    if (near === undefined) found.push([host]);
    else near.push(host);
  }
  return found
    .flatMap((all) => (all.length > TOGETHER ? [all] : all.map((host) => [host])))
    .map((all) => ({ key: all[0].name, hosts: all }));
}

/** What is gone, the latest first; each keeps its cell while its first host is gone. */
export function useGone(): () => readonly Gone[] {
  const hosts = useHosts();
  return createMemo(() => goneTogether(hosts.gone()).reverse());
}
