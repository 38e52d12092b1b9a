"""Processes: the programs with the most CPU time and memory, by name and user.

Only names are read, never command lines, which may contain passwords. Processes of one user with the same name are
shown as one, and so are kernel threads of the same kind.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from heapq import nlargest
from math import inf, isnan, nan
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.readings import EARLY_S, MetricSpec, Readings, read_file

METRICS: Final = {
    "processes": MetricSpec("Processes", ""),
    "process_cpu": MetricSpec("CPU", "%", ("process", "user")),
    "process_memory": MetricSpec("Memory", "B", ("process", "user")),
    "process_count": MetricSpec("Count", "", ("process", "user")),
}

EVERY_S = 2.0

LARGEST_SHARE = 0.004
"""The largest share of one core that reading may cost: with very many processes, they are read less often."""

TOP = 10

MAX_SHOWN = 40

STAYS_FOR = 15
"""For how many readings a name stays after it was last at the top, so that the set rarely changes."""

LEAST_CPU = 0.3
"""The least CPU usage, in percent of a core, of a program at the top; one kernel clock tick in two seconds is 0.5."""

SMOOTHING = 0.3
"""The weight of the newest reading in the CPU time by which the top is chosen."""

_KERNEL_THREAD = 0x00200000
"""PF_KTHREAD in Linux's include/linux/sched.h."""

Process = tuple[tuple[int, float], str, str, float, int]
"""Its identity (pid and start time, since pids are reused), name, user, CPU time in seconds, and RSS in bytes."""

Program = tuple[str, str]
"""A name and a user."""


class _Processes(Struct):
    """All processes of one program."""

    cpu: float = 0.0
    rss_bytes: int = 0
    count: int = 0


class Processes:
    """The top programs by CPU or memory, read every two seconds.

    A process that started since the last reading counts with all its CPU time; one that ended since, with none.

    Args:
        read: returns all processes.
        spent: returns the CPU time used by this thread, in seconds.
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
        self._readings = {("processes", ""): sum(found.count for found in programs.values())}
        names, users = safe_labels(name for name, _ in programs), safe_labels(user for _, user in programs)
        for program in shown:
            name, user = program
            found, label = programs[program], (names[name], users[user])
            self._readings["process_cpu", label] = found.cpu
            self._readings["process_memory", label] = found.rss_bytes
            self._readings["process_count", label] = found.count
        # The second reading comes soon, since the first one shows no CPU.
        self._due = now + (1.0 if isnan(self._at) else max(EVERY_S, (self._spent() - began) / LARGEST_SHARE))
        self._at = now
        return self._readings

    def _look(self, now: float) -> dict[Program, _Processes]:
        elapsed_s = now - self._at
        programs: dict[Program, _Processes] = {}
        times: dict[tuple[int, float], float] = {}
        for who, name, user, cpu_s, rss_bytes in self._read():
            found = programs.get((name, user))
            if found is None:
                found = programs[name, user] = _Processes()
            found.cpu += 100 * max(0.0, cpu_s - self._times.get(who, 0.0)) / elapsed_s
            found.rss_bytes += rss_bytes
            found.count += 1
            times[who] = cpu_s
        self._times = times
        return programs


class Top:
    """Chooses the programs to show: the top by CPU together with the top by memory.

    A new one is shown when it is at the top for the second time (in the first reading, at once). It is removed when it
    has not been at the top for `STAYS_FOR` readings, or no longer exists.
    """

    def __init__(self) -> None:
        self._look = 0
        self._cpu: dict[Program, float] = {}
        self._last: dict[Program, int] = {}
        self._shown: list[Program] = []

    def choose(self, programs: Mapping[Program, _Processes]) -> list[Program]:
        """Return the programs to show."""
        self._look += 1
        self._cpu = {program: self._smooth(program, found.cpu) for program, found in programs.items()}
        busy = (program for program, cpu in self._cpu.items() if cpu >= LEAST_CPU)
        by_cpu = nlargest(TOP, busy, key=self._cpu.__getitem__)
        with_memory = (program for program, found in programs.items() if found.rss_bytes)
        by_memory = nlargest(TOP, with_memory, key=lambda program: programs[program].rss_bytes)
        top = {*by_cpu, *by_memory}
        stays = {
            program for program, last in self._last.items() if program in programs and self._look - last <= STAYS_FOR
        }
        shown = {program for program in self._shown if program in stays}
        shown |= {program for program in top if self._look == 1 or self._last.get(program) == self._look - 1}
        self._last = {program: self._last[program] for program in stays} | dict.fromkeys(top, self._look)
        self._shown = nlargest(MAX_SHOWN, sorted(shown), key=self._last.__getitem__)
        return self._shown

    def _smooth(self, program: Program, cpu: float) -> float:
        before = self._cpu.get(program, 0.0)
        return before if isnan(cpu) else before + SMOOTHING * (cpu - before)


def reader(root: Path) -> Callable[[], Iterable[Process]]:
    """Return a reader of all processes: on Linux, of ``proc`` under `root`, since psutil takes many times as long."""
    if sys.platform != "linux":
        return read_psutil
    return partial(read_proc, str(root / "proc"), Users(root / "etc" / "passwd"))


class Users:
    """The names of users by their numbers, from a file as passwd(5) describes it.

    A directory service is not asked, since it may be slow or hang: a user whom only it knows has a number for a name.

    Args:
        file: read when a number is met for the first time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._names: dict[int, str] = {}

    def __call__(self, number: int) -> str:
        """Return the name of a user."""
        if (name := self._names.get(number)) is None:
            try:
                names = self._read()
            except OSError:
                return str(number)  # the next call reads again
            name = self._names[number] = names.get(number, str(number))
        return name

    def _read(self) -> dict[int, str]:
        lines = self._file.read_text(errors="replace").splitlines()
        fields = [line.split(":") for line in lines]
        return {int(each[2]): each[0] for each in reversed(fields) if len(each) > 2 and each[2].isdecimal()}


