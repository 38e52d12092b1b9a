"""The journal's file: reads and writes an SQLite database that one process has open.

Its format is described in docs/alerts.md. Everything here blocks, for as long as the disk does. It raises
`JournalError` for what a person can fix, `DamageError` for a file that cannot be read, and `LostError` if the file no
longer contains what was written. It reads no clock: the caller decides which events are too old.
"""

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tickboard.alerting.episodes import Episode, Key
from tickboard.alerting.log import LOG_EVENTS, AlertEvent, HostPosition
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.alerting.spans import Found, SpanQuestion
from tickboard.errors import JournalError, UsedError
from tickboard.journal import past
from tickboard.journal.change import Fate, JournalChange, JournalContents
from tickboard.journal.encoded_rows import (
    as_rows,
    as_text,
    decode_alert,
    decode_silence,
    episode_of,
    episode_row,
    event_of,
    event_row,
)
from tickboard.journal.past import Past
from tickboard.storage.damage import BROKEN, HEADER_BYTES, DamageError, check_length, primary_code
from tickboard.storage.place import Purpose, check_writable, find_place, make_place

APPLICATION_ID = 0x7469636B
"""In the file's header (``tick``); it tells the journal from a database of another program."""

VERSION = 2
"""The format's version. A file with a newer one is refused; an older one is upgraded."""

LOCK_WAIT_S = 1.0
"""How long to wait for a journal that another process has open: that process may be about to end."""

_DAMAGE = BROKEN | {sqlite3.SQLITE_ERROR}  # a table is missing

_WAL_HEADER_BYTES = 32

PURPOSE = Purpose(
    "the log of alerts",
    "--state",
    "give another file with --state, or --state none to keep it in memory",
    JournalError,
)

_ELSEWHERE = f"make it writable, {PURPOSE.another_file}"

