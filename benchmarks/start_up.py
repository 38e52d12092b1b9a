"""How long `tickboard` takes to start: to its greeting, and to the first tick that a viewer sees."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from websockets.sync.client import connect

from benchmarks.report import Table, duration

EXAMPLE = Path(__file__).parents[1] / "examples" / "dashboard.py"

ROUNDS = 5

FLOOR = "`python -c 'import starlette, uvicorn, numpy'`"

ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of what is started: without bytecode, compiling takes longer than all the rest, and an installed program has it."""


@dataclass(frozen=True)
class Started:
    """A `tickboard` that serves, and the seconds that it took to say so, and of CPU time."""

    process: subprocess.Popen[str]
    url: str
    greeted_s: float
    cpu_s: float


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """Start `tickboard` on a free port, and end it."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tickboard", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRON) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://(\S+)", process.stdout.readline())
            if found is None:
                raise RuntimeError(f"{' '.join(command)} did not say where it serves")
            greeted_s = time.perf_counter() - began
            yield Started(process, found.group(1), greeted_s, sum(psutil.Process(process.pid).cpu_times()[:2]))
        finally:
            process.terminate()
            process.wait(10)


def first_tick_s(interval: str) -> tuple[float, float, float]:
    """Return the seconds from the start to the greeting and to the first `metrics` message, and CPU to the greeting."""
    began = time.perf_counter()
    with (
        started("run", str(EXAMPLE), "--interval", interval) as running,
        connect(f"ws://{running.url}/ws/metrics") as viewer,
    ):
        while json.loads(viewer.recv(10))["type"] != "metrics":
            pass
        return running.greeted_s, time.perf_counter() - began, running.cpu_s


def floor_s(code: str) -> tuple[float, float]:
    """Return the seconds that a Python process takes to run `code`, and of CPU time."""
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRON)
    took, after = time.perf_counter() - began, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    runs: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    # Compiles what has no bytecode yet.
    first_tick_s("100")
    for _ in range(ROUNDS):
        greeted, ticked, cpu_s = first_tick_s("100")
        _, ticked_slow, _ = first_tick_s("1000")
        for name, seconds, used in (
            ("`python -c pass`", *floor_s("pass")),
            (FLOOR, *floor_s("import starlette, uvicorn, numpy")),
            ("greeting, address ready", greeted, cpu_s),
            ("first tick at a viewer, `--interval 100`", ticked, None),
            ("first tick at a viewer, `--interval 1000`", ticked_slow, None),
        ):
            runs.setdefault(name, []).append(seconds)
            if used is not None:
                cpu.setdefault(name, []).append(used)
    result = Table(
        "Start",
        "From starting the process of `tickboard run examples/dashboard.py` on. The import of the three libraries "
        "that it stands on is the floor that it cannot go below. Ticks are at whole multiples of the interval, so "
        "the first one comes up to an interval after the program is ready, half of one on average. CPU is user and "
        "system time, a median too.",
        ["to", "median", "worst", "beside the floor", "CPU"],
    )
    floor = statistics.median(runs[FLOOR])
    for name, each in runs.items():
        median = statistics.median(each)
        used_text = duration(statistics.median(cpu[name])) if name in cpu else ""
        result.add(name, duration(median), duration(max(each)), f"{median / floor:.2f} x", used_text)
    return [result]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
