"""Files with a history, for tests."""

from pathlib import Path

import numpy as np
from tests.history.naive import Key, layout_of

from tickboard.history.layout import Layout
from tickboard.history.store import History, Retention

START = 1_800_000_000
"""A whole hour, POSIX seconds."""

CPU: Key = ("cpu.usage", (), "%")
DISKS: list[Key] = [("disk", (("mount", f'/"{letter}\n'),), "°") for letter in "ba"]
LAYOUT = layout_of([CPU, *DISKS])


def record(path: Path, *runs: tuple[float, int], layout: Layout = LAYOUT) -> None:
    """Record runs, each from a time on and so many ticks long; the values of a run begin with its number."""
    history = History(path, Retention(), lambda problem: None)
    for number, (start, ticks) in enumerate(runs, 1):
        history.begin(f"run{number}", 1000, 60)
        for seq in range(ticks):
            row = 1000.0 * number + seq + np.arange(len(layout.keys)) / 10
            row[-1] = np.nan if seq % 2 else row[-1]
            history.append(seq + 1, start + seq, layout, row)
        history.settle()
    history.close()
