"""Hostile clients beside polite ones: whether anybody misses a tick, how late it comes, and what memory it takes.

`python -m benchmarks hostile` runs the full minute. The hostile connections are a process of their own, `attack.py`.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.fanout.load import Load
from benchmarks.fanout.probe import probing
from benchmarks.fanout.servers import Server, running, tickboard
from benchmarks.report import Table

VIEWERS = 1_000
CONNECTIONS = 1_000
SECONDS = 60.0
INTERVAL_MS = 1_000
SEED = 1

SETTLE_S = 3.0

ATTACK = Path(__file__).parent / "attack.py"


@dataclass(frozen=True)
class Phase:
    """What was seen of a server for some time.

    Attributes:
        ticks: that the viewers received.
        missed: of them, those that one did not receive, or twice.
        ended: viewers whose connection ended.
        delay_ms: from a tick's timestamp to its receipt: the 99th percentile and the longest.
        http_ms: how long a polite client waited for a document, in the same way.
        late_ms: how late the server's loop was, as the server itself measured it.
        stretch_ms: how much CPU it used between two beats, 5 ms apart: what it did at a stretch.
    """

    ticks: int
    missed: int
    ended: int
    delay_ms: "Worst"
    http_ms: "Worst"
    late_ms: "Worst"
    stretch_ms: "Worst"


@dataclass(frozen=True)
class Worst:
    """The 99th percentile of some durations, and the longest, in milliseconds."""

    p99: float
    most: float

    @classmethod
    def of(cls, durations: Sequence[float]) -> Self:
        """Return those of these."""
        return cls(float(np.percentile(durations, 99)), max(durations))


@dataclass(frozen=True)
class Figures:
    """What was seen of a server before and while it was attacked.

    Attributes:
        control: as long as the attack, before it: the same viewers, and the same polite client.
        attacked: meanwhile.
        before: bytes of memory before the attack.
        highest: at most meanwhile.
        after: some seconds after it.
        attempts: connections of each hostile kind.
        refused: what the server has counted, by its reason.
    """

    control: Phase
    attacked: Phase
    before: int
    highest: int
    after: int
    attempts: dict[str, int]
    refused: dict[str, int]


@contextlib.contextmanager
def attacking(port: int, connections: int, seconds: float, seed: int) -> Iterator[dict[str, int]]:
    """Attack a server for so long; what is given has the connections of each kind when the context is over."""
    attempts: dict[str, int] = {}
    arguments = [str(port), str(connections), str(seconds), str(seed)]
    process = subprocess.Popen([sys.executable, str(ATTACK), *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield attempts
        said, _ = process.communicate(timeout=seconds + 60)
        attempts.update(json.loads(said))
    finally:
        process.kill()
        process.wait()


def measure(
    viewers: int = VIEWERS,
    connections: int = CONNECTIONS,
    seconds: float = SECONDS,
    interval_ms: int = INTERVAL_MS,
    seed: int = SEED,
) -> Figures:
    """Watch a server with viewers for some time, and then attack it for as long."""
    with running("Tickboard", tickboard(interval_ms, FANOUT_LATE="1")) as server:
        load = Load(server.port)
        load.connect(viewers)
        load.receive(SETTLE_S)
        before = server.memory()
        control, _, _ = _phase(server, load, 0, seconds, seed)
        attacked, highest, attempts = _phase(server, load, connections, seconds, seed)
        after, told = server.memory(), server.get("/metrics").decode()
        refused = {
            line.partition('"')[2].partition('"')[0]: int(line.rpartition(" ")[2])
            for line in told.splitlines()
            if line.startswith("tickboard_requests_refused_total")
        }
        load.close()
    return Figures(control, attacked, before, max(highest, after), after, attempts, refused)


def _phase(
    server: Server, load: Load, connections: int, seconds: float, seed: int
) -> tuple[Phase, int, dict[str, int]]:
    """Return what was seen while so many connections attacked, the most memory, and how often each kind connected."""
    server.get("/bench/late")
    messages, missed, ended, highest = load.messages, load.missed, load.ended, 0
    load.timing = True
    del load.delays[:]
    with (
        probing(server.port, "/api/health", seconds) as probe,
        attacking(server.port, connections, seconds, seed) as attempts,
    ):
        for _ in range(round(seconds * 2)):
            load.receive(0.5)
            highest = max(highest, server.memory())
    load.receive(SETTLE_S)
    said = json.loads(server.get("/bench/late"))
    phase = Phase(
        load.messages - messages,
        load.missed - missed,
        load.ended - ended,
        Worst.of([delay * 1000 for delay in load.delays]),
        Worst.of(probe.times),
        Worst.of(said["late_ms"]),
        Worst.of(said["stretches_ms"]),
    )
    return phase, highest, attempts


def tables() -> list[Table]:
    """Return the table of this benchmark, or none where it can't be run."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        print("Hostile clients are measured on Linux with two cores: left out.", flush=True)
        return []
    figures = measure()
    control, attacked = figures.control, figures.attacked
    result = Table(
        "Hostile clients",
        f"{CONNECTIONS:,} connections of {len(figures.attempts)} hostile kinds for {SECONDS:.0f} s ("
        f"{', '.join(figures.attempts)}), each beginning again when it is ended, beside {VIEWERS:,} viewers of four "
        "metrics at one tick a second and a client that asks for a document ten times a second. The server on one "
        "core, everybody else on the other: they wait for it, and so the delays that they see are theirs, too. The "
        "control is the same time before without the hostile ones. How late the loop was is measured in the server, "
        "200 times a second; the work at a stretch is the CPU that it used between two such beats.",
        ["what", "control", "attacked", "ratio", "limit"],
    )
    for what, quiet, seen in (
        ("tick delay", control.delay_ms, attacked.delay_ms),
        ("HTTP answer of the polite client", control.http_ms, attacked.http_ms),
        ("the server's loop late", control.late_ms, attacked.late_ms),
        ("the server's work at a stretch", control.stretch_ms, attacked.stretch_ms),
    ):
        for name, one, other in ((f"{what}, p99", quiet.p99, seen.p99), (f"{what}, worst", quiet.most, seen.most)):
            result.add(name, f"{one:.1f} ms", f"{other:.1f} ms", f"{other / max(one, 0.1):.1f}", "")
    result.add(
        "ticks missed", f"{control.missed} of {control.ticks:,}", f"{attacked.missed} of {attacked.ticks:,}", "", "0"
    )
    result.add("viewers disconnected", f"{control.ended}", f"{attacked.ended}", "", "0")
    result.add("memory: before, after", f"{figures.before / 1e6:.0f} MB", f"{figures.after / 1e6:.0f} MB", "", "")
    result.add("memory at most", "", f"{figures.highest / 1e6:.0f} MB", "", "")
    result.add("hostile connections", "", f"{sum(figures.attempts.values()):,}", "", "")
    refused = ", ".join(f"{count:,} {reason}" for reason, count in figures.refused.items() if count)
    result.add("refused", "", refused, "", "")
    return [result]
