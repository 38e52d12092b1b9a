"""Processes: which programs take the most CPU time and memory, by name.

Only names are read, never command lines: those hold passwords. Several processes of one name are one, and so are the
kernel's threads of one kind.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from heapq import nlargest
from math import inf, isnan, nan
from pathlib import Path
from typing import Final

import psutil

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.readings import EARLY_S, MetricSpec, Readings, read_file

METRICS: Final = {
    "processes": MetricSpec("Processes", ""),
    "process_cpu": MetricSpec("CPU", "%", "process"),
    "process_memory": MetricSpec("Memory", "B", "process"),
    "process_count": MetricSpec("Count", "", "process"),
}

EVERY_S = 2.0

LARGEST_SHARE = 0.004
"""Of one core: with so many processes that a look costs more, they are looked at less often."""

TOP = 10

MAX_SHOWN = 40

STAYS_FOR = 15
"""Looks for which a name stays after it was last at the top, so that the set changes rarely."""

LEAST_CPU = 0.3
"""Percent of a core below which nobody is at the top by CPU; one step of the kernel's clock in two seconds is 0.5."""

SMOOTHING = 0.3
"""How much of the newest look is in the CPU time that the top is chosen by."""

_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD in Linux's include/linux/sched.h."""

Process = tuple[tuple[int, float], str, float, int]
"""Who it is (its number and when it began: numbers are used again), its name, CPU time in seconds, RSS in bytes."""


@dataclass
class _Program:
    """All processes of one name."""

    cpu: float = 0.0
    rss_bytes: int = 0
    count: int = 0


class Processes:
    """The programs that are at the top by CPU or memory, looked at every two seconds.

    A process that began since the look before counts with all its CPU time; one that ended since then, with none.

    Args:
        read: returns all processes.
        spent: returns the CPU time that this thread has taken, in seconds.
    """

    def __init__(self, read: Callable[[], Iterable[Process]], spent: Callable[[], float] = time.thread_time) -> None:
        self._read = read
        self._spent = spent
        self._at = nan
        self._due = -inf
        self._times: dict[tuple[int, float], float] = {}
        self._top = Top()
        self._readings: Readings = {}

    def __call__(self, now: float) -> Readings:
        if now < self._due - EARLY_S:
            return self._readings
        began = self._spent()
        programs = self._look(now)
        shown = self._top.choose(programs)
        self._readings = {("processes", ""): sum(program.count for program in programs.values())}
        labels = safe_labels(programs)
        for name in shown:
            program, label = programs[name], labels[name]
            self._readings["process_cpu", label] = program.cpu
            self._readings["process_memory", label] = program.rss_bytes
            self._readings["process_count", label] = program.count
        # A second look soon, as the first one tells no CPU.
        self._due = now + (1.0 if isnan(self._at) else max(EVERY_S, (self._spent() - began) / LARGEST_SHARE))
        self._at = now
        return self._readings

    def _look(self, now: float) -> dict[str, _Program]:
        elapsed_s = now - self._at
        programs: dict[str, _Program] = {}
        times: dict[tuple[int, float], float] = {}
        for who, name, cpu_s, rss_bytes in self._read():
            program = programs.get(name)
            if program is None:
                program = programs[name] = _Program()
            program.cpu += 100 * max(0.0, cpu_s - self._times.get(who, 0.0)) / elapsed_s
            program.rss_bytes += rss_bytes
            program.count += 1
            times[who] = cpu_s
        self._times = times
        return programs


class Top:
    """Chooses whom to show: the top by CPU together with the top by memory.

    A newcomer is shown when it is at the top for the second time (at the first look, at once), and goes when it has
    not been there for `STAYS_FOR` looks, or is gone from the machine.
    """

    def __init__(self) -> None:
        self._look = 0
        self._cpu: dict[str, float] = {}
        self._last: dict[str, int] = {}
        self._shown: list[str] = []

    def choose(self, programs: Mapping[str, _Program]) -> list[str]:
        """Return the names to show."""
        self._look += 1
        self._cpu = {name: self._smooth(name, program.cpu) for name, program in programs.items()}
        by_cpu = nlargest(TOP, (name for name, cpu in self._cpu.items() if cpu >= LEAST_CPU), key=self._cpu.__getitem__)
        with_memory = (name for name, program in programs.items() if program.rss_bytes)
        by_memory = nlargest(TOP, with_memory, key=lambda name: programs[name].rss_bytes)
        top = {*by_cpu, *by_memory}
        stays = {name for name, last in self._last.items() if name in programs and self._look - last <= STAYS_FOR}
        shown = {name for name in self._shown if name in stays}
        shown |= {name for name in top if self._look == 1 or self._last.get(name) == self._look - 1}
        self._last = {name: self._last[name] for name in stays} | dict.fromkeys(top, self._look)
        self._shown = nlargest(MAX_SHOWN, sorted(shown), key=self._last.__getitem__)
        return self._shown

    def _smooth(self, name: str, cpu: float) -> float:
        before = self._cpu.get(name, 0.0)
        return before if isnan(cpu) else before + SMOOTHING * (cpu - before)


def reader(root: Path) -> Callable[[], Iterable[Process]]:
    """Return what reads all processes: on Linux from ``proc`` under `root`, as psutil takes many times as long."""
    return partial(read_proc, str(root / "proc")) if sys.platform == "linux" else read_psutil


def read_proc(folder: str) -> Iterator[Process]:
    """Read the ``stat`` of each process; the fields are in proc_pid_stat(5), counted from 1 there."""
    found = False
    tick_s, page_bytes = 1 / os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for number in os.listdir(folder):  # noqa: PTH208 - a Path for each of them costs more than to read it
        if not "0" < number[0] <= "9":
            continue
        try:
            stat = read_file(f"{folder}/{number}/stat")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or is hidden from us
        # The name is in parentheses, and may hold any byte, parentheses too.
        before, _, after = stat.rpartition(b") ")
        fields = after.split(None, 22)
        name = _name(before.partition(b" (")[2], bool(int(fields[6]) & _KERNEL_THREAD))
        cpu_s = (int(fields[11]) + int(fields[12])) * tick_s
        found = True
        yield (int(number), int(fields[19])), name, cpu_s, int(fields[21]) * page_bytes
    if not found:
        # Our own is always there, however much is hidden.
        raise FileNotFoundError(f"{folder} has no processes: is it mounted?")


@lru_cache(4096)
def _name(name: bytes, kernel: bool) -> str:
    text = name.decode(errors="surrogateescape")
    # kworker/0:1-events and the like are one program.
    return text.partition("/")[0] if kernel else text


def read_psutil() -> Iterator[Process]:
    """Read all processes through psutil; what may not be read of another's process is left out."""
    for process in psutil.process_iter(["name", "cpu_times", "memory_info", "create_time"]):
        # Windows counts the time in which nothing ran as that of a process 0.
        if process.pid == 0:
            continue
        times, memory = process.info["cpu_times"], process.info["memory_info"]
        yield (
            (process.pid, process.info["create_time"] or 0.0),
            process.info["name"] or "",
            times.user + times.system if times else 0.0,
            memory.rss if memory else 0,
        )
