import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import psutil
import pytest

from tickboard.sources.host.processes import (
    EVERY_S,
    LARGEST_SHARE,
    MAX_SHOWN,
    STAYS_FOR,
    TOP,
    Process,
    Processes,
    Program,
    Top,
    Users,
    _Processes,
    read_proc,
    read_psutil,
    reader,
)
from tickboard.sources.host.readings import Readings

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TICK_S = 0.01
USER = psutil.Process().username()
MB = 1_000_000

PROGRAM = """
import sys, time
for line in sys.stdin:
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    print("done", flush=True)
"""


class Child:
    """A real process with its own name, which works on request and then waits."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        self._in: IO[str] = running.stdin
        self._out: IO[str] = running.stdout
        self.process = psutil.Process(running.pid)

    def work(self) -> None:
        self._in.write("work\n")
        self._in.flush()
        assert self._out.readline() == "done\n"

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def children(program: Path, count: int) -> Iterator[list[Child]]:
    """Run real processes named like the file `program`."""
    if not os.path.lexists(program):
        program.symlink_to(Path(sys.executable).resolve())
    command = [str(program), "-I", "-S", "-c", PROGRAM]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    try:
        found = [Child(each) for each in running]
        for child in found:
            child.work()
        yield found
    finally:
        for each in running:
            each.kill()
            each.communicate(timeout=10)


def cpu_of(readings: Readings) -> dict[str, float]:
    return {label[0]: value for (name, label), value in readings.items() if name == "process_cpu"}


# --- real processes ---


@pytest.mark.parametrize(
    "read",
    [pytest.param(lambda: read_proc("/proc", Users(Path("/etc/passwd"))), marks=on_linux, id="proc"), read_psutil],
)
def test_processes_of_one_name_agree_with_psutil(tmp_path: Path, read: object) -> None:
    assert callable(read)
    name = "busy-beaver"
    with children(tmp_path / name, 2) as found:
        processes: dict[int, Process] = {process[0][0]: process for process in read()}
        for child in found:
            _, its_name, user, cpu_s, rss_bytes = processes[child.process.pid]
            assert (its_name, user) == (name, USER)
            assert cpu_s == pytest.approx(child.cpu_s(), abs=2 * TICK_S)
            assert cpu_s >= 0.2 - 2 * TICK_S
            # The kernel's fast counter lags a little (proc_pid_stat(5)).
            assert rss_bytes == pytest.approx(child.process.memory_info().rss, rel=0.1)


def test_the_cpu_of_a_name_sums_its_processes_in_percent_of_a_core(tmp_path: Path) -> None:
    name = "busy-beavers"
    with children(tmp_path / name, 2) as found:
        read = Processes(reader(Path("/")))
        first = read(100)
        assert all(isnan(cpu) for cpu in cpu_of(first).values())
        for now in (102, 104, 106):
            before = sum(child.cpu_s() for child in found)
            for child in found:
                child.work()
            worked = sum(child.cpu_s() for child in found) - before
            readings = read(now)
        assert readings["process_count", (name, USER)] == 2
        assert readings["process_cpu", (name, USER)] == pytest.approx(100 * worked / 2, abs=100 * 4 * TICK_S / 2)
        both = sum(child.process.memory_info().rss for child in found)
        assert readings["process_memory", (name, USER)] == pytest.approx(both, rel=0.1)
        assert readings["processes", ""] == pytest.approx(len(psutil.pids()), abs=20)


@on_linux
def test_a_process_may_have_any_name(tmp_path: Path) -> None:
    with children(tmp_path / os.fsdecode(b'a"\xff)\n (b'), 1) as [child]:
        names = {process[0][0]: process[1] for process in read_proc("/proc", str)}
        assert names[child.process.pid] == os.fsdecode(b'a"\xff)\n (b')


def test_names_that_become_equal_when_sanitized_stay_separate() -> None:
    read = [
        ((1, 1.0), 'a"', "ann", 0.0, 1),
        ((2, 1.0), "a'", "ann", 0.0, 2),
        ((3, 1.0), "b\n", "ann", 0.0, 3),
        ((4, 1.0), "b\n", "ann", 0.0, 4),
    ]
    found = Processes(lambda: read)(100)
    memory = {label[0]: value for (name, label), value in found.items() if name == "process_memory"}
    assert sorted(memory.values()) == [1, 2, 7]
    assert memory["b\ufffd"] == 7
    assert all(label.startswith("a'~") for label, value in memory.items() if value < 3)


@on_linux
def test_an_empty_proc_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    with pytest.raises(FileNotFoundError, match="has no processes: is it mounted"):
        list(read_proc(str(tmp_path), str))


# --- trees of /proc ---


def stat(root: Path, number: int, name: bytes, *, flags: int = 0, ticks: int = 0, began: int = 1) -> None:
    folder = root / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = f"1 1 1 0 -1 {flags} 0 0 0 0 {ticks} {ticks} 0 0 20 0 1 0 {began} 4096 2 0 0 0"
    (folder / "stat").write_bytes(b"%d (%s) S %s\n" % (number, name, numbers.encode()))


@on_linux
def test_kernel_threads_of_one_kind_share_a_name(tmp_path: Path) -> None:
    stat(tmp_path, 7, b"kworker/0:1-events", flags=0x04208060)
    stat(tmp_path, 8, b"kworker/u8:2", flags=0x04208060)
    stat(tmp_path, 9, b"not/kernel")
    (tmp_path / "self").mkdir()
    (tmp_path / "10").mkdir()  # a process that has just ended
    assert sorted(process[1] for process in read_proc(str(tmp_path), str)) == ["kworker", "kworker", "not/kernel"]


@on_linux
def test_fields_are_read_by_position(tmp_path: Path) -> None:
    stat(tmp_path, 7, b"work", ticks=50, began=123)
    [(who, name, user, cpu_s, rss_bytes)] = read_proc(str(tmp_path), str)
    assert (who, name, user) == ((7, 123), "work", str(os.getuid()))
    assert cpu_s == pytest.approx(100 / os.sysconf("SC_CLK_TCK"))
    assert rss_bytes == 2 * os.sysconf("SC_PAGE_SIZE")


def test_a_missing_proc_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_proc(str(tmp_path / "none"), str))


# --- other platforms ---


def test_processes_hidden_by_another_platform_are_omitted(monkeypatch: pytest.MonkeyPatch) -> None:
    times = SimpleNamespace(user=1.0, system=0.5)
    found = [
        (0, "System Idle Process", None, times, None, 0.0),
        (4, "System", None, None, None, None),
        (8, "a\n", "ann", times, SimpleNamespace(rss=7), 5.0),
    ]

    def listed(attrs: list[str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, info=dict(zip(attrs, info, strict=True))) for pid, *info in found]

    monkeypatch.setattr(psutil, "process_iter", listed)
    assert list(read_psutil()) == [((4, 0.0), "System", "", 0.0, 0), ((8, 5.0), "a\n", "ann", 1.5, 7)]


def test_proc_is_read_only_on_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert reader(tmp_path) is read_psutil


def test_users_are_named_as_in_the_file_and_numbers_stay_numbers(tmp_path: Path) -> None:
    file = tmp_path / "passwd"
    file.write_text("root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:1000::/:/bin/sh\nalso:x:1000:1000::/:/bin/sh\n")
    users = Users(file)
    assert [users(number) for number in (0, 1000, 7)] == ["root", "ann", "7"]
    file.write_text("new:x:8:8::/:/bin/sh\n")
    assert [users(number) for number in (8, 0)] == ["new", "root"]


def test_a_user_has_a_name_once_the_file_can_be_read(tmp_path: Path) -> None:
    users = Users(tmp_path / "passwd")
    assert users(0) == "0"
    (tmp_path / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    assert users(0) == "root"


def test_the_same_name_of_two_users_is_two_programs() -> None:
    machine = Machine(((7, 1.0), "sh", "ann", 0.0, MB), ((8, 1.0), "sh", "bob", 0.0, 3 * MB))
    found = Processes(machine)(100)
    assert found["process_memory", ("sh", "ann")] == MB
    assert found["process_memory", ("sh", "bob")] == 3 * MB


def test_users_whose_names_become_equal_when_sanitized_stay_separate() -> None:
    found = Processes(Machine(((7, 1.0), "sh", 'a"', 0.0, MB), ((8, 1.0), "sh", "a'", 0.0, 3 * MB)))(100)
    assert sorted(value for (name, _), value in found.items() if name == "process_memory") == [MB, 3 * MB]


# --- readings ---


class Machine:
    """A reader that returns given processes and counts its calls."""

    def __init__(self, *processes: Process) -> None:
        self.processes = list(processes)
        self.looks = 0

    def __call__(self) -> list[Process]:
        self.looks += 1
        return self.processes


def test_a_reused_process_id_is_another_process() -> None:
    machine = Machine(((7, 1.0), "a", "ann", 50.0, MB))
    read = Processes(machine)
    read(100)
    machine.processes = [((7, 99.0), "a", "ann", 0.5, MB)]
    assert cpu_of(read(102)) == {"a": 25}


def test_a_new_process_counts_and_a_decreasing_cpu_time_does_not() -> None:
    machine = Machine(((7, 1.0), "a", "ann", 50.0, MB))
    read = Processes(machine)
    read(100)
    machine.processes = [((7, 1.0), "a", "ann", 49.0, MB), ((8, 99.0), "a", "ann", 1.0, MB)]
    found = read(102)
    assert cpu_of(found) == {"a": 50}
    assert found["process_count", ("a", "ann")] == found["processes", ""] == 2


def test_processes_are_read_again_soon_and_then_every_two_seconds() -> None:
    machine = Machine(((7, 1.0), "a", "ann", 0.0, MB))
    read = Processes(machine, spent=lambda: 0.0)
    looks = []
    for now in (100, 100.5, 101, 102, 102.9, 103, 104, 104.95):
        read(now)
        looks.append(machine.looks)
    assert looks == [1, 1, 2, 2, 3, 3, 3, 4]


def test_processes_are_read_less_often_where_reading_is_expensive() -> None:
    spent = [0.0, 0.5, 0.6, 0.6, 0.7]
    machine = Machine(((7, 1.0), "a", "ann", 0.0, MB))
    read = Processes(machine, spent=lambda: spent.pop(0))
    read(100)
    read(101)
    pause_s = 0.1 / LARGEST_SHARE
    assert pause_s > EVERY_S
    read(101 + pause_s - 1)
    assert machine.looks == 2
    read(101 + pause_s)
    assert machine.looks == 3


# --- selection of the top processes ---


def programs(cpu: dict[str, float], memory: dict[str, int] | None = None) -> dict[Program, _Processes]:
    memory = memory or {}
    return {(name, "ann"): _Processes(cpu.get(name, 0.0), memory.get(name, 0), 1) for name in {**cpu, **memory}}


def chosen(top: Top, found: dict[Program, _Processes]) -> list[str]:
    return [name for name, _ in top.choose(found)]


def test_the_top_by_cpu_and_the_top_by_memory_are_both_shown() -> None:
    cpu = {f"cpu{number}": 100.0 - number for number in range(TOP + 5)}
    memory = {f"memory{number}": 100 * MB - number for number in range(TOP + 5)}
    top = Top()
    chosen(top, programs(cpu, memory))
    shown = chosen(top, programs(cpu, memory))
    assert sorted(shown) == sorted(
        [f"cpu{number}" for number in range(TOP)] + [f"memory{number}" for number in range(TOP)]
    )


def test_an_idle_process_is_not_shown() -> None:
    top = Top()
    for _ in range(3):
        assert chosen(top, programs({"idle": 0.0, "asleep": 0.05})) == []


def test_a_newcomer_is_shown_at_its_second_reading_and_stays_for_a_while() -> None:
    steady, with_guest = programs({}, {"steady": MB}), programs({"guest": 100}, {"steady": MB})
    resting = programs({"guest": 0}, {"steady": MB})
    top = Top()
    assert chosen(top, steady) == ["steady"]
    assert chosen(top, with_guest) == ["steady"]
    assert sorted(chosen(top, with_guest)) == ["guest", "steady"]
    shown = [("guest" in chosen(top, resting)) for _ in range(100)]
    # It stays for a while after its smoothed CPU time falls below the threshold.
    left = shown.index(False)
    assert STAYS_FOR < left < 2 * STAYS_FOR + 10
    assert not any(shown[left:])


def test_a_process_seen_only_once_is_never_shown() -> None:
    top = Top()
    chosen(top, programs({}, {"steady": MB}))
    for number in range(20):
        assert chosen(top, programs({f"flash{number}": 100}, {"steady": MB})) == ["steady"]


def test_an_ended_process_is_removed_at_once() -> None:
    top = Top()
    chosen(top, programs({}, {"steady": MB, "brief": MB}))
    assert chosen(top, programs({}, {"steady": MB})) == ["steady"]


def test_names_that_swap_ranks_do_not_change_the_selection() -> None:
    top, sets = Top(), set()
    for look in range(30):
        memory = {f"p{number}": (100 if (number + look) % 2 else 99) * MB for number in range(TOP + 4)}
        shown = frozenset(chosen(top, programs({}, memory)))
        if look > 4:
            sets.add(shown)
    assert len(sets) == 1


def test_the_number_of_shown_processes_is_bounded() -> None:
    top = Top()
    for look in range(3 * STAYS_FOR):
        wave = look // 2 % 12
        memory = {f"p{wave}.{number}" if number < TOP else f"q{number}": 1 for number in range(TOP)}
        others = {f"p{each}.{number}": 0 for each in range(12) for number in range(TOP)}
        assert len(chosen(top, programs(dict.fromkeys(others, 0.0), memory))) <= MAX_SHOWN
