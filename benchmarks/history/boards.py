"""Boards that are served, as programs of their own, with a history that an earlier run has recorded."""

import time
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np

from benchmarks.fanout.servers import Server, running, tickboard
from benchmarks.history.recordings import Synthetic
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History


def served(history: Path | None, series: int, interval_ms: int, **environ: str) -> AbstractContextManager[Server]:
    """Serve a board of some series, with its history in a file, or with none."""
    command, variables = tickboard(interval_ms, FANOUT_SERIES=str(series), **environ)
    return running("Tickboard", ([*command, "--history", str(history or "none")], variables))


def record_earlier(path: Path, series: int, ticks: int, *, sealed: bool) -> None:
    """Write the ticks of an earlier run of the board, a second apart and up to two minutes ago.

    Args:
        path: of the file.
        series: how many the board has.
        ticks: how many to write.
        sealed: whether they become blocks. Otherwise they stay rows, as if none of them had left the window.
    """
    board = Synthetic(series)
    layout = Layout(tuple((f"metric_{number}", (), "%") for number in range(series)), np.arange(series))
    start = time.time() - ticks - 120
    with closing(History(path, Retention(), print)) as history:
        history.begin("earlier", 1000, 60 if sealed else 2 * ticks)
        for seq in range(ticks):
            history.append(seq + 1, start + seq, layout, board.row())
            if not seq % 100:
                history.flush()
        if sealed:
            history.settle()
