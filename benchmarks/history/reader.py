"""Readers that ask a board for its history without pause, in a process of their own.

Usage: python reader.py PORT READERS PATH…; when its input ends, it prints the answers' times in milliseconds as JSON.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

FIRST_S = 60.0
"""The longest that the first answer may take."""


def main(port: int, readers: int, paths: Sequence[str]) -> None:
    """Ask until the input ends, and print the times."""
    done = threading.Event()
    times: list[float] = []
    errors: list[str] = []

    def read(first: int) -> None:
        number = first
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=FIRST_S)) as connection:
            while not done.is_set():
                path = paths[number % len(paths)]
                began = time.perf_counter()
                connection.request("GET", path)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    errors.append(f"{path}: {answer.status}: {content[:200]!r}")
                    return
                times.append((time.perf_counter() - began) * 1000)
                number += 1

    threads = [threading.Thread(target=read, args=(number,)) for number in range(readers)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    done.set()
    for thread in threads:
        thread.join()
    if errors:
        sys.exit(errors[0])
    print(json.dumps(times))


@contextmanager
def reading(port: int, readers: int, paths: Sequence[str]) -> Iterator[list[float]]:
    """Have readers ask for some documents in turn; after the context, the list has the milliseconds of each answer."""
    times: list[float] = []
    command = [sys.executable, __file__, str(port), str(readers), *paths]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield times
        said, _ = process.communicate(timeout=2 * FIRST_S)
        if process.returncode:
            raise RuntimeError("a reader failed")
        times += json.loads(said)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
