"""``board.history``: reading the history of a board in this process."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickboard.errors import NoHistoryError
from tickboard.history.asking import CHANGES_START, END, LIMIT, POINTS, START, comparison, question
from tickboard.history.store import History
from tickboard.times import Time

if TYPE_CHECKING:
    from tickboard.client.changes_data import Changes
    from tickboard.client.history_data import HistoryData


class BoardHistory:
    """The history of a board in this process: ``board.history``.

    Args:
        kept: returns the board's history, or None if it keeps none.
    """

    def __init__(self, kept: Callable[[], History | None]) -> None:
        self._kept = kept

    def read(self, *metrics: str, start: Time = START, end: Time = END, points: int = POINTS) -> "HistoryData":
        """Return what the board recorded: ``board.history.read("cpu_usage", start="-1d")``.

        It waits for the disk. In a coroutine, call it with ``asyncio.to_thread``.

        Args:
            metrics: only these, by name, glob or label: ``"cpu_usage", "disk_*"``. None: all.
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
        from tickboard.client.history_format import decode
        from tickboard.history.encodings import binary_pieces

        asked = question(metrics, start, end, points, int(time.time() * 1000))
        return decode(b"".join(binary_pieces(self._history().read(asked))))

    def changes(
        self,
        *metrics: str,
        start: Time = CHANGES_START,
        end: Time = END,
        baseline_start: Time | None = None,
        baseline_end: Time | None = None,
        limit: int = LIMIT,
    ) -> "Changes":
        """Return which series changed, and how much: ``board.history.changes(start="-10m")``.

        The values of each series in a range of time are compared with those in a baseline. It waits for the disk. In a
        coroutine, call it with ``asyncio.to_thread``.

        Args:
            metrics: only these, by name, glob or label: ``"cpu_usage", "disk_*"``. None: all.
            start: the beginning of the range: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime
                with a timezone.
            end: its end, exclusive.
            baseline_start: the beginning of the baseline. None: it is as long as the range.
            baseline_end: its end, exclusive. None: the beginning of the range.
            limit: the most series that are returned, 1 to 10,000.

        Raises:
            InputError: an argument cannot be used.
            NoHistoryError: the board keeps no history.
            HistoryError: the file cannot be read.
            TooMuchError: too much would have to be read.
            BusyError: too many questions are waiting.
        """
        from tickboard.client.changes_data import changes_of
        from tickboard.history.encodings import changes_answer

        now_ms = int(time.time() * 1000)
        asked = comparison(metrics, start, end, baseline_start, baseline_end, limit, now_ms)
        return changes_of(changes_answer(self._history().compare(asked)))

    def _history(self) -> History:
        history = self._kept()
        if history is None:
            raise NoHistoryError
        return history
