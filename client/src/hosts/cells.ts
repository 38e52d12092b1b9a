/**
 * How hosts lie as cells on a wall: groups beside each other, in each a block for each role. A cell never moves, so that
 * a place can be learned: new hosts come last in their role, and one that leaves leaves its place empty. Pure: hosts and
 * the size of the wall in, places out. It must not know how they are drawn.
 */
import { byName, groupsOf, type Host, roleOf } from "./model";

export interface CellRole {
  role: string;
  /** The names of its hosts, in order. */
  names: readonly string[];
}

export interface CellGroup {
  name: string;
  roles: readonly CellRole[];
  total: number;
}

type Placed = Pick<Host, "name" | "labels">;

/** The groups by a label, the largest first, and their roles; what was placed before stays in its place. */
export function placed(
  hosts: readonly Host[],
  label: string,
  before: readonly CellGroup[] = [],
): CellGroup[] {
  const fresh = new Map(groupsOf(hosts, label).map((group) => [group.name, rolesOf(group.hosts)] as const));
  const order = [...new Set([...before.map(({ name }) => name), ...fresh.keys()])];
  return order.map((name) => {
    const known = before.find((group) => group.name === name)?.roles ?? [];
    const now = fresh.get(name) ?? new Map<string, string[]>();
    const roles = [...new Set([...known.map(({ role }) => role), ...now.keys()])].map((role) => {
      const stay = known.find((one) => one.role === role)?.names ?? [];
      const there = new Set(stay);
      return { role, names: [...stay, ...(now.get(role) ?? []).filter((one) => !there.has(one))] };
    });
    return { name, roles, total: roles.reduce((sum, { names }) => sum + names.length, 0) };
  });
}

/** The names of the hosts of each role, the role of the most hosts first. */
function rolesOf(hosts: readonly Placed[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const host of hosts.toSorted(byName)) {
    const role = roleOf(host);
    const names = found.get(role);
    if (names === undefined) found.set(role, [host.name]);
    else names.push(host.name);
  }
  return new Map([...found].sort(([, one], [, other]) => other.length - one.length));
}

/** A size of cells: the least width, and the height, in rem. */
export interface CellSize {
  name: "named" | "number" | "dot";
  width: number;
  height: number;
}

const SIZES: readonly CellSize[] = [
  { name: "named", width: 30, height: 9 },
  { name: "named", width: 20, height: 6 },
  { name: "named", width: 11, height: 3.25 },
  { name: "number", width: 2.875, height: 1.8125 },
  { name: "dot", width: 1.625, height: 1 },
];
const GAP = 0.25;
/** What a group needs besides its cells: at its sides with the labels of its rows, and above and below. */
const SIDES = 7.75;
const ENDS = 6.75;
/** Between two roles. */
const BETWEEN = 0.5625;

const heightOf = ({ roles }: CellGroup, abreast: number, { height }: CellSize): number =>
  ENDS +
  roles.reduce((sum, { names }) => sum + BETWEEN + Math.ceil(names.length / abreast) * (height + GAP), 0);

export interface Laid {
  size: CellSize;
  /** How many cells of each group lie abreast. */
  abreast: readonly number[];
}

/** Share the columns of one size among the groups, so that the highest is as low as possible. */
function shared(groups: readonly CellGroup[], width: number, size: CellSize): number[] {
  const abreast = groups.map(() => 1);
  const widest = groups.map(({ roles }) => Math.max(1, ...roles.map(({ names }) => names.length)));
  let left = Math.floor((width - groups.length * SIDES) / (size.width + GAP)) - groups.length;
  for (; left > 0; left--) {
    const heights = groups.map((group, at) =>
      abreast[at] < widest[at] ? heightOf(group, abreast[at], size) : Number.NEGATIVE_INFINITY,
    );
    const highest = heights.indexOf(Math.max(...heights));
    if (heights[highest] === Number.NEGATIVE_INFINITY) break;
    abreast[highest]++;
  }
  return abreast;
}

/** Lay groups in the largest cells in which all of them fit; in the smallest if they fit in none. */
export function laid(groups: readonly CellGroup[], width: number, height: number): Laid {
  const all = SIZES.map((size) => ({ size, abreast: shared(groups, width, size) }));
  const fits = ({ size, abreast }: Laid) =>
    groups.length * (SIDES + size.width) <= width &&
    groups.every((group, at) => heightOf(group, abreast[at], size) <= height);
  return all.find(fits) ?? all[all.length - 1];
}

const WARM_FROM = 0.55;

/** How warm the ground of a cell is, as a share of one colour: nothing far from the limit, most at the limit. */
export const heatOf = (share: number): number =>
  0.52 * Math.min(1, Math.max(0, (share - WARM_FROM) / (1 - WARM_FROM) || 0)) ** 1.2;
