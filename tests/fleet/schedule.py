"""What goes wrong in a stress run, and when: made from a seed, so that a run can be repeated."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["kill", "stop", "pause", "unplug", "swallow", "slow", "lossy", "change", "twin"]
"""What happens to a computer, and is undone in the end.

``kill``, ``stop``: its program ends at once, or as Ctrl-C ends it, and is started again. ``pause``: its program is
stopped and continued. ``unplug``: its cable is pulled out. ``swallow``: its network loses everything. ``slow``: its
network is slow. ``lossy``: its network loses some packets. ``change``: its program is killed and comes back with other
metrics. ``twin``: a second program has its name.
"""

HOST_KINDS: tuple[Kind, ...] = ("kill", "stop", "pause", "unplug", "swallow", "slow", "lossy", "change", "twin")
WALL_KINDS: tuple[Kind, ...] = ("kill", "stop", "pause", "unplug", "swallow", "slow", "lossy")
NATS_KINDS: tuple[Kind, ...] = ("kill", "pause", "unplug", "swallow", "lossy")

SILENT_KINDS: frozenset[Kind] = frozenset({"kill", "change", "stop", "pause", "unplug", "swallow"})
"""Those that silence a host."""

CLOCKS_S = (0.4, -0.4, 3.0, -7.5, 100.0, -1000.0)
"""By how many seconds a wrong clock is ahead."""

APART_S = 15.0
"""How long after a fault of NATS a second host with the name of another may start."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        at_s: when it begins, seconds after the beginning of the faults.
        kind: what happens.
        target: the name of the computer.
        lasts_s: for how long, seconds.
    """

    at_s: float
    kind: Kind
    target: str
    lasts_s: float

    @property
    def until_s(self) -> float:
        """When it ends, seconds after the beginning of the faults."""
        return self.at_s + self.lasts_s

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.kind:7}  {self.target:8}  for {self.lasts_s:.1f} s"


@dataclass(frozen=True)
class Schedule:
    """All that goes wrong in one run.

    Attributes:
        seed: what it was made from.
        faults: in the order in which they begin. A computer has one at a time.
        clocks: by how many seconds the clocks of some boards are ahead.
    """

    seed: int
    faults: tuple[Fault, ...]
    clocks: dict[str, float]

    @property
    def ends_s(self) -> float:
        """When the last fault has ended, seconds after the beginning of the faults."""
        return max((fault.until_s for fault in self.faults), default=0.0)

    def __str__(self) -> str:
        clocks = [f"  clock of {name}: {ahead_s:+.1f} s" for name, ahead_s in self.clocks.items()]
        return "\n".join([f"seed {self.seed}", *clocks, *map(str, self.faults)])


def make(
    seed: int, seconds: float, hosts: list[str], walls: list[str], nats: list[str], longest_s: float = 180.0
) -> Schedule:
    """Return the faults of a run.

    Args:
        seed: of the choices.
        seconds: for how long faults begin.
        hosts: the names of the hosts.
        walls: the names of the walls.
        nats: the name of the NATS server; empty without one.
        longest_s: the longest that one fault may last. Most are much shorter.
    """
    choose = random.Random(seed)
    wrong = choose.sample(hosts, len(hosts) // 4) + choose.sample(walls, len(walls) // 3)
    clocks = {name: choose.choice(CLOCKS_S) for name in sorted(wrong)}
    of_nats = [fault for name in nats for fault in _faults(choose, name, NATS_KINDS, 50.0, seconds, longest_s)]
    faults = list(of_nats)
    for name in walls:
        faults += _faults(choose, name, WALL_KINDS, 25.0, seconds, longest_s)
    for name in hosts:
        kinds = HOST_KINDS if nats else HOST_KINDS[:-1]
        for fault in _faults(choose, name, kinds, 40.0, seconds, longest_s):
            # Over NATS alone can two hosts know that they have one name.
            away = any(fault.at_s - APART_S < other.until_s and other.at_s < fault.until_s for other in of_nats)
            faults.append(replace(fault, kind="kill") if fault.kind == "twin" and away else fault)
    faults.sort(key=lambda fault: (fault.at_s, fault.target))
    return Schedule(seed, tuple(faults), clocks)


def _faults(
    choose: random.Random, name: str, kinds: Sequence[Kind], quiet_s: float, seconds: float, longest_s: float
) -> Iterator[Fault]:
    """Yield the faults of one computer; `quiet_s` is the mean time between two."""
    at_s = choose.uniform(0, min(quiet_s, seconds))
    while at_s < seconds:
        lasts_s = min(longest_s, 1 + choose.expovariate(1 / 8)) if choose.random() < 0.9 else longest_s
        lasts_s = min(lasts_s, max(2.0, seconds - at_s))
        yield Fault(round(at_s, 1), choose.choice(kinds), name, round(lasts_s, 1))
        at_s += lasts_s + 3 + choose.expovariate(1 / quiet_s)
