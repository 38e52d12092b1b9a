"""A program for tests: its children write a history until they are killed, and report what they committed.

Usage: python -m tests.history_writer [syncs]; with it they report only what should survive a power cut. It imports
everything before it forks, so that a hundred children start as fast as one.
"""

import itertools
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np

from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

SAID = 8
"""Bytes of a reported number."""

SERIES = 300
"""In two stripes."""

BATCH = 40
"""Ticks in a commit."""

SYNC_EVERY = 5
"""Batches until a commit waits for the disk."""

LAYOUT = Layout(tuple((f"m{number}", (), "") for number in range(SERIES)), np.arange(SERIES))


def write(path: Path, start_ms: int, name: str, *, syncs: bool) -> None:
    """Append ticks forever, a second apart. Every series has the number of the tick as its value."""
    history = History(path, Retention(raw_s=7200, minutes_s=86_400), lambda problem: None, commit_s=0.005)
    history.begin(name, 1000, 10)
    for seq in itertools.count(1):
        history.append(seq, (start_ms + 1000 * seq) / 1000, LAYOUT, np.full(SERIES, float(seq)))
        if not seq % BATCH:
            history.flush()
            if not syncs:
                say(seq)
            elif not seq % (BATCH * SYNC_EVERY):
                history._writing._wait(history._writing._job(partial(history._writing._commit, through=True)), None)
                say(seq)


def say(number: int) -> None:
    """Write one number, whole or not at all."""
    os.write(sys.stdout.fileno(), number.to_bytes(SAID, "big"))


def main() -> None:
    """Fork a writer for each line of input (path, time, name). Write 0 when it was killed."""
    for line in sys.stdin:
        path, start, name = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            say(os.getpid())
            write(Path(path), int(start), name, syncs="syncs" in sys.argv)
        os.waitpid(child, 0)
        say(0)


if __name__ == "__main__":
    main()
