"""Records a night with an incident, as a board would have that had run through it: its history and its alerts.

``python -m tests.e2e.night FOLDER FROM`` records boards/night.py in a folder, from FROM (POSIX seconds) until now. The
environment variables ``INCIDENT`` and ``INTERVAL_MS`` are the board's. Then serve it with `flags` and the same
environment: it goes on where the record ends.
"""

import asyncio
import importlib.util
import sys
import time
from pathlib import Path

from tickboard.history.options import HistoryOptions
from tickboard.journal.journal import Journal

BOARD = Path(__file__).parent / "boards" / "night.py"

STEP = 500
"""Ticks until the record waits for the disk."""


def flags(folder: Path) -> tuple[str, ...]:
    """Return the arguments that serve the board with what was recorded."""
    return ("run", str(BOARD), "--state", str(folder / "alerts"), "--history", str(folder / "ticks.sqlite"))


async def record(folder: Path, start_s: float) -> None:
    """Make the ticks of the night, with their alerts."""
    spec = importlib.util.spec_from_file_location("night", BOARD)
    assert spec is not None
    assert spec.loader is not None
    night = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(night)
    board = night.board
    board.prepare(journal=Journal(folder / "alerts"), history=HistoryOptions(str(folder / "ticks.sqlite")))
    live = board._live
    interval_s = board.settings.interval_ms / 1000
    now = start_s // interval_s * interval_s
    while (now := now + interval_s) < time.time():
        for series, value in night.values_at(now):
            series.set(value)
        happened = live.engine.tick(now, interval_s)
        live._announcer.announce(happened.events)
        for _ in live._recorder.record(live.engine, happened, board.settings.interval_ms):
            pass
        if not happened.seq % STEP:
            live.history.flush()
            await asyncio.sleep(0)
    await board.close()


if __name__ == "__main__":
    asyncio.run(record(Path(sys.argv[1]), float(sys.argv[2])))