_FIXES = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see whether its disk is full or failing",
    # The file is read-only.
    sqlite3.SQLITE_IOERR_LOCK: _ELSEWHERE,
    sqlite3.SQLITE_BUSY: "stop that one, or give this one another file with --state",
}
_SCHEMA = """
CREATE TABLE log (epoch TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE events (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE firing (id TEXT PRIMARY KEY, number INTEGER NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL);
CREATE TABLE episodes (
    rule TEXT NOT NULL, labels TEXT NOT NULL, state INTEGER NOT NULL, lasted_s REAL, unseen_s REAL, started REAL,
    breached REAL, peak REAL, alert TEXT, PRIMARY KEY (rule, labels)
);
CREATE TABLE silences (until REAL NOT NULL, silence TEXT NOT NULL);
CREATE TABLE positions (notifier TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""
# Made with the first host, so that the file of a board that follows none is the same as ever.
_FOLLOWED = "CREATE TABLE IF NOT EXISTS followed (host TEXT PRIMARY KEY, epoch TEXT, number INTEGER, time TEXT)"

# In the order of their first write; an episode that changes keeps its place.
_EPISODES = """
SELECT rule, labels, state, lasted_s, unseen_s, started, breached, peak, alert FROM episodes ORDER BY rowid
"""
_CHANGE_EPISODE = """
INSERT INTO episodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule, labels) DO UPDATE SET
state = excluded.state, lasted_s = excluded.lasted_s, unseen_s = excluded.unseen_s, started = excluded.started,
breached = excluded.breached, peak = excluded.peak, alert = excluded.alert
"""

# The first condition comes first since it is cheap: the subquery counts rows.
_TRIM = """
DELETE FROM events WHERE (SELECT min(number) FROM events) <= ?1 AND number <= (
    SELECT number FROM events WHERE kind NOT IN ('changed', 'mark') ORDER BY number DESC LIMIT 1 OFFSET ?2
)
"""


class LostError(JournalError):
    """The file was deleted, replaced or damaged while in use: everything must be written to a new one."""


class _Seen(Struct, frozen=True):
    """Identifies a file as this connection wrote it: another file differs, and so does this one changed by others.

    Attributes:
        file: device and inode.
        wal: device and inode of the write-ahead log; None if there is none.
        content: size and beginning of both.
    """

    file: tuple[int, int]
    wal: tuple[int, int] | None
    content: tuple[int, bytes, int, bytes]


class JournalFile:
    """The database itself, open and locked. One thread at a time uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._real = path
        # The episodes in the file, so that only changed ones are written; None: unknown.
        self._episodes: dict[Key, Episode] | None = None
        # The positions of hosts in the file, likewise.
        self._followed: dict[str, HostPosition] | None = None
        with explained_errors(path), _damage():
            self._real = find_place(path, PURPOSE)
            self._make()
            self._connection = sqlite3.connect(self._real, LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
            self._past = Past(self._connection)
            self._descriptor = -1
            try:
                self._prepare()
                # Open it only while holding the lock: closing any descriptor of a file releases this process's locks on
                # it (POSIX).
                self._descriptor = os.open(self._real, os.O_RDONLY)
                self._seen = self._look()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Close the file. Call it once."""
        try:
            self._connection.close()
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)

    def is_at(self, real: Path) -> bool:
        """Return whether a path leads to the file that is open here."""
        found = real.stat()
        return self._seen.file == (found.st_dev, found.st_ino)

    def remove_wal(self, real: Path) -> None:
        """Delete the write-ahead log of this database beside a path, if it is there."""
        wal = Path(f"{real}-wal")
        with suppress(FileNotFoundError):
            found = wal.stat()
            if self._seen.wal == (found.st_dev, found.st_ino):
                wal.unlink()

    def check(self) -> None:
        """Check that the file is unchanged and in its place, and that only this user may write to it.

        Raises:
            LostError: it was deleted, moved, replaced or changed by another program.
            JournalError: it cannot be accessed or written to, or others may write to it.
        """
        with explained_errors(self._path):
            self._check_same(self._look())
            check_writable(find_place(self._path, PURPOSE), PURPOSE)

    def read(self) -> JournalContents:
        """Return the whole contents."""
        with explained_errors(self._path), _damage():
            [(epoch, number)] = self._all("SELECT epoch, number FROM log")
            events = [
                event_of(row)
                for row in self._all("SELECT number, kind, time, alert, begun FROM events ORDER BY number")
            ]
            firing = [
                AlertEvent(number, "firing", decode_alert(alert), time)
                for number, time, alert in self._all("SELECT number, time, alert FROM firing ORDER BY number")
            ]
            episodes = [episode_of(row) for row in self._all(_EPISODES)]
            silences = [
                (until, decode_silence(silence))
                for until, silence in self._all("SELECT until, silence FROM silences ORDER BY rowid")
            ]
            positions = {name.decode(): number for name, number in self._all("SELECT notifier, number FROM positions")}
            self._episodes = {episode.key: episode for episode in episodes}
            marks, older = self._past.marks(), self._past.older(events[0].number - 1 if events else number)
            self._followed = self._read_followed()
            self._seen = self._look()
            return JournalContents(
                epoch.decode(),
                number,
                events,
                firing,
                episodes,
                silences,
                positions,
                marks,
                older,
                dict(self._followed),
            )

    def resolved(self, asked: AlertQuestion, left: int) -> FoundAlerts:
        """Return the resolved alerts that match a question, without those in the log.

        Args:
            asked: the question.
            left: events up to this number have left the log.

        Raises:
            DamageError: one cannot be read.
            JournalError: the file cannot be read.
        """
        with explained_errors(self._path), _damage():
            return self._past.find(asked, left)

    def spans(self, asked: SpanQuestion, left: int) -> list[Found]:
        """Return when resolved alerts fired, without those in the log; arguments and errors as for `resolved`."""
        with explained_errors(self._path), _damage():
            return self._past.spans(asked, left)

    def copy_past(self, lost: "JournalFile") -> int:
        """Copy the resolved alerts of a lost file, as far as they can be read; return how many."""
        with explained_errors(self._path), self._transaction():
            copied = self._past.copy(lost._past)  # noqa: SLF001  # of this class
        self._seen = self._look()
        return copied

    def write(self, change: JournalChange) -> None:
        """Write everything in one transaction. When this returns, it is on disk in the file at the path.

        Raises:
            UnicodeEncodeError: an event has text that cannot be encoded; everything else is written.
            LostError: the file at the path does not contain what was written before, or now.
            JournalError: nothing was written; or it was, but the file cannot be accessed.
        """
        unkept: UnicodeEncodeError | None = None
        with explained_errors(self._path):
            self._check_same(self._try_look())
            try:
                unkept = self._write(change)
            finally:
                before, now = self._seen, self._try_look()
                self._seen = now or before
            if now is None:
                self._look()
            elif (now.file, before.wal and now.wal) != (before.file, before.wal):
                raise self._lost("was deleted, moved or replaced")
        # Not earlier: a transaction that fails leaves the file unchanged.
        if change.episodes is not None:
            self._episodes = {episode.key: episode for episode in change.episodes}
        if change.followed is not None:
            self._followed = change.followed
        if unkept is not None:
            raise unkept

    def _write(self, change: JournalChange) -> UnicodeEncodeError | None:
        unkept: UnicodeEncodeError | None = None
        with self._transaction():
            if change.whole is not None:
                unkept = self._fill(change.whole)
            if change.epoch is not None:
                self._do("UPDATE log SET epoch = ?", change.epoch)
            if change.events or change.marks:
                unkept = self._add(change) or unkept
            if change.since is not None:
                self._past.delete_before(change.since)
            if change.oldest is not None:
                self._do("DELETE FROM events WHERE number < ?", change.oldest)
            if change.episodes is not None:
                self._change_episodes({episode.key: episode for episode in change.episodes})
            if change.silences is not None:
                self._do("DELETE FROM silences")
                rows, _ = as_rows(change.silences, lambda one: (one[0], as_text(one[1])))
                self._many("INSERT INTO silences VALUES (?, ?)", rows)
            positions, _ = as_rows(change.positions.items(), tuple)
            self._many("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions)
            if change.followed is not None:
                self._change_followed(change.followed)
        return unkept

    def _fill(self, whole: JournalContents) -> UnicodeEncodeError | None:
        """Write everything into a new file; return the error if some of it cannot be encoded."""
        self._do("UPDATE log SET epoch = ?, number = ?", whole.epoch, whole.number)
        events, unkept = as_rows(whole.events, event_row)
        self._many("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?)", events)
        self._past.add(whole.events)
        self._past.add_marks(whole.marks)
        firing, _ = as_rows(
            whole.firing, lambda event: (event.alert.id, event.number, event.time, as_text(event.alert))
        )
        self._many("INSERT OR REPLACE INTO firing VALUES (?, ?, ?, ?)", firing)
        self._change_episodes({episode.key: episode for episode in whole.episodes})
        silences, _ = as_rows(whole.silences, lambda one: (one[0], as_text(one[1])))
        self._many("INSERT INTO silences VALUES (?, ?)", silences)
        positions, _ = as_rows(whole.positions.items(), tuple)
        self._many("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions)
        self._change_followed(whole.followed)
        return unkept

    def _add(self, change: JournalChange) -> UnicodeEncodeError | None:
        """Add the events that can be encoded, and return the error of the others."""
        number = self._number()
        new = [event for event in change.events if event.number > number]
        marks = [event for event in change.marks.values() if event.number > number]
        if not new and not marks:
            return None
        rows, unkept = as_rows(new, event_row)
        self._many("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
        self._past.add(new)
        self._past.add_marks(marks)
        fates = [(id, fate) for id, fate in change.fates.items() if fate.newest.number > number]
        for id, fate, alert in as_rows(fates, lambda each: (*each, as_text(each[1].newest.alert)))[0]:
            self._follow(id, fate, alert, number)
        # Including those that began in this change: a write that failed may have reached the disk all the same.
        over = ((event.alert.id,) for event in new if isinstance(event, AlertEvent) and event.kind == "resolved")
        self._many("DELETE FROM firing WHERE id = ?", over)
        # Even if it could not be encoded: its number is taken.
        newest = max(event.number for event in (*new[-1:], *marks[-1:]))
        self._do("UPDATE log SET number = ?", newest)
        self._many("DELETE FROM events WHERE number = ?", ((number,) for number in change.dropped))
        self._do(_TRIM, newest - LOG_EVENTS, LOG_EVENTS)
        return unkept

    def _follow(self, id: str, fate: Fate, alert: str, number: int) -> None:
        """Update the firing alerts. Events up to `number` are in the file already."""
        begun, newest = fate.begun, fate.newest
        if newest.kind == "resolved":
            self._do("DELETE FROM firing WHERE id = ?", id)
        elif begun is not None and begun.number > number:
            row = (id, begun.number, begun.time, alert)
            self._do("INSERT OR REPLACE INTO firing VALUES (?, ?, ?, ?)", *row)
        else:
            self._do("UPDATE firing SET alert = ? WHERE id = ?", alert, id)

    def _number(self) -> int:
        [(number,)] = self._all("SELECT number FROM log")
        assert isinstance(number, int)
        return number

    def _change_episodes(self, episodes: dict[Key, Episode]) -> None:
        before = self._episodes
        if before is None:
            self._do("DELETE FROM episodes")
            before = {}
        gone, _ = as_rows((key for key in before if key not in episodes), lambda key: (key[0], as_text(key[1])))
        self._many("DELETE FROM episodes WHERE rule = ? AND labels = ?", gone)
        changed, _ = as_rows((new for key, new in episodes.items() if before.get(key) != new), episode_row)
        self._many(_CHANGE_EPISODE, changed)

    def _read_followed(self) -> dict[str, HostPosition]:
        if not self._all("SELECT 1 FROM sqlite_master WHERE name = 'followed'"):
            return {}
        rows = self._all("SELECT host, epoch, number, time FROM followed ORDER BY rowid")
        return {
            host.decode(): HostPosition(epoch.decode(), number, time.decode()) for host, epoch, number, time in rows
        }

    def _change_followed(self, followed: dict[str, HostPosition]) -> None:
        before = self._followed or {}
        changed = [(host, *msgspec.structs.astuple(now)) for host, now in followed.items() if before.get(host) != now]
        gone = [(host,) for host in before if host not in followed]
        if changed or gone:
            self._do(_FOLLOWED)
            self._many("DELETE FROM followed WHERE host = ?", gone)
            self._many("INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?)", changed)

    def _make(self) -> None:
        """Create the file if it does not exist; SQLite gives the files beside it the same permissions."""
        make_place(self._real)
        check_length(self._real)

    def _look(self) -> _Seen:
        """Return what is at the path.

        Raises:
            LostError: nothing is there.
            OSError: it cannot be accessed.
        """
        try:
            file = self._path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._lost("was deleted or moved") from error
        wal, wal_size, wal_begins = None, 0, b""
        with suppress(FileNotFoundError), Path(f"{self._real}-wal").open("rb", buffering=0) as log:
            found = os.fstat(log.fileno())
            wal, wal_size = (found.st_dev, found.st_ino), found.st_size
            wal_begins = log.read(_WAL_HEADER_BYTES)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        begins = os.read(self._descriptor, HEADER_BYTES)
        return _Seen((file.st_dev, file.st_ino), wal, (file.st_size, begins, wal_size, wal_begins))

    def _try_look(self) -> _Seen | None:
        """Return what is at the path, or None if it cannot be accessed now."""
        try:
            return self._look()
        except OSError:
            return None

    def _check_same(self, now: _Seen | None) -> None:
        if now is not None and now != self._seen:
            raise self._lost("was replaced or changed by another program")

    def _lost(self, how: str) -> LostError:
        return LostError(f"{self._path} {how} while it was in use: everything in memory is written to a new file there")

    def _prepare(self) -> None:
        # Text is read as bytes and decoded where it is used.
        self._connection.text_factory = bytes
        # The lock is held until the file is closed, so no other process writes, and WAL needs no shared memory, which
        # network file systems lack.
        self._do("PRAGMA locking_mode = EXCLUSIVE")
        self._do("PRAGMA synchronous = FULL")
        self._do("PRAGMA fullfsync = ON")  # macOS: flushes the disk's own cache
        self._do("PRAGMA journal_size_limit = 1048576")
        with self._transaction("EXCLUSIVE"):
            self._recognise()
        self._do("PRAGMA journal_mode = WAL")
        if (found := self._all("PRAGMA quick_check(1)")) != [(b"ok",)]:
            raise DamageError(found)

    def _recognise(self) -> None:
        """Check that it is a journal of a known format; initialise an empty file."""
        [(application,)] = self._all("PRAGMA application_id")
        [(version,)] = self._all("PRAGMA user_version")
        if application == APPLICATION_ID:
            if version > VERSION:
                raise JournalError(
                    f"{self._path} was written by a newer tickboard (format {version}, this one knows {VERSION}): "
                    "update tickboard, or give another file with --state"
                )
            if version < VERSION:
                past.upgrade(self._connection)
                self._do(f"PRAGMA user_version = {VERSION}")
            return
        if application or self._all("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise JournalError(f"{self._path} is a database of another program: give another file with --state")
        for statement in (_SCHEMA + past.SCHEMA).split(";"):
            self._do(statement)
        self._do("INSERT INTO log VALUES (?, 0)", secrets.token_hex(8))
        self._do(f"PRAGMA application_id = {APPLICATION_ID}")
        self._do(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._do(f"BEGIN {kind}")
        try:
            yield
            self._do("COMMIT")
        except BaseException:
            # After some errors SQLite has already rolled back.
            if self._connection.in_transaction:
                self._do("ROLLBACK")
            raise

    def _do(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def _many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(statement, rows)

    def _all(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


@contextmanager
def _damage() -> Iterator[None]:
    """Raise errors that show a broken file as `DamageError`."""
    try:
        yield
    except sqlite3.Error as error:
        if primary_code(error) in _DAMAGE:
            raise DamageError(str(error)) from error
        raise
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise DamageError(str(error)) from error


@contextmanager
def explained_errors(path: Path) -> Iterator[None]:
    """Raise file errors with a message that names the file and says how to fix it."""
    try:
        yield
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise  # the values are wrong, not the file
        code = primary_code(error)
        if code == sqlite3.SQLITE_BUSY:
            raise UsedError(f"{path} is in use by another tickboard: {_FIXES[code]}") from error
        if code in BROKEN:
            raise LostError(
                f"{path} was damaged while it was in use ({error}): everything in memory is written to a new file there"
            ) from error
        fix = _FIXES.get(getattr(error, "sqlite_errorcode", 0)) or _FIXES.get(code, _ELSEWHERE)
        raise PURPOSE.failed(path, f"{error}: {fix}") from error
    except OSError as error:
        raise PURPOSE.failed(path, f"{error.filename}: {error.strerror}: {_ELSEWHERE}") from error
