"""How long `tickboard` takes to start: to its greeting, and to the first tick that a viewer sees."""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.report import Table, duration

EXAMPLE = Path(__file__).parents[1] / "examples" / "dashboard.py"

ROUNDS = 5


@dataclass(frozen=True)
class Started:
    """A `tickboard` that serves, and the seconds that it took to say so."""

    process: subprocess.Popen[str]
    url: str
    greeted_s: float


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """Start `tickboard` on a free port, and end it."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "tickboard", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://(\S+)", process.stdout.readline())
            if found is None:
                raise RuntimeError(f"{' '.join(command)} did not say where it serves")
            yield Started(process, found.group(1), time.perf_counter() - began)
        finally:
            process.terminate()
            process.wait(10)


def first_tick_s(interval: str) -> tuple[float, float]:
    """Return the seconds from the start to the greeting, and to the first `metrics` message."""
    began = time.perf_counter()
    with (
        started("run", str(EXAMPLE), "--interval", interval) as running,
        connect(f"ws://{running.url}/ws/metrics") as viewer,
    ):
        while json.loads(viewer.recv(10))["type"] != "metrics":
            pass
        return running.greeted_s, time.perf_counter() - began


def floor_s(code: str) -> float:
    """Return the seconds that a Python process takes to run `code`."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    runs: dict[str, list[float]] = {}
    first_tick_s("100")
    for _ in range(ROUNDS):
        greeted, ticked = first_tick_s("100")
        _, ticked_slow = first_tick_s("1000")
        for name, seconds in {
            "`python -c pass`": floor_s("pass"),
            "`python -c 'import starlette, uvicorn, numpy'`": floor_s("import starlette, uvicorn, numpy"),
            "greeting, address ready": greeted,
            "first tick at a viewer, `--interval 100`": ticked,
            "first tick at a viewer, `--interval 1000`": ticked_slow,
        }.items():
            runs.setdefault(name, []).append(seconds)
    result = Table(
        "Start",
        "From starting the process of `tickboard run examples/dashboard.py` on. The import of the three libraries "
        "that it stands on is the floor that it cannot go below. Ticks are at whole multiples of the interval, so "
        "the first one comes up to an interval after the program is ready, half of one on average.",
        ["to", "median", "worst", "beside the floor"],
    )
    floor = statistics.median(runs["`python -c 'import starlette, uvicorn, numpy'`"])
    for name, each in runs.items():
        median = statistics.median(each)
        result.add(name, duration(median), duration(max(each)), f"{median / floor:.2f} x")
    return [result]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
