"""Two servers with 5,000 viewers each: walls that follow hosts through NATS, and boards that make as many series."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.fanout.load import Load
from benchmarks.fanout.servers import allow_open_files
from benchmarks.hosts.programs import live, many_hosts, nats_server, tickboard, until
from benchmarks.report import Table

WALLS, VIEWERS, HOSTS = 2, 5_000, 1_000
"""How many servers there are, the viewers of each, and the hosts of each wall."""

SECONDS, SETTLE_S = 30.0, 5.0
"""How long the viewers measure, and how long they wait before."""

PATH = "/ws/metrics?metrics=cpu_usage%7Bhost%3D%22web-000%5B0-3%5D%22%7D"
"""Each viewer sees four series, as in the benchmarks of the fan-out."""


def watch(port: int, viewers: int) -> tuple[int, int, NDArray[np.float64]]:
    """Watch a server; return the ticks received and missed, and the delays from each tick's time in seconds."""
    allow_open_files()
    load = Load(port)
    load.connect(viewers, lambda _: PATH)
    load.receive(SETTLE_S)
    before, load.timing = load.messages, True
    load.receive(SECONDS)
    found = np.array(load.delays)
    received, missed = load.messages - before, load.missed
    load.close()
    return received, missed, found


def table() -> Table:
    """Return the table."""
    result = Table(
        f"{WALLS} walls with {VIEWERS:,} viewers each",
        f"{WALLS} walls follow the same {HOSTS:,} synthetic hosts on one NATS server, each with {VIEWERS:,} viewers of "
        "four series; then as many boards that make as many series themselves, without NATS. Everything shares two "
        "cores. The delay is from the tick's time to the receipt by each viewer: a wall's tick waits for its hosts' "
        "first, for 100 ms at most. One viewer alone sees that wait; what comes on top of it is the fan-out.",
        ["", "ticks missed", "one viewer p50", "p50", "p99", "p99 over one viewer"],
    )
    with contextlib.ExitStack() as stack:
        url, _ = stack.enter_context(nats_server())
        stack.enter_context(many_hosts(url, HOSTS, 6))
        follow = ["follow", url, "--state", "none", "--max-per-address", "0"]
        walls = [stack.enter_context(tickboard(*follow)) for _ in range(WALLS)]
        for wall in walls:
            until(lambda wall=wall: live(wall) == HOSTS, "each host")  # type: ignore[misc]
        _measure(result, "walls on NATS", [wall.port for wall in walls])
    with contextlib.ExitStack() as stack:
        alone = ["run", str(Path(__file__).with_name("board_alone.py")), "--state", "none", "--max-per-address", "0"]
        boards = [stack.enter_context(tickboard(*alone)) for _ in range(WALLS)]
        _measure(result, "boards without NATS", [board.port for board in boards])
    return result


def _measure(result: Table, name: str, ports: Sequence[int]) -> None:
    with ProcessPoolExecutor(len(ports), get_context("spawn")) as pool:
        ones = list(pool.map(watch, ports, [1] * len(ports)))
        crowds = list(pool.map(watch, ports, [VIEWERS] * len(ports)))
    one = np.concatenate([delays for _, _, delays in ones]) * 1000
    many = np.concatenate([delays for _, _, delays in crowds]) * 1000
    alone, median, late = float(np.percentile(one, 50)), float(np.percentile(many, 50)), float(np.percentile(many, 99))
    result.add(
        name,
        str(sum(missed for _, missed, _ in crowds)),
        f"{alone:.0f} ms",
        f"{median:.0f} ms",
        f"{late:.0f} ms",
        f"{late - alone:.0f} ms",
    )
