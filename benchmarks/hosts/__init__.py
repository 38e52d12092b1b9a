"""Many hosts: what a wall of a thousand costs, how late it is, and what publishing costs a host."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.hosts import crowds
from benchmarks.hosts.programs import Program, clock, filling, live, many_hosts, nats_server, tickboard, until
from benchmarks.hosts.synthetic import SERIES as SERIES_OF_OVERVIEW
from benchmarks.hosts.viewing import delays
from benchmarks.report import Table

HOSTS = ((50, 950), (20, 980), (50, 0))
"""Real hosts, and those of one process."""

SERIES = 150
"""The series of each host of one process."""

LIMITS = {"wall, % of a core": "30", "memory in MB": "300", "p99": "150", "never came": "0"}
"""The limits of figures, by the ends of their names."""

HOLES, HOUR_S = 100, 3_600
"""How many hosts have a hole, and how long it is, in seconds."""

TICKS = 60
"""How many ticks of the wall are watched."""

COST_S = 60.0
"""How long a host's cost is measured, with and without NATS."""


def tables() -> Iterator[Table]:
    """Return all tables of this benchmark, in about ten minutes."""
    yield _wall()
    yield crowds.table()
    yield _hole()
    yield _host()


def _wall() -> Table:
    """Measure two walls of a thousand hosts, and a wall of real hosts alone."""
    table = Table(
        "A wall of 1,000 hosts",
        "Real host boards and synthetic hosts in one process publish on one NATS server, each "
        f"{SERIES} series or more once a second, of which 5 or more are the overview. One wall follows them all, with "
        "history, and one viewer watches one metric of all hosts: how long after a host's tick does each value arrive? "
        "All on two cores (`python -m benchmarks hosts`), where the real hosts sample at the same moment, one after "
        "the other: the second column has fewer of them, and the third has no others.",
        ["real and synthetic hosts", *(f"{real} + {synthetic}" for real, synthetic in HOSTS), "limit"],
    )
    columns = [_followed(real, synthetic) for real, synthetic in HOSTS]
    for name in columns[0]:
        limit = next((limit for end, limit in LIMITS.items() if name.endswith(end)), "")
        table.add(name, *(column.get(name, "") for column in columns), limit)
    return table


def _followed(real: int, synthetic: int) -> dict[str, str]:
    """Return what a wall of some hosts costs, and how late its values are."""
    found: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        url, nats = stack.enter_context(nats_server())
        if synthetic:
            stack.enter_context(many_hosts(url, synthetic, SERIES))
        for number in range(real):
            stack.enter_context(tickboard("--nats", url, "--name", f"real-{number:02}", "--state", "none"))
        wall = stack.enter_context(tickboard("follow", url))
        joined_s = until(lambda: live(wall) >= real + synthetic, "each host")
        time.sleep(10)
        cpu, nats_cpu, began = wall.cpu(), nats.cpu(), time.monotonic()
        late = delays(wall.port, TICKS, real + synthetic)
        passed = time.monotonic() - began
        found["all hosts live after the wall's start, s"] = f"{joined_s:.1f}"
        found["wall, % of a core"] = f"{(wall.cpu() - cpu) / passed * 100:.1f}"
        found["wall, memory in MB"] = f"{wall.memory_mb():.0f}"
        found["NATS server, % of a core"] = f"{(nats.cpu() - nats_cpu) / passed * 100:.1f}"
        for name, some in (
            ("all", np.concatenate([*late.values()])),
            ("synthetic", late.get("web")),
            ("real", late["real"]),
        ):
            if some is not None:
                median, most = np.percentile(some, (50, 99)) * 1000
                found[f"from a host's tick to the viewer, ms, {name} hosts: median"] = f"{median:.0f}"
                found[f"{name} hosts: p99"] = f"{most:.0f}"
        found["values that never came"] = str(sum(int(np.isinf(some).sum()) for some in late.values()))
    return found


def _hole() -> Table:
    """Measure how fast a wall fills an hour that it has missed."""
    table = Table(
        "An hour's hole in 100 hosts",
        f"A wall of {HOLES} hosts is away for an hour (its clock was an hour behind before), and reads what it has "
        f"missed from the hosts' histories: {HOLES * len(SERIES_OF_OVERVIEW)} series of 3,600 ticks.",
        ["", "measured", "limit"],
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state = ["--state", str(folder / "wall.state"), "--history", str(folder / "wall.history")]
        before = clock(folder, -HOUR_S)
        url, _ = stack.enter_context(nats_server())
        with (
            many_hosts(url, HOLES, SERIES, environ=before),
            tickboard("follow", url, *state, environ=before) as wall,
        ):
            until(lambda: live(wall) == HOLES, "each host")
            time.sleep(20)
            wall.process.terminate()
            wall.process.wait(30)
        stack.enter_context(many_hosts(url, HOLES, SERIES, folder / "hosts.history", HOUR_S + 300))
        # The hosts make their history first.
        heard = stack.enter_context(tickboard("follow", url, "--state", "none"))
        until(lambda: live(heard) == HOLES, "each host")
        heard.process.kill()
        wall = stack.enter_context(tickboard("follow", url, *state))
        began = time.monotonic()
        until(lambda: live(wall) == HOLES and filling(wall) > 0, "the first hole")
        until(lambda: filling(wall) == 0, "the last hole filled")
        handed_over = time.monotonic() - began
        # The minutes of the end may change while it is read.
        whole = HOLES * (HOUR_S - 120)
        until(lambda: _recorded(wall) >= whole, "each value in the history")
        table.add("every value handed over after the wall's start, s", f"{handed_over:.1f}", "")
        table.add("every value in the wall's history, s", f"{time.monotonic() - began:.1f}", "10")
        table.add("ticks skipped meanwhile", str(json.loads(wall.get("/api/health"))["ticks_skipped"]), "0")
    return table


def _recorded(wall: Program) -> int:
    """Return how many values of one metric a wall's history has of the hour, without its first and last minute."""
    answer = json.loads(wall.get("/api/history?metrics=cpu_usage&from=-59m&to=-1m&points=5000&stats=count"))
    return sum(sum(series["count"]) for series in answer["series"])


def _host() -> Table:
    """Measure what publishing costs the host board."""
    table = Table(
        "What publishing costs a host",
        "CPU of the host board at one tick a second with `--nats`, and of another one without, at the same time "
        f"over {COST_S:g} s; a wall follows the first.",
        ["", "% of a core", "limit"],
    )
    with contextlib.ExitStack() as stack:
        url, _ = stack.enter_context(nats_server())
        published = stack.enter_context(tickboard("--nats", url, "--name", "a", "--state", "none"))
        alone = stack.enter_context(tickboard("--state", "none"))
        wall = stack.enter_context(tickboard("follow", url, "--state", "none"))
        until(lambda: live(wall) == 1, "the host")
        time.sleep(10)
        with_nats, without = _shares([published, alone])
        table.add("with NATS", f"{with_nats:.2f}", "")
        table.add("without", f"{without:.2f}", "")
        table.add("more", f"{with_nats - without:.2f}", "0.1")
    return table


def _shares(programs: list[Program]) -> list[float]:
    """Return the share of a core that each program uses, in per cent."""
    before, began = [each.cpu() for each in programs], time.monotonic()
    time.sleep(COST_S)
    passed = time.monotonic() - began
    return [(each.cpu() - cpu) / passed * 100 for each, cpu in zip(programs, before, strict=True)]
