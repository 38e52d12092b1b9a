import sys
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from tickboard.sources.host.memory import Swap, read_memory
from tickboard.sources.host.readings import SLOW_S, Label, Readings


class MacMemory(NamedTuple):
    total: int
    available: int
    percent: float
    used: int
    free: int
    active: int
    inactive: int
    wired: int


class WindowsMemory(NamedTuple):
    total: int
    available: int
    percent: float
    used: int
    free: int


def kinds(readings: Readings) -> dict[Label, float]:
    return {label: value for (name, label), value in readings.items() if name == "memory_kind"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_agrees_with_proc() -> None:
    found = read_memory(0)
    info = {
        name: 1024 * int(rest.split()[0])
        for name, _, rest in (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())
    }
    whole = info["MemTotal"]
    close = whole / 50
    assert found["memory_available", ""] == pytest.approx(info["MemAvailable"], abs=close)
    assert found["memory_usage", ""] == pytest.approx(100 * (1 - info["MemAvailable"] / whole), abs=2)
    assert list(kinds(found)) == ["used", "shared", "cached", "buffers", "free"]
    assert sum(kinds(found).values()) == whole
    cached = info["Cached"] + info["SReclaimable"] - info["Shmem"]
    for kind, size in {
        "shared": info["Shmem"],
        "cached": cached,
        "buffers": info["Buffers"],
        "free": info["MemFree"],
        "used": whole - cached - info["Shmem"] - info["Buffers"] - info["MemFree"],
    }.items():
        assert kinds(found)[kind] == pytest.approx(size, abs=close)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (
            MacMemory(1000, 500, 50.0, 550, 100, 300, 280, 200),
            {"used": 420, "wired": 200, "inactive": 280, "free": 100},
        ),
        (WindowsMemory(1000, 400, 60.0, 600, 400), {"used": 600, "free": 400}),
    ],
)
def test_on_other_platforms_the_kinds_of_memory_add_up_to_the_total(
    monkeypatch: pytest.MonkeyPatch, memory: MacMemory | WindowsMemory, expected: dict[str, float]
) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    found = read_memory(0)
    assert kinds(found) == expected
    assert sum(kinds(found).values()) == memory.total
    assert found["memory_usage", ""] == memory.percent


def test_swapping_is_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = SimpleNamespace(total=1000, used=125, percent=12.5, sin=4096, sout=0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    monkeypatch.setattr(sys, "platform", "linux")
    read = Swap()
    first = read(100)
    assert (first["swap_usage", ""], first["swap_used", ""]) == (12.5, 125)
    assert isnan(first["swap_in_rate", ""])
    swap.sin, swap.sout = 3 * 4096, 4096
    second = read(102)
    assert (second["swap_in_rate", ""], second["swap_out_rate", ""]) == (4096, 2048)


def test_windows_has_no_swapping_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = SimpleNamespace(total=1000, used=125, percent=12.5, sin=0, sout=0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    monkeypatch.setattr(sys, "platform", "win32")
    assert Swap()(100) == {("swap_usage", ""): 12.5, ("swap_used", ""): 125}


def test_a_machine_without_swap_is_checked_again_occasionally(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = SimpleNamespace(total=0, used=0, percent=0.0, sin=0, sout=0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    read = Swap()
    assert read(100) == {}
    swap.total = 1000
    assert read(101) == {}
    assert ("swap_usage", "") in read(100 + SLOW_S)
