"""Outgoing batches: the ticks of the history after a position, as requests of bounded size.

Reading and encoding run in the history's reader thread. Nothing here knows the network: when the caller asks for the
next batch, it says how the last one ended. A batch has several ticks if all their series fit into one request, or else
one tick in several requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cramjam
import numpy as np
from numpy.typing import NDArray

from tickboard.errors import HistoryError
from tickboard.history.answers import Integers, RecordedTicks, TimePosition
from tickboard.history.catalogue import Entry
from tickboard.history.file import FOREVER
from tickboard.history.following import count_after, ticks_after
from tickboard.history.reading import HistorySnapshot
from tickboard.history.spans import distinct
from tickboard.sending.labels import WrittenNames, added_labels
from tickboard.sending.messages import STALE, OutgoingSeries, SeriesGroup
from tickboard.sending.options import RemoteWriteOptions, Version
from tickboard.sending.position import PositionFile, Sent

MAX_SAMPLES = 5_000
"""The most samples in one request."""

MAX_BYTES = 2**20
"""The most bytes of one request before compression, unless one series has more."""

SAMPLE_BYTES = 20
"""An upper bound of the size of a sample."""

READ_VALUES = 400_000
"""The most values to read at once: some ten milliseconds of the reader thread."""


@dataclass(frozen=True)
class Request:
    """The body of a request, and its number of samples."""

    body: bytes
    samples: int


@dataclass(frozen=True)
class TickBatch:
    """Some ticks to send.

    Attributes:
        requests: to send one after another; none if no series has a value.
        ticks: how many ticks it has.
        until: the position of the last of them.
        since_ms: the time of the first of them, POSIX milliseconds.
        interval_ms: milliseconds between two ticks.
        is_doubtful: whether the receiver may have accepted them already.
        waiting: about how many samples wait, including this batch.
        deleted_ms: ticks between these times were deleted before they could be sent; None if none were.
    """

    requests: tuple[Request, ...]
    ticks: int
    until: TimePosition
    since_ms: int
    interval_ms: int
    is_doubtful: bool
    waiting: int
    deleted_ms: tuple[int, int] | None

    @property
    def samples(self) -> int:
        """How many samples it has."""
        return sum(request.samples for request in self.requests)


@dataclass(frozen=True, eq=False)
class _Plan:
    """The series to send, by id, in groups of one request each."""

    version: Version
    ids: Integers
    groups: tuple[tuple[Integers, SeriesGroup], ...]


@dataclass(frozen=True, eq=False)
class _Read:
    """Ticks from the history.

    Attributes:
        ticks: the ticks, with stale markers.
        there: bool [series, ticks], which values to send.
        last: ids of the series that have a value in the last tick.
        beyond: how many ticks follow them.
        deleted_ms: as in `TickBatch`.
    """

    ticks: RecordedTicks
    there: NDArray[np.bool_]
    last: Integers
    beyond: int
    deleted_ms: tuple[int, int] | None


class Outgoing:
    """Makes batches from a position on, which it stores in a file.

    Args:
        options: which series to send, and their labels.
        file: stores the position.
        start_ms: where to begin if the file has no position, POSIX milliseconds.

    Attributes:
        names: the labels of the series, and their clashes.
        trouble: why the file cannot be used, in one sentence; empty if it can.
    """

    def __init__(self, options: RemoteWriteOptions, file: PositionFile, start_ms: int) -> None:
        self.names = WrittenNames(added_labels(options.labels))
        self.trouble = ""
        self._patterns = options.metrics or ()
        self._file = file
        self._sent = Sent(TimePosition("", start_ms))
        self._is_loaded = False
        self._saved: Sent | None = None
        self._read: _Read | None = None
        # The index of the first tick of `_read` that is not sent yet.
        self._at = 0
        self._batch: TickBatch | None = None
        self._last: Integers = np.empty(0, np.int64)
        self._entries: Mapping[int, Entry] = {}
        self._plan: _Plan | None = None

    def next(
        self,
        snapshot: HistorySnapshot,
        version: Version,
        most: int,
        *,
        done: TimePosition | None = None,
        in_doubt: bool = False,
        until_ms: int = FOREVER,
    ) -> TickBatch | None:
        """Return the next batch, or None if there is nothing to send.

        Args:
            snapshot: the history's current state.
            version: the protocol's version.
            most: the most ticks.
            done: the `until` of a settled batch, which was accepted or refused for good. Unless this is the last batch,
                that one is returned again.
            in_doubt: whether the last batch may have been accepted.
            until_ms: ticks from this time on have to wait.
        """
        self._load()
        self._settle(done, in_doubt=in_doubt)
        read = self._read
        if read is None:
            self._read, self._at = self._read_on(snapshot, until_ms), 0
        elif done is None:
            # Time has passed: count again.
            self._read = replace(read, beyond=count_after(snapshot, _end(read.ticks)))
        if self._read is None:
            self._save(Sent(self._sent.position))
            return None
        self._batch = self._cut(self._read, version, most)
        # Saved before it is sent: if the process is killed from now on, the batch is in doubt.
        self._save(Sent(self._sent.position, _farther(self._batch.until, self._sent.doubtful)))
        return self._batch

    # --- the position ---

    def _load(self) -> None:
        if self._is_loaded:
            return
        try:
            found = self._file.load()
            self.trouble = ""
        except HistoryError as error:
            found, self.trouble = None, str(error)
        self._is_loaded = True
        self._sent = found or self._sent

    def _save(self, sent: Sent) -> None:
        if sent == self._saved:
            return
        try:
            self._file.save(sent)
        except HistoryError as error:
            # Go on: only a restart needs the stored position.
            self.trouble = str(error)
            return
        self._saved, self.trouble = sent, ""

    def _settle(self, done: TimePosition | None, *, in_doubt: bool) -> None:
        """Advance to the end of the last batch if it is settled."""
        batch = self._batch
        if batch is None:
            return
        if done == batch.until:
            doubtful = self._sent.doubtful
            if batch.is_doubtful and doubtful == done:
                doubtful = None
            self._sent, self._batch = Sent(done, doubtful), None
            self._at += batch.ticks
            if self._read is not None and self._at >= len(self._read.ticks.times):
                self._last, self._read = self._read.last, None
        elif in_doubt:
            self._sent = Sent(self._sent.position, _farther(batch.until, self._sent.doubtful))

    # --- reading ---

    def _read_on(self, snapshot: HistorySnapshot, until_ms: int) -> _Read | None:
        position = self._sent.position
        ticks = ticks_after(snapshot, position, self._patterns, until_ms, READ_VALUES)
        if ticks is None:
            return None
        there = ~np.isnan(ticks.values)
        self._update_plan(snapshot.catalogue.entries, ticks.ids[there.any(axis=1)])
        before = np.concatenate([_among(ticks.ids, self._last)[:, None], there[:, :-1]], axis=1)
        ended = before & ~there
        ticks.values.view(np.uint64)[ended] = STALE
        deleted_ms = None
        if position.time_ms + 1 < snapshot.expired_ms:
            deleted_ms = position.time_ms, min(snapshot.expired_ms, int(ticks.times[0]))
        return _Read(ticks, there | ended, ticks.ids[there[:, -1]], count_after(snapshot, _end(ticks)), deleted_ms)

    def _update_plan(self, entries: Mapping[int, Entry], ids: Integers) -> None:
        """Plan the next batch anew if there are new series, or if an id now belongs to another series."""
        plan = self._plan
        known = np.empty(0, np.int64) if plan is None else plan.ids
        if entries is not self._entries:
            if any(self._entries.get(id) != entries.get(id) for id in known.tolist()):
                known, plan = ids, None
                self._last = np.empty(0, np.int64)
            self._entries = entries
        if not _among(ids, known).all():
            known, plan = distinct(np.concatenate([known, ids])), None
        if len(known) > 2 * len(ids) + 1000:
            # Most of these series have left.
            known, plan = ids, None
        if plan is None:
            self._plan = _Plan("1.0", known, ())

    # --- encoding ---

    def _cut(self, read: _Read, version: Version, most: int) -> TickBatch:
        plan = self._planned(version)
        ticks, at = read.ticks, self._at
        end = at + self._fitting(plan, min(most, len(ticks.times) - at))
        doubtful = self._sent.doubtful
        is_doubtful = doubtful is not None and doubtful.epoch == ticks.epoch and ticks.times[at] <= doubtful.time_ms
        if doubtful is not None and is_doubtful:
            # Do not mix ticks that may have been accepted with ticks that were not.
            end = min(end, int(np.searchsorted(ticks.times, doubtful.time_ms, "right")))
        requests = []
        for ids, group in plan.groups:
            rows = np.searchsorted(ticks.ids, ids)
            there = read.there[rows, at:end]
            if there.any():
                message = group.encode(ticks.times[at:end], ticks.values[rows, at:end], there)
                requests.append(Request(bytes(cramjam.snappy.compress_raw(message)), int(np.count_nonzero(there))))
        waiting = int(np.count_nonzero(read.there[:, at:])) + read.beyond * len(read.last)
        return TickBatch(
            tuple(requests),
            end - at,
            TimePosition(ticks.epoch, int(ticks.times[end - 1])),
            int(ticks.times[at]),
            ticks.interval_ms,
            is_doubtful,
            waiting,
            read.deleted_ms if at == 0 else None,
        )

    def _planned(self, version: Version) -> _Plan:
        """Return the plan for this version."""
        plan = self._plan
        assert plan is not None
        if plan.version != version or not plan.groups:
            entries = [self._entries[id] for id in plan.ids.tolist()]
            sendable = [
                (entry.id, series)
                for entry, series in zip(entries, self.names.of(entries), strict=True)
                if series is not None
            ]
            self._plan = plan = _Plan(version, plan.ids, tuple(_grouped(sendable, version)))
        return plan

    @staticmethod
    def _fitting(plan: _Plan, most: int) -> int:
        """Return how many ticks fit into one batch, 1 to `most`."""
        if len(plan.groups) != 1:
            return 1 if plan.groups else most
        [(ids, group)] = plan.groups
        fit = min(MAX_SAMPLES // len(ids), (MAX_BYTES - group.size) // (SAMPLE_BYTES * len(ids)))
        return max(1, min(most, fit))


def _end(ticks: RecordedTicks) -> TimePosition:
    return TimePosition(ticks.epoch, int(ticks.times[-1]))


def _farther(position: TimePosition, doubtful: TimePosition | None) -> TimePosition:
    """Return the later of two positions, if they are of one epoch."""
    is_farther = doubtful is not None and doubtful.epoch == position.epoch and doubtful.time_ms > position.time_ms
    return doubtful if doubtful is not None and is_farther else position


def _among(ids: Integers, others: Integers) -> NDArray[np.bool_]:
    """Return which ids are among `others`, which are ascending, bool [ids]."""
    if not len(others):
        return np.zeros(len(ids), np.bool_)
    found: NDArray[np.bool_] = others[np.minimum(np.searchsorted(others, ids), len(others) - 1)] == ids
    return found


def _grouped(series: list[tuple[int, OutgoingSeries]], version: Version) -> list[tuple[Integers, SeriesGroup]]:
    """Group series so that one tick of each group fits into one request."""
    groups: list[list[tuple[int, OutgoingSeries]]] = []
    size = MAX_BYTES
    for id, one in series:
        more = SAMPLE_BYTES + len(one.fields)
        if size + more > MAX_BYTES or len(groups[-1]) == MAX_SAMPLES:
            groups.append([])
            size = 0
        groups[-1].append((id, one))
        size += more
    return [
        (np.array([id for id, _ in group], np.int64), SeriesGroup([one for _, one in group], version))
        for group in groups
    ]
