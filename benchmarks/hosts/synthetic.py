"""Many hosts in one process: each publishes as a Tickboard does, once a second, values that wander.

Usage: python -m benchmarks.hosts.synthetic NATS_URL HOSTS SERIES HISTORY SECONDS

They answer calls, each from the routes of one board that they share. It has a history of that many seconds before now,
in the file HISTORY; with 0 seconds it has none.
"""

import asyncio
import struct
import sys
import time
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.history.recordings import EVERYTHING
from tickboard import Board, __version__
from tickboard.access.roles import Identity
from tickboard.fleet.caller import Caller
from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.messages import HOSTS, PROTOCOL, Beat, subject
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.fleet.nats_options import NatsOptions, read_servers
from tickboard.history.layout import Layout
from tickboard.history.store import History
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import Problems
from tickboard.server.requests.identity import IDENTITY
from tickboard.wire import About, MetricInfo, SeriesInfo, SeriesList, encode

OVERVIEW = [
    MetricInfo("cpu_usage", "CPU usage", "%", "gauge", [], 0, 100, overview=True),
    MetricInfo("memory_usage", "Memory", "%", "gauge", [], 0, 100, overview=True),
    MetricInfo("disk_space_usage", "Disk space", "%", "gauge", ["mount"], 0, 100, overview=True),
    MetricInfo("net_rate", "Network", "B/s", "gauge", overview=True),
    MetricInfo("load_per_core", "Load per core", "", "gauge", overview=True),
]
"""The metrics that the host board has in its overview."""

SERIES = [SeriesInfo(each.name, each.unit, {"mount": "/"} if each.labels else {}) for each in OVERVIEW]

SPREAD_S = 0.05
"""Within how much of a second the hosts publish: each samples before, which takes some milliseconds."""

MADE_AFTER_S = 0.5
"""How long after one tick the messages of the next one are made."""

BEATS = 20
"""At how many moments of a second the hosts send their beats: each has begun at a time of its own."""

_TICK = struct.Struct("<BBHIQd")


class Hosts:
    """Hosts that publish on one connection.

    Args:
        connection: the connection.
        names: the hosts'.
        series: how many series each has in all.
    """

    def __init__(self, connection: NatsConnection, names: list[str], series: int) -> None:
        self._connection = connection
        self._names = names
        self._began = time.time()
        self._seq = 0
        random = np.random.default_rng(0)
        self._random = random
        self._overview = random.uniform(10, 70, (len(names), len(SERIES)))
        self._all = random.uniform(10, 70, (len(names), series))

    async def run(self) -> None:
        """Publish each second, for ever."""
        self._connection.subscribe(HOSTS, lambda *_: self._introduce(self._names))
        self._connection.watch(lambda connected: self._introduce(self._names if connected else ()))
        due = time.time() // 1 + 1
        # A later process goes on where an earlier one was.
        while True:
            # What takes this process long, each host does by itself on a machine of its own.
            made = self._make(due, int(due))
            await asyncio.sleep(max(0.0, due - time.time()))
            await self._publish(due, made)
            self._seq = int(due)
            due += 1
            await asyncio.sleep(MADE_AFTER_S)

    def _introduce(self, names: Iterable[str]) -> None:
        for number, name in enumerate(names):
            about = About(
                name,
                f"id of {name}",
                __version__,
                PROTOCOL,
                "This machine",
                1000,
                {"env": ("prod", "staging", "edge")[number % 3]},
                OVERVIEW,
                series=SeriesList(1, f"epoch of {name}", SERIES),
            )
            self._connection.publish(subject(name, "about"), encode(about))

    def _make(self, due: float, seq: int) -> list[tuple[str, bytes]]:
        """Return the messages of a tick: for each host the overview, then all series."""
        self._overview = np.clip(self._overview + self._random.normal(0, 0.5, self._overview.shape), 0, 100)
        self._all += self._random.normal(0, 0.5, self._all.shape)
        head = _TICK.pack(2, 0, 0, 1, seq, due * 1000)
        kinds = [("overview", np.round(self._overview, 2)), ("ticks", np.round(self._all, 2))]
        return [
            (subject(name, kind), head + rows[number].tobytes())
            for number, name in enumerate(self._names)
            for kind, rows in kinds
        ]

    async def _publish(self, due: float, made: list[tuple[str, bytes]]) -> None:
        for number, (where, content) in enumerate(made):
            if not number % 100:
                # The others of this second have not sampled yet.
                await asyncio.sleep(max(0.0, due + SPREAD_S * number / len(made) - time.time()))
            self._connection.publish(where, content)

    async def beat(self) -> None:
        """Send the beats of some hosts at a time, each once a second, for ever."""
        due = time.time()
        while True:
            for first in range(BEATS):
                due += 1 / BEATS
                await asyncio.sleep(max(0.0, due - time.time()))
                for name in self._names[first::BEATS]:
                    beat = Beat(f"id of {name}", self._began, time.time(), f"epoch of {name}", self._seq, 1000, 0)
                    self._connection.publish(subject(name, "beat"), encode(beat))


def record(path: Path, seconds: int) -> None:
    """Make a history of the overview that ends now."""
    history = History(path, EVERYTHING, lambda problem: None)
    history.begin("before", 1000, 60)
    layout = Layout(tuple((one.name, tuple(one.labels.items()), one.unit) for one in SERIES), np.arange(len(SERIES)))
    random = np.random.default_rng(0)
    rows = np.round(np.clip(40 + np.cumsum(random.normal(0, 0.5, (seconds, len(SERIES))), axis=0), 0, 100), 2)
    first = int(time.time()) - seconds
    for seq, row in enumerate(rows):
        history.append(seq + 1, float(first + seq), layout, row)
        if not seq % 300:
            history.flush()
    history.settle()
    history.close()


def identify(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Let a call read the board."""
    scope[IDENTITY] = Identity(caller.name or "wall", "viewer", "call")


async def main(url: str, hosts: int, series: int, history: str) -> None:
    """Publish until killed."""
    board = Board("This machine", history=history)
    for each in OVERVIEW:
        board.gauge(each.name, each.title, unit=each.unit, labels=each.labels, min=each.min, max=each.max)
    names = [f"web-{number:04}" for number in range(hosts)]
    problems = Problems(lambda: None)
    connection = NatsConnection(NatsOptions(read_servers(url, {})), "many hosts", problems, "nothing is published")
    supervisor = Supervisor(problems)
    async with board.lifespan(None):
        assert board._live is not None  # the routes inside the gate
        app = board._live.app
        for name in names:
            supervisor.start(f"calls to {name}", HostCalls(connection, name, app, identify).run)
        supervisor.start("connection", connection.run)
        publishing = Hosts(connection, names, series)
        supervisor.start("beats", publishing.beat)
        await publishing.run()


if __name__ == "__main__":
    file = Path(sys.argv[4])
    if int(sys.argv[5]):
        record(file, int(sys.argv[5]))
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), str(file) if int(sys.argv[5]) else "none"))
