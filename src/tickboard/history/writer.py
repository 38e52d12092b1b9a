"""The writer: commit queued ticks, and do the chores in between. One thread uses it.

If the file is deleted, replaced or damaged while it is in use, a new one is started and recording continues there.
Items that could not be committed stay in the queue.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tickboard.errors import HistoryError
from tickboard.history.amending import Amender
from tickboard.history.answers import Integers
from tickboard.history.epochs import read_epochs
from tickboard.history.expiry import Expiry
from tickboard.history.file import APPLICATION_ID, PURPOSE, HistoryFile, explained_errors
from tickboard.history.layout import HistoryStatus, Layout, Retention, TierStatus
from tickboard.history.recording import Recorder, SealedAmendment
from tickboard.history.sealing import Sealer
from tickboard.history.waiting import BeginEpoch, Waiting
from tickboard.storage.aside import has_header, move_aside
from tickboard.storage.damage import DamageError
from tickboard.storage.place import beside, find_place


class Writer:
    """The file, open for writing.

    Args:
        path: the file.
        retention: the limits.
        waiting: the write queue.

    Attributes:
        generation: grows with each file that is opened; readers must then reopen it.
        opened_ms: the time of the newest tick in the file when it was opened; 0: it had none.
        damaged: the path that a damaged file was moved to; None if there was none.
        lost_files: a sentence for each file that was lost or damaged.
        amended: changes when ticks that are not in blocks are amended; odd while that is being committed.
        changed: changes when anything but the rows of ticks is written; odd while that is being committed.
        missed: how many amended values have no tick.
        lost: how many damaged columns were found.
        status: the contents, as of the last commit that waited for the disk, or the last chores.

    Raises:
        HistoryError: the file cannot be used.
    """

    def __init__(self, path: Path, retention: Retention, waiting: Waiting) -> None:
        self._path = path
        self._retention = retention
        self._waiting = waiting
        # The current epoch, for a new file.
        self._run: BeginEpoch | None = None
        self._held: list[SealedAmendment] = []
        self._chores: Iterator[float] | None = None
        self._is_open = False
        # How many items, of `Waiting.count`, are committed, and how many survive a power cut.
        self._committed = self._synced = 0
        self.generation = self.opened_ms = 0
        self.damaged: Path | None = None
        self.lost_files: list[str] = []
        self.amended = self.changed = self.missed = self.lost = 0
        self.status = HistoryStatus()
        self._open()

    @property
    def newest_ms(self) -> int:
        """The time of the newest committed tick; 0 before the first."""
        return self._recorder.newest_ms

    @property
    def sealed_ms(self) -> int:
        """The time before which ticks may be in blocks; 0 before the first block."""
        return self._recorder.sealed_ms

    def ids_of(self, layout: Layout) -> Integers | None:
        """Return the ids of the series in a layout; None if it has not been written lately."""
        return next((ids for known, ids in self._recorder.layouts if known is layout), None)

    @property
    def is_behind(self) -> bool:
        """Whether any item is not committed yet."""
        return self._committed != self._waiting.count

    # --- committing ---

    def commit(self, *, through: bool) -> None:
        """Write all queued items in one transaction.

        Args:
            through: whether this and everything before it survives a power cut.

        Raises:
            HistoryError: nothing was written, and everything stays in the queue.
        """
        if not self._is_open:
            self._open()
        try:
            with explained_errors(self._path):
                if through and self._file.is_lost():
                    raise self._begin_anew("was deleted, moved or replaced while it was in use")
                self._commit(through=through)
                if through:
                    self._file.check_writable()
                if through or self.status.raw.oldest_ms is None:
                    self._look()
        except DamageError as error:
            raise self._set_aside(error) from error

    def _commit(self, *, through: bool) -> None:
        count = self._waiting.count
        items = self._waiting.take()
        # If a read has committed everything, that has not waited for the disk, so this commit must.
        is_touched = through and self._synced != count
        if not items and not is_touched and (not self._held or self._sealer.busy_before):
            return
        try:
            missed = 0
            self._file.sync_next(through)
            with self._file.transaction():
                if is_touched:
                    self._file.touch()
                amended = [*self._held, *self._recorder.write(items)]
                # A block that is being sealed has already been read, and would be written without the amendments.
                if not self._sealer.busy_before:
                    self.changed += bool(amended)
                    missed = self._amender.apply(amended)
                    amended = []
                self.changed |= self._recorder.has_new
                if self._recorder.amended:
                    self.amended += 1
        except BaseException:
            self._recorder.forget()
            self._waiting.put_back(items)
            raise
        finally:
            self.amended += self.amended % 2
            self.changed += self.changed % 2
        self.missed += missed + self._recorder.missed
        self._recorder.amended = self._recorder.missed = 0
        self._recorder.has_new = False
        self._held = amended
        self._committed = count
        if through:
            self._synced = count
        self._count_damaged()

    # --- chores ---

    def is_due(self) -> bool:
        """Return whether there is anything to seal.

        Raises:
            HistoryError: the file cannot be read.
        """
        try:
            with explained_errors(self._path):
                return self._chores is not None or self._sealer.is_due()
        except DamageError as error:
            raise self._set_aside(error) from error

    def step(self) -> float | None:
        """Do one step of the chores: seal, roll up, expire.

        Returns:
            About how many seconds the next step takes; None: all is done.

        Raises:
            HistoryError: it failed. The next call starts over.
        """
        if self._chores is None:
            self._chores = self._all_chores()
        self.changed += 1
        try:
            with explained_errors(self._path):
                return next(self._chores)
        except StopIteration:
            self._chores = None
            return None
        except DamageError as error:
            self._chores = None
            raise self._set_aside(error) from error
        except BaseException:
            self._chores = None
            raise
        finally:
            self.changed += 1

    def _all_chores(self) -> Iterator[float]:
        yield from self._sealer.run()
        yield from self._expiry.run()
        self._count_damaged()
        self._look()

    def _count_damaged(self) -> None:
        self.lost += len(self._sealer.columns.damaged)
        self._sealer.columns.damaged.clear()

    def _look(self) -> None:
        """Update `status`."""
        tiers = {
            tier: TierStatus(first, size)
            for tier, first, size in self._file.all("SELECT tier, min(first), sum(bytes) FROM spans GROUP BY tier")
        }
        raw, minutes, hours = (tiers.get(tier, TierStatus()) for tier in range(3))
        oldest, size = self._file.all("SELECT min(time), total(length(row)) FROM ticks")[0]
        oldest_ms = min((time for time in (oldest, raw.oldest_ms) if time is not None), default=None)
        raw = TierStatus(oldest_ms, raw.bytes + int(size))
        series = self._file.one("SELECT count(*) FROM series")
        self.status = HistoryStatus(raw, minutes, hours, self._file.size_bytes(), series)

    # --- the file ---

    def retain(self, retention: Retention) -> None:
        """Replace the limits."""
        self._retention = self._expiry.retention = retention

    def _open(self) -> None:
        try:
            self._file = HistoryFile(self._path)
        except DamageError as error:
            self._move_damaged(error)
            self._file = HistoryFile(self._path)
        try:
            with explained_errors(self._path):
                self._recorder = Recorder(self._file, self._run)
                self._sealer = Sealer(self._file, self._recorder)
                self._amender = Amender(self._file, self._sealer.columns)
                self._expiry = Expiry(self._file, self._retention, self._recorder)
                self.opened_ms = max((epoch.last for epoch in read_epochs(self._file)), default=0)
                self._look()
        except DamageError as error:
            self._file.close()
            raise self._set_aside(error) from error
        self._chores = None
        self._held.clear()
        self._is_open = True
        self.generation += 1

    def _begin_anew(self, why: str) -> HistoryError:
        """Start a new file, and return the error that says so."""
        self._is_open = False
        self._run = self._recorder.run
        real = self._file.real
        with suppress(sqlite3.Error):
            self._file.close()
        if not real.exists():
            for file in beside(real):
                # SQLite would mistake the deleted database's log for the new one's.
                file.unlink(missing_ok=True)
        self.lost_files.append(f"{self._path} {why}: a new history was started there")
        self._open()
        return HistoryError(self.lost_files[-1])

    def _set_aside(self, error: DamageError) -> HistoryError:
        """Rename a damaged file, start a new one, and return the error that says so."""
        with suppress(sqlite3.Error):
            self._file.close()
        self._move_damaged(error)
        return self._begin_anew("was damaged while it was in use")

    def _move_damaged(self, error: DamageError) -> None:
        with explained_errors(self._path):
            real = find_place(self._path, PURPOSE)
            if not has_header(real, APPLICATION_ID):
                raise HistoryError(f"{self._path} is not a history file: move it away, or {PURPOSE.another_file}")
            self.damaged = move_aside(real, "damaged", PURPOSE)
        self.lost_files.append(f"{self._path} was damaged ({error}) and is now {self.damaged}")

    def close(self) -> None:
        """Write all queued items, and close the file.

        Raises:
            HistoryError: the queued items are lost.
        """
        try:
            self._chores = None
            self._sealer.busy_before = 0
            self.commit(through=True)
        finally:
            with explained_errors(self._path):
                self._file.close()
