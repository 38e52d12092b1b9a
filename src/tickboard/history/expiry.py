"""Expiry: delete spans that are too old, or that make the file too large.

Nothing is deleted before it is in the tier above. If the file is too large, the oldest ticks are deleted first, then
the oldest minutes, then the oldest hours. Each step is a transaction of its own.
"""

from collections.abc import Iterator

import numpy as np

from tickboard.history.blocks import STRIPE
from tickboard.history.file import FOREVER, PAGE_BYTES, HistoryFile
from tickboard.history.layout import Retention
from tickboard.history.pauses import SHORT_S
from tickboard.history.recording import Recorder
from tickboard.history.sealing import block_ms
from tickboard.history.spans import HOURS, RAW, UNIT_MS, delete_span

TRUST_MS = 3_600_000
"""How long after a jump of the clock nothing is deleted by age, because the clock may be wrong."""

_FREE_SHARE = 20
"""One in this many pages may stay free, in addition to those that rows need."""

_ROW_BYTES = 40
"""The size of a row without its values."""

_VACUUMED_PAGES = 100
"""How many pages are returned to the file system in one step."""

_ROOM_SHARE = 50
"""One in this many bytes is freed in addition, so that not every new block deletes an old one."""


_OLDEST = """
SELECT spans.id, spans.last FROM spans JOIN epochs ON epochs.number = spans.epoch
WHERE tier = ?1 AND (?2 OR tier = 2 OR spans.last < iif(tier = 0, minutes, hours)) ORDER BY spans.first LIMIT 1
"""


class Expiry:
    """Deletes spans.

    Args:
        file: the file to delete from.
        retention: the limits.
        recorder: knows the newest tick.

    Attributes:
        retention: the limits, which may be replaced between two runs.
    """

    def __init__(self, file: HistoryFile, retention: Retention, recorder: Recorder) -> None:
        self._file = file
        self.retention = retention
        self._recorder = recorder

    def run(self) -> Iterator[float]:
        """Delete everything that exceeds a limit, in steps. Each yields about how many seconds the next one takes."""
        if self._recorder.newest_ms - self._recorder.jumped_ms >= TRUST_MS:
            yield from self._by_age()
        yield from self._by_size()
        self._forget_epochs()
        yield from self._vacuum()

    def _by_age(self) -> Iterator[float]:
        for tier in range(RAW, HOURS + 1):
            before = self._recorder.newest_ms - int(self.retention.of(tier) * 1000)
            while (found := self._oldest(tier)) is not None and found[1] < before:
                self._delete(found[0], tier, found[1])
                yield SHORT_S

    def _by_size(self) -> Iterator[float]:
        limit = self.retention.size_bytes
        if self._file.used_bytes() <= limit:
            return
        limit -= limit // _ROOM_SHARE
        # As a last resort, delete ticks that are not rolled up.
        for tier, rolled_up in ((RAW, True), (RAW + 1, True), (HOURS, True), (RAW, False)):
            while self._file.used_bytes() > limit:
                if (found := self._oldest(tier, rolled_up=rolled_up)) is None:
                    break
                self._delete(found[0], tier, found[1])
                yield SHORT_S

    def _oldest(self, tier: int, *, rolled_up: bool = True) -> tuple[int, int] | None:
        """Return the id of the oldest span of a tier and the time of its last entry, or None.

        Args:
            tier: number of the tier.
            rolled_up: whether the span must be in the tier above.
        """
        rows = self._file.all(_OLDEST, tier, not rolled_up)
        return rows[0] if rows else None

    def _delete(self, span: int, tier: int, last: int) -> None:
        with self._file.transaction():
            delete_span(self._file, span)
            until = last // UNIT_MS[tier] * UNIT_MS[tier] + UNIT_MS[tier]
            self._file.do("UPDATE state SET value = max(value, ?) WHERE name = ?", until, f"expired{tier}")
            if tier == HOURS:
                self._forget_series()

    def _forget_epochs(self) -> None:
        """Delete epochs that have no ticks left."""
        with self._file.transaction():
            self._file.do(
                "DELETE FROM epochs WHERE number < ? AND (first IS NULL OR sealed = ?) "
                "AND NOT EXISTS (SELECT 1 FROM spans WHERE spans.epoch = epochs.number)",
                self._recorder.epoch,
                FOREVER,
            )

    def _forget_series(self) -> None:
        """Delete the series of stripes that have no blocks left. Call it inside a transaction."""
        used = {stripe for (stripe,) in self._file.all("SELECT DISTINCT key & 65535 FROM blocks")}
        for (blob,) in self._file.all("SELECT series FROM layouts"):
            used.update((np.frombuffer(blob, "<u4") // STRIPE).tolist())
        known = {stripe for (stripe,) in self._file.all("SELECT DISTINCT id / ? FROM series", STRIPE)}
        if gone := known - used:
            self._file.many("DELETE FROM series WHERE id / ? = ?", ((STRIPE, stripe) for stripe in gone))
            self._file.do("UPDATE state SET value = value + 1 WHERE name = 'series'")
            self._recorder.forget()

    def _vacuum(self) -> Iterator[float]:
        """Return free pages to the file system, except those that new rows will need soon."""
        pages = self._file.free_pages() - self._row_pages() - self._file.one("PRAGMA page_count") // _FREE_SHARE
        while pages > 0:
            self._file.vacuum(min(pages, _VACUUMED_PAGES))
            pages -= _VACUUMED_PAGES
            yield SHORT_S

    def _row_pages(self) -> int:
        """Return the most pages that rows take."""
        interval_ms = max(self._recorder.interval_ms, 1)
        ticks = block_ms(interval_ms, self._recorder.width) // interval_ms + self._recorder.window + 120
        return ticks * (8 * self._recorder.width + _ROW_BYTES) // PAGE_BYTES
