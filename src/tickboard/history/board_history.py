"""``board.history``: reading the history of a board in this process."""

import time
from collections.abc import Callable

from tickboard.client.history_data import HistoryData
from tickboard.client.history_format import decode
from tickboard.errors import NoHistoryError
from tickboard.history.asking import END, POINTS, START, question
from tickboard.history.encodings import binary_pieces
from tickboard.history.store import History
from tickboard.times import Time


class BoardHistory:
    """The history of a board in this process: ``board.history``.

    Args:
        kept: returns the board's history, or None if it keeps none.
    """

    def __init__(self, kept: Callable[[], History | None]) -> None:
        self._kept = kept

    def read(self, *metrics: str, start: Time = START, end: Time = END, points: int = POINTS) -> HistoryData:
        """Return what the board recorded: ``board.history.read("cpu_usage", start="-1d")``.

        It waits for the disk. In a coroutine, call it with ``asyncio.to_thread``.

        Args:
            metrics: only these, by name, glob or label: ``"cpu_usage", "disk.*"``. None: all.
            start: the beginning of the range: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime
                with a timezone.
            end: its end, exclusive.
            points: the most buckets for each series, 1 to 5,000; two more cover the ends of the range.

        Raises:
            InputError: an argument cannot be used.
            NoHistoryError: the board keeps no history.
            HistoryError: the file cannot be read.
            TooMuchError: the answer would be too large.
            BusyError: too many questions are waiting.
        """
        asked = question(metrics, start, end, points, int(time.time() * 1000))
        history = self._kept()
        if history is None:
            raise NoHistoryError
        return decode(b"".join(binary_pieces(history.read(asked))))
