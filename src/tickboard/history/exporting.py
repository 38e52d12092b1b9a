"""Exporting: reads the ticks of a range in pieces, from a file that a board may be writing.

Each piece is read in a transaction of its own: one transaction for the whole export would keep SQLite from reusing its
log, and the board's files would grow meanwhile. Memory holds one piece or `MOST_VALUES`, however long the range is.
Nothing here knows formats.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from msgspec import Struct

from tickboard.errors import HistoryError
from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers, Question
from tickboard.history.catalogue import Entry
from tickboard.history.contents import Contents
from tickboard.history.file import Database, explained_errors, open_to_read
from tickboard.history.layout import Layout
from tickboard.history.reading import HistorySnapshot
from tickboard.history.spans import LENGTH_MS, MINUTE_MS, RAW
from tickboard.storage.damage import DamageError

MOST_VALUES = 1_000_000
"""How many values are in memory at a time: 8 MB, and a few times that while they are read and written."""

_ALL = 2**31


class Piece(Struct, frozen=True, dict=True):
    """Some ticks.

    Attributes:
        times: int64 [ticks], POSIX milliseconds, ascending.
        values: float64 [ticks, series]; NaN where there is no value.
    """

    times: Integers
    values: Floats

    @cached_property
    def texts(self) -> list[str]:
        """The times as RFC 3339."""
        return [f"{text}Z" for text in np.datetime_as_string(self.times.astype("datetime64[ms]")).tolist()]

    @cached_property
    def seconds(self) -> list[str]:
        """The times in POSIX seconds. Times 1000 and truncated, as Prometheus does, they are the milliseconds."""
        seconds = self.times / 1000
        cut = (seconds * 1000).astype(np.int64) != self.times
        seconds[cut] = np.nextafter(seconds[cut], np.inf)
        return [repr(time) for time in seconds.tolist()]


class Export:
    """The ticks of some series in a range, as they were recorded. Make one with `exported`.

    Args:
        database: a connection.
        question: the series and the range; `points` is ignored.

    Attributes:
        series: the selected series, by name and labels, including those without a value in the range.
        found: how many values were read.
        damaged: columns that could not be read.
        kept_since_ms: ticks before this time may have been deleted, POSIX milliseconds.
    """

    def __init__(self, database: Database, question: Question) -> None:
        self._database = database
        self._contents = Contents()
        with self._reading() as reading:
            ids = reading.catalogue.choose(question.patterns).tolist()
            epochs = [
                epoch for epoch in reading.epochs if epoch.first < question.end_ms and epoch.last >= question.start_ms
            ]
            self.kept_since_ms = reading.expired_ms
        entries = [reading.catalogue.entries[id] for id in ids]
        self.series = tuple(sorted(entries, key=lambda entry: (entry.name, entry.labels)))
        self._interval_ms = min((epoch.interval_ms for epoch in epochs), default=1000)
        self._start_ms = max(question.start_ms, min((epoch.first for epoch in epochs), default=question.end_ms))
        self._end_ms = min(question.end_ms, max((epoch.last + 1 for epoch in epochs), default=question.start_ms))
        self._ticks = sum(
            (min(epoch.last, question.end_ms) - max(epoch.first, question.start_ms)) // epoch.interval_ms + 1
            for epoch in epochs
        )
        self.found = 0
        self.damaged: set[tuple[int, int]] = set()

    def pieces(self, series: Sequence[Entry]) -> Iterator[Piece]:
        """Yield the ticks of some series, oldest first."""
        layout = Layout(
            tuple((entry.name, entry.labels, entry.unit) for entry in series), np.arange(len(series), dtype=np.intp)
        )
        length_ms = _length_ms(self._interval_ms, len(series))
        start = self._start_ms
        while start < self._end_ms:
            end = min((start // length_ms + 1) * length_ms, self._end_ms)
            with self._reading() as reading:
                piece = Piece(*reading.newest(end, start, layout, _ALL))
            self.damaged |= reading.columns.damaged
            self.found += int(np.count_nonzero(~np.isnan(piece.values)))
            if len(piece.times):
                yield piece
            start = end

    def by_series(self, series: Sequence[Entry]) -> Iterator[tuple[Entry, Iterator[tuple[Piece, int]]]]:
        """Yield series in this order, each with its pieces and its column in them.

        Iterate over the pieces of a series before the next series. As many series as fit into memory are read together.
        """
        together = max(1, MOST_VALUES // max(self._ticks, 1))
        for first in range(0, len(series), together):
            group = series[first : first + together]
            pieces = self.pieces(group) if len(group) == 1 else list(self.pieces(group))
            for place, entry in enumerate(group):
                yield entry, ((piece, place) for piece in pieces)

    @contextmanager
    def _reading(self) -> Iterator[HistorySnapshot]:
        with self._database.transaction("DEFERRED"):
            yield HistorySnapshot(self._database, self._contents, lambda: True)


@contextmanager
def exported(path: Path, question: Question) -> Iterator[Export]:
    """Open the history in a file to export from it.

    Raises:
        HistoryError: the file does not exist, is not a history, or cannot be read, now or during the export.
    """
    with readable(path) as database:
        yield Export(database, question)


@contextmanager
def readable(path: Path) -> Iterator[Database]:
    """Open the history in a file to read it.

    Raises:
        HistoryError: the file does not exist, is not a history, or cannot be read.
    """
    try:
        with closing(open_to_read(path)) as database, explained_errors(path):
            yield database
    except DamageError as error:
        raise HistoryError(f"{path} is damaged, or is not a history: {error}") from error


def _length_ms(interval_ms: int, series: int) -> int:
    """Return the length of a piece: no more ticks than fit into memory, and whole spans if possible."""
    length_ms = max(1, MOST_VALUES // max(series, 1)) * interval_ms
    if length_ms < MINUTE_MS:
        return length_ms
    minutes = min(length_ms, LENGTH_MS[RAW]) // MINUTE_MS
    most = LENGTH_MS[RAW] // MINUTE_MS
    return next(each for each in range(minutes, 0, -1) if not most % each) * MINUTE_MS