def read_proc(folder: str, user: Callable[[int], str]) -> Iterator[Process]:
    """Read the ``stat`` file of each process; the fields are described in proc_pid_stat(5), which counts from 1.

    Args:
        folder: where processes are, ``/proc``.
        user: returns the name of a user by the number.

    Raises:
        FileNotFoundError: there is no process.
    """
    found = False
    tick_s, page_bytes = 1 / os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for number in os.listdir(folder):  # noqa: PTH208 - making a Path for each costs more than reading it
        if not "0" < number[0] <= "9":
            continue
        try:
            stat, owner = read_file(f"{folder}/{number}/stat"), os.stat(f"{folder}/{number}").st_uid  # noqa: PTH116
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or may not be read
        # The name is in parentheses, and may contain any byte, even parentheses.
        before, _, after = stat.rpartition(b") ")
        fields = after.split(None, 22)
        name = _name(before.partition(b" (")[2], bool(int(fields[6]) & _KERNEL_THREAD))
        cpu_s = (int(fields[11]) + int(fields[12])) * tick_s
        found = True
        yield (int(number), int(fields[19])), name, user(owner), cpu_s, int(fields[21]) * page_bytes
    if not found:
        # Our own process is always there, however many are hidden.
        raise FileNotFoundError(f"{folder} has no processes: is it mounted?")


@lru_cache(4096)
def _name(name: bytes, kernel: bool) -> str:
    text = name.decode(errors="surrogateescape")
    # kworker/0:1-events and the like count as one program.
    return text.partition("/")[0] if kernel else text


def read_psutil() -> Iterator[Process]:
    """Read all processes through psutil, without those fields of other users' processes that may not be read."""
    for process in psutil.process_iter(["name", "username", "cpu_times", "memory_info", "create_time"]):
        # Windows counts idle time as that of a process 0.
        if process.pid == 0:
            continue
        times, memory = process.info["cpu_times"], process.info["memory_info"]
        yield (
            (process.pid, process.info["create_time"] or 0.0),
            process.info["name"] or "",
            process.info["username"] or "",
            times.user + times.system if times else 0.0,
            memory.rss if memory else 0,
        )
