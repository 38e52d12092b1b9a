"""Lines of a command: samples a second into an intake, beside a plain reading of them that stores nothing."""

import time

from benchmarks.report import quickest
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.pipe import Pipe
from tickboard.sources.stdin import CHUNK

CHUNKS = 2
ROUNDS = 5
LINE = b"a 1\n"


def rate() -> tuple[float, float]:
    """Return samples a second: ours into an intake, and of splitting each line and reading its number."""
    data = LINE * (CHUNK // len(LINE))
    pipe = Pipe(Intake(Registry()).source("pipe"), lambda _: None)

    def ours() -> None:
        for _ in range(CHUNKS):
            for _ in pipe.receive(data, 0.0):
                pass

    def plain() -> None:
        for _ in range(CHUNKS):
            for line in data.splitlines():
                _, value = line.decode().split()
                float(value)

    ours()
    lines = CHUNKS * CHUNK // len(LINE)
    return lines / quickest(ours, ROUNDS), lines / quickest(plain, ROUNDS)


def longest_step_s() -> float:
    """Return the CPU time of the longest step of a chunk: more than that the loop is held by no slice."""
    pipe = Pipe(Intake(Registry()).source("pipe"), lambda _: None)
    longest, before = 0.0, time.thread_time()
    for _ in pipe.receive(LINE * (CHUNK // len(LINE)), 0.0):
        now = time.thread_time()
        longest, before = max(longest, now - before), now
    return longest


if __name__ == "__main__":
    print(*(f"{one:,.0f} samples/s" for one in rate()), f"longest step {longest_step_s() * 1e3:.2f} ms")
