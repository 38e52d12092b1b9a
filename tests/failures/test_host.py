"""Reading the host: a part that is missing, forbidden or broken does not affect the others."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from math import isnan
from typing import Any, NoReturn

import psutil
import pytest
from tests.serving import serve

from tickboard.metrics.registry import Registry
from tickboard.sources.host import Host, HostError

UNSHARE = ["unshare", "--mount", "sh", "-c"]


def can_unshare() -> bool:
    """Return whether this user may create a mount namespace."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return not subprocess.run([*UNSHARE, "mount -t tmpfs none /proc"], capture_output=True, check=False).returncode


own_view = pytest.mark.skipif(not can_unshare(), reason="needs a mount namespace of its own")


def raises(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("secret: /home/me")


def no_such_thing(*_: object, **__: object) -> NoReturn:
    raise NotImplementedError


def nonsense(*_: object, **__: object) -> object:
    return 7


def nothing(*_: object, **__: object) -> None:
    return None


PARTS = {
    "cpu_times": ("cpu_usage", "cpu"),
    "cpu_freq": ("cpu_frequency", "CPU frequency"),
    "cpu_stats": ("interrupts_rate", "interrupts"),
    "virtual_memory": ("memory_usage", "memory"),
    "swap_memory": ("swap_usage", "swap"),
    "getloadavg": ('load{span="1m"}', "load"),
    "disk_usage": ("disk_usage", "disk usage"),
    "disk_io_counters": ("disk_read_rate", "disk rates"),
    "net_io_counters": ("net_received_rate", "network rates"),
}
"""Functions of psutil, with a series made from each and the name of the part in reports."""


STEADY = {"memory_usage", "disk_usage", 'load{span="1m"}', "uptime"}
"""Series that have a value in every sample."""


class Seconds:
    """A clock that advances by a minute at each call, so that no reading is cached."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


def shown(registry: Registry) -> set[str]:
    row = registry.collect(1)
    return {series.key for series in registry.series if not isnan(row[series.column])}


@pytest.mark.parametrize("broken", [raises, nonsense, nothing, no_such_thing])
@pytest.mark.parametrize("asked", PARTS)
def test_only_a_failing_part_is_reported_and_recovers(
    asked: str, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    host = Host(registry, Seconds())
    host.sample()
    series, part = PARTS[asked]
    had = series in shown(registry)
    with monkeypatch.context() as broke:
        broke.setattr(psutil, asked, broken, raising=False)
        if broken is no_such_thing or (broken is nothing and asked == "cpu_freq"):
            # A reading that the platform does not have is not a failure.
            host.sample()
        else:
            with pytest.raises(HostError) as caught:
                host.sample()
            # The usage of the root and of each mount are read in the same way.
            assert {part} <= caught.value.failures.keys() <= {part, "disk space" if part == "disk usage" else part}
            assert f"cannot read from this host: {part} (" in str(caught.value)
            assert "secret" not in str(caught.value)
            assert ("secret: /home/me" in caught.value.detail) is (broken is raises)
        found = shown(registry)
        assert series not in found
        assert found >= STEADY - {series}
    host.sample()
    assert shown(registry) >= STEADY
    assert (series in shown(registry)) is had or series == "cpu_usage"


@pytest.mark.parametrize("broken", [raises, nonsense])
def test_parts_broken_from_the_start_are_reported_and_declared_once_they_work(
    broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    with monkeypatch.context() as broke:
        for asked in PARTS:
            broke.setattr(psutil, asked, broken, raising=False)
        host = Host(registry, Seconds())
        with pytest.raises(HostError):
            host.sample()
        assert "uptime" in shown(registry)
    host.sample()
    host.sample()
    assert shown(registry) >= STEADY


@own_view
@pytest.mark.parametrize(
    ("prepare", "missing"),
    [
        ("mount -t tmpfs none /proc", {"cpu", "memory", "processes", "network rates"}),
        ("mount -t tmpfs none /sys", set()),
        ("mount -t tmpfs none /proc && mount -t tmpfs none /sys", {"cpu", "memory", "processes", "network rates"}),
        ("mount --bind /dev/null /proc/diskstats", set()),
        ("mount --bind /dev/null /proc/meminfo", {"memory"}),
        ("mount --bind /dev/null /proc/stat", {"cpu"}),
        ("mount -t proc -o hidepid=2 proc /proc", set()),
    ],
)
def test_a_restricted_machine_is_shown_as_far_as_possible(prepare: str, missing: set[str]) -> None:
    program = [*UNSHARE, f'{prepare}; exec "$0" -m tickboard "$@"', sys.executable]
    with serve("--interval", "100", program=program) as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 15)
        problems = running.json("/api/board").get("problems", [])
        message = " ".join(problem["message"] for problem in problems)
        assert all(f"{part} (" in message for part in missing)
        assert bool(problems) is bool(missing)
        stats = running.json("/api/stats")
        assert stats["uptime"]["count"] > 0
        if "processes" in missing:
            assert "processes" not in stats
        assert "Traceback" not in running.output()
