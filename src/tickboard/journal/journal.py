"""The journal: the file that keeps the log of alerts, and all else of alerts that outlives a run.

It takes events, episodes, silences and the notifiers' positions and gives them back after a restart, a crash or a
power cut as they were when the last `Journal.commit` returned. It is an SQLite database, described in docs/alerts.md,
that one process has for itself. All writing is done by one thread, so that a slow disk holds up nobody; what comes
while it writes goes into its next transaction. It knows no rules, and nobody who is told.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent
from tickboard.errors import JournalError
from tickboard.journal.file import Change, DamageError, JournalFile, Kept, set_aside
from tickboard.types import Silence

Waiter = Callable[[JournalError | None], None]
"""Told when what it waits for is kept, or why it isn't."""


class Journal:
    """An open journal: `load` once, then `commit`, `mark` and `expire` in any order, then `close`.

    Args:
        path: of the file; it is made with its folders where it isn't there, for this user alone to read.

    Attributes:
        path: as given.
        damaged: where a file that could not be read was moved to; None where all was well.

    Raises:
        JournalError: another process has it, its folder can't be written to, it was made by a newer version, or it is
            no journal.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged: Path | None = None
        self._file = self._open()
        self._lock = threading.Lock()
        self._waiting = Change()
        self._waiters: list[Waiter] = []
        # True: something waits to be written; False: that was all.
        self._orders: SimpleQueue[bool] = SimpleQueue()
        self._closed = False
        threading.Thread(target=self._work, name=f"journal {path.name}", daemon=True).start()

    def load(self, now: float) -> Kept:
        """Return what is kept, and forget the events that are too old. It blocks while it reads.

        Args:
            now: POSIX seconds.

        Raises:
            JournalError: the file can't be read or written to.
        """
        try:
            return self._file.read(now)
        except DamageError:
            self._file.close()
            self._file = self._replace()
            return self._file.read(now)

    async def commit(
        self,
        events: Iterable[AlertEvent],
        episodes: list[Episode] | None = None,
        silences: list[tuple[float, Silence]] | None = None,
        *,
        epoch: str | None = None,
    ) -> None:
        """Keep all of this together, or none of it. When it returns, it outlives a crash and a power cut.

        What could not be kept is tried again with the next call, so that the numbers in the file have no hole. Of more
        events than `LOG_EVENTS` the oldest go first; what fires is known of all of them.

        Args:
            events: the newest of the log, in order; those that are kept already are passed over.
            episodes: all that there are now; None: as they were.
            silences: all that are in force now, each with when it ends, POSIX seconds; None: as they were.
            epoch: a new name for the log, where events were told that could not be kept: a restart would give their
                numbers to others, and so those who were told must not go on from them.

        Raises:
            JournalError: the disk is full or fails, or the journal is closed. Everything waits for the next call.
        """
        change = Change(epoch, episodes=episodes, silences=silences)
        change.append(events)
        await self._write(change)

    async def mark(self, notifier: str, number: int) -> None:
        """Keep how far a notifier has told.

        Raises:
            JournalError: as `commit`.
        """
        await self._write(Change(positions={notifier: number}))

    async def expire(self, now: float) -> None:
        """Delete the events that are too old, where no new ones come.

        Args:
            now: POSIX seconds.

        Raises:
            JournalError: as `commit`.
        """
        await self._write(Change(expire=now))

    async def close(self) -> None:
        """Write what still waits and let go of the file; a second time does nothing.

        Raises:
            JournalError: what waited is lost; the file is let go of nevertheless.
        """
        if not self._closed:
            self._closed = True
            await self._order(Change(), more=False)

    async def _write(self, newer: Change) -> None:
        if self._closed:
            raise JournalError(f"{self.path} is closed: nothing is kept any more")
        await self._order(newer, more=True)

    async def _order(self, newer: Change, *, more: bool) -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: JournalError | None) -> None:
            # The loop may be closed: then nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, done, error)

        with self._lock:
            self._waiting.add(newer)
            self._waiters.append(settle)
        self._orders.put(more)
        await done

    def _work(self) -> None:
        more, error = True, None
        while more:
            more = self._orders.get()
            with self._lock:
                waiters, self._waiters = self._waiters, []
            # An order may have gone into an earlier transaction; what failed there waits for somebody to ask again.
            if waiters:
                error = self._keep()
            if not more:
                self._file.close()
            for settle in waiters:
                settle(error)

    def _keep(self) -> JournalError | None:
        with self._lock:
            taken, self._waiting = self._waiting, Change()
        try:
            self._file.write(taken)
        except JournalError as error:
            with self._lock:
                taken.add(self._waiting)
                self._waiting = taken
            return error
        except Exception as error:  # noqa: BLE001  # the thread must go on; what can't be encoded now never can
            return JournalError(f"{self.path}: an alert cannot be kept: {error}")
        return None

    def _open(self) -> JournalFile:
        try:
            return JournalFile(self.path)
        except DamageError:
            return self._replace()

    def _replace(self) -> JournalFile:
        self.damaged = set_aside(self.path)
        return JournalFile(self.path)


def default_path(file: Path | None, environ: Mapping[str, str]) -> Path:
    """Return where the journal of a board is kept when nobody says where.

    Args:
        file: the dashboard file; None: the host board.
        environ: ``XDG_STATE_HOME`` and ``HOME`` are read.

    Raises:
        JournalError: there is no home folder.
    """
    state = Path(environ.get("XDG_STATE_HOME", ""))
    # The XDG Base Directory Specification has relative paths ignored.
    if not state.is_absolute():
        try:
            home = Path(environ.get("HOME", "") or Path.home())
        except RuntimeError as error:
            raise JournalError(
                "there is no home folder to keep the log of alerts in: give a file with --state, or --state none"
            ) from error
        state = home / ".local" / "state"
    if file is None:
        return state / "tickboard" / "host.sqlite"
    # Boards of the same name in other folders are other boards.
    digest = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:8]
    return state / "tickboard" / f"{file.stem[:60]}-{digest}.sqlite"


def _settle(done: asyncio.Future[None], error: JournalError | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(JournalError(str(error)))
