"""Asks a server for a document again and again while it is busy, and tells how long the answers took.

Usage: python probe.py PORT PATH SECONDS; prints the answers' times in milliseconds as JSON. It is a process
of its own, and goes before the viewers on their core, so that what it sees is the server.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

EVERY_S = 0.1


def main(port: int, path: str, seconds: float) -> None:
    """Ask, and print the times."""
    with contextlib.suppress(OSError):
        os.nice(-10)
    times = []
    end = time.perf_counter() + seconds
    asking = http.client.HTTPConnection("127.0.0.1", port)
    while time.perf_counter() < end:
        began = time.perf_counter()
        asking.request("GET", path)
        answer = asking.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        times.append((time.perf_counter() - began) * 1000)
        time.sleep(EVERY_S)
    print(json.dumps(times))


class Probe:
    """The times of a probe that has ended, in milliseconds."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @property
    def worst_ms(self) -> float:
        """The longest."""
        return max(self.times)


@contextlib.contextmanager
def probing(port: int, path: str, seconds: float) -> Iterator[Probe]:
    """Ask for so long; the context waits for the end."""
    probe = Probe()
    command = [sys.executable, __file__, str(port), path, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield probe
        said, _ = process.communicate(timeout=seconds + 60)
        probe.times = json.loads(said)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
