"""The journal's file: an SQLite database that one process has open, and what is read from it and written to it.

Its format is described in docs/alerts.md. Everything here blocks, and raises `JournalError` for what a person can mend,
and `DamageError` for a file that cannot be read.
"""

import math
import os
import secrets
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tickboard.alerting.episodes import Episode, Key
from tickboard.alerting.log import LOG_AGE_S, LOG_EVENTS, AlertEvent, EventKind
from tickboard.errors import JournalError
from tickboard.expressions.aligned import Labels
from tickboard.types import Alert, Silence

APPLICATION_ID = 0x7469636B
"""In the file's header (``tick``), so that a database of another program is known."""

VERSION = 1
"""Of the format; a file of a newer one is refused."""

LOCK_WAIT_S = 1.0
"""How long a journal that another process has is waited for: that one may be about to end."""

# Of SQLite's primary result codes, those that say that the file itself is broken; ERROR is that a table is missing.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100

_ELSEWHERE = "let it be written to, give another file with --state, or --state none to keep it in memory"

_MENDS = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "see whether its disk is full or failing",
    # Of a file that is only to be read.
    sqlite3.SQLITE_IOERR_LOCK: _ELSEWHERE,
    sqlite3.SQLITE_BUSY: "end that one, or give this one another file with --state",
}
_SCHEMA = """
CREATE TABLE log (epoch TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE events (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL);
CREATE TABLE firing (id TEXT PRIMARY KEY, number INTEGER NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL);
CREATE TABLE episodes (
    rule TEXT NOT NULL, labels TEXT NOT NULL, state INTEGER NOT NULL, lasted_s REAL, unseen_s REAL, started REAL,
    breached REAL, peak REAL, alert TEXT, PRIMARY KEY (rule, labels)
);
CREATE TABLE silences (until REAL NOT NULL, silence TEXT NOT NULL);
CREATE TABLE positions (notifier TEXT PRIMARY KEY, number INTEGER NOT NULL);
"""

# The order in which they were first written; an episode that changes stays where it is.
_EPISODES = """
SELECT rule, labels, state, lasted_s, unseen_s, started, breached, peak, alert FROM episodes ORDER BY rowid
"""
_CHANGE_EPISODE = """
INSERT INTO episodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (rule, labels) DO UPDATE SET
state = excluded.state, lasted_s = excluded.lasted_s, unseen_s = excluded.unseen_s, started = excluded.started,
breached = excluded.breached, peak = excluded.peak, alert = excluded.alert
"""

G = TypeVar("G")
R = TypeVar("R", bound=tuple[Any, ...])

_encode = msgspec.json.Encoder().encode
_decode_alert = msgspec.json.Decoder(Alert).decode
_decode_silence = msgspec.json.Decoder(Silence).decode
_decode_labels = msgspec.json.Decoder(Labels).decode


@dataclass(frozen=True)
class Kept:
    """What a journal holds when it is opened.

    Attributes:
        epoch: of the log; made once with the file.
        number: the newest event's, even where that has left the log.
        events: at most `LOG_EVENTS`, no older than `LOG_AGE_S`, oldest first.
        firing: the alerts that fire, in the order they began, as they are by now under the number of their beginning;
            also those that began before the oldest event.
        episodes: as last given.
        silences: as last given, each with when it ends, POSIX seconds; those that are over among them.
        positions: by the notifier's name, the number of the newest event that it has told.
    """

    epoch: str
    number: int
    events: list[AlertEvent]
    firing: list[AlertEvent]
    episodes: list[Episode]
    silences: list[tuple[float, Silence]]
    positions: dict[str, int]


@dataclass(frozen=True)
class Fate:
    """What becomes of one alert's row among those that fire.

    Attributes:
        begun: the event of its beginning; None: that was kept before, or it is over.
        newest: the newest of its events: ``resolved`` deletes the row.
    """

    begun: AlertEvent | None
    newest: AlertEvent


@dataclass
class Change:
    """What one transaction writes; None: as it was.

    Attributes:
        epoch: a new name for the log.
        events: to be added; added to by `append` alone.
        fates: by the alert's id, what events make of it, also those that `events` has no room for; bounded by the
            series that there are.
        episodes: all that there are.
        silences: all that are in force, each with when it ends.
        positions: of notifiers, those that have moved.
        expire: POSIX seconds; events that are too old by then are deleted.
    """

    epoch: str | None = None
    # More than the log holds need not be kept: a disk that fails for long takes no more memory than this.
    events: deque[AlertEvent] = field(default_factory=lambda: deque(maxlen=LOG_EVENTS))
    fates: dict[str, Fate] = field(default_factory=dict)
    episodes: list[Episode] | None = None
    silences: list[tuple[float, Silence]] | None = None
    positions: dict[str, int] = field(default_factory=dict)
    expire: float | None = None

    def append(self, events: Iterable[AlertEvent]) -> None:
        """Add events that came later, in order."""
        for event in events:
            self.events.append(event)
            self._follow(event.alert.id, Fate(event if event.kind == "firing" else None, event))

    def add(self, newer: "Change") -> None:
        """Put what came later on top."""
        self.events.extend(newer.events)
        for id, fate in newer.fates.items():
            self._follow(id, fate)
        self.positions |= newer.positions
        for name in ("epoch", "episodes", "silences", "expire"):
            if (value := getattr(newer, name)) is not None:
                setattr(self, name, value)

    def _follow(self, id: str, newer: Fate) -> None:
        """Keep what fires up to date, as `AlertLog` does."""
        before = self.fates.get(id)
        if before is None or newer.begun is not None:
            self.fates[id] = newer
        elif newer.newest.kind != "resolved":
            # One that is over may be changed, too, and stays so.
            if before.newest.kind != "resolved":
                self.fates[id] = Fate(before.begun, newer.newest)
        elif before.begun is None:
            self.fates[id] = newer
        else:
            # Begun and over before it was written: a disk that fails for long makes no heap of these.
            del self.fates[id]


class DamageError(Exception):
    """The file is a journal, or has its name, and can't be read."""


class JournalFile:
    """The database itself, open and locked. One thread at a time uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # What the file's episodes are, so that only those that differ are written; None: unknown.
        self._episodes: dict[Key, Episode] | None = None
        with _told(path), _damage():
            self._make()
            self._connection = sqlite3.connect(path, LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        self._connection.close()

    def read(self, now: float) -> Kept:
        """Return all that it holds; what is too old is deleted."""
        with _told(self._path), _damage():
            [(epoch, number)] = self._all("SELECT epoch, number FROM log")
            with self._transaction():
                self._expire(number, now)
            events = [
                AlertEvent(number, _kind(kind), _decode_alert(alert), time)
                for number, kind, time, alert in self._all(
                    "SELECT number, kind, time, alert FROM events ORDER BY number"
                )
            ]
            firing = [
                AlertEvent(number, "firing", _decode_alert(alert), time)
                for number, time, alert in self._all("SELECT number, time, alert FROM firing ORDER BY number")
            ]
            episodes = [_episode(row) for row in self._all(_EPISODES)]
            silences = [
                (until, _decode_silence(silence))
                for until, silence in self._all("SELECT until, silence FROM silences ORDER BY rowid")
            ]
            positions = {name.decode(): told for name, told in self._all("SELECT notifier, number FROM positions")}
            self._episodes = {episode.key: episode for episode in episodes}
            return Kept(epoch.decode(), number, events, firing, episodes, silences, positions)

    def write(self, taken: Change) -> None:
        """Write everything in one transaction, which is on the disk when this returns.

        Raises:
            UnicodeEncodeError: an event has a text that no file can hold; all else is written.
        """
        unkept: UnicodeEncodeError | None = None
        with _told(self._path), self._transaction():
            if taken.epoch is not None:
                self._do("UPDATE log SET epoch = ?", taken.epoch)
            if taken.events:
                unkept = self._add(taken)
            if taken.expire is not None:
                self._expire(self._number(), taken.expire)
            if taken.episodes is not None:
                self._change_episodes({episode.key: episode for episode in taken.episodes})
            if taken.silences is not None:
                self._do("DELETE FROM silences")
                rows, _ = _rows(taken.silences, lambda one: (one[0], _text(one[1])))
                self._many("INSERT INTO silences VALUES (?, ?)", rows)
            positions, _ = _rows(taken.positions.items(), tuple)
            self._many("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions)
        # Only now: a transaction that fails leaves the file as it was.
        if taken.episodes is not None:
            self._episodes = {episode.key: episode for episode in taken.episodes}
        if unkept is not None:
            raise unkept

    def _add(self, taken: Change) -> UnicodeEncodeError | None:
        """Add the events that can be kept, and return why the others can't."""
        number = self._number()
        new = [event for event in taken.events if event.number > number]
        if not new:
            return None
        events, unkept = _rows(new, lambda event: (event, _text(event.alert)))
        rows = ((event.number, event.kind, event.time, alert) for event, alert in events)
        self._many("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        fates = [(id, fate) for id, fate in taken.fates.items() if fate.newest.number > number]
        for id, fate, alert in _rows(fates, lambda each: (*each, _text(each[1].newest.alert)))[0]:
            self._follow(id, fate, alert, number)
        # Also of those that began in this change: one that failed may be on the disk all the same.
        self._many("DELETE FROM firing WHERE id = ?", ((event.alert.id,) for event in new if event.kind == "resolved"))
        # Whether it could be kept or not: its number is taken.
        newest = new[-1]
        self._do("UPDATE log SET number = ?", newest.number)
        self._expire(newest.number, newest.time)
        return unkept

    def _follow(self, id: str, fate: Fate, alert: str, number: int) -> None:
        """Keep what fires up to date; what is in the file up to a number is there already."""
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

    def _expire(self, number: int, now: float) -> None:
        """Delete from the oldest on, as `AlertLog.expire` does: a clock that was set makes no hole in the numbers."""
        found = self._all("SELECT number FROM events WHERE time >= ? ORDER BY number LIMIT 1", now - LOG_AGE_S)
        oldest = found[0][0] if found else number + 1
        self._do("DELETE FROM events WHERE number < ?", max(oldest, number + 1 - LOG_EVENTS))

    def _change_episodes(self, episodes: dict[Key, Episode]) -> None:
        before = self._episodes
        if before is None:
            self._do("DELETE FROM episodes")
            before = {}
        gone, _ = _rows((key for key in before if key not in episodes), lambda key: (key[0], _text(key[1])))
        self._many("DELETE FROM episodes WHERE rule = ? AND labels = ?", gone)
        changed, _ = _rows((new for key, new in episodes.items() if before.get(key) != new), _row)
        self._many(_CHANGE_EPISODE, changed)

    def _make(self) -> None:
        """Make the file where there is none."""
        path = self._path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives the files beside it the same rights. One that is there isn't opened here: closing it would end
        # the locks that this process may have on it (POSIX's fcntl).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        # SQLite takes what is too short to be a database for an empty one.
        if 0 < path.stat().st_size < _HEADER_BYTES:
            raise DamageError("too short")

    def _prepare(self) -> None:
        # Everything that this connection reads as text is decoded where it is used.
        self._connection.text_factory = bytes
        # With the lock for as long as it is open, no other process writes, and WAL needs no shared memory, which
        # network file systems have not.
        self._do("PRAGMA locking_mode = EXCLUSIVE")
        self._do("PRAGMA synchronous = FULL")
        self._do("PRAGMA fullfsync = ON")  # macOS: through the disk's own cache
        self._do("PRAGMA journal_size_limit = 1048576")
        with self._transaction("EXCLUSIVE"):
            self._recognise()
        self._do("PRAGMA journal_mode = WAL")
        if (found := self._all("PRAGMA quick_check(1)")) != [(b"ok",)]:
            raise DamageError(found)

    def _recognise(self) -> None:
        """See that it is a journal, and one that this version knows; make it one when it is empty."""
        [(application,)] = self._all("PRAGMA application_id")
        [(version,)] = self._all("PRAGMA user_version")
        if application == APPLICATION_ID:
            if version > VERSION:
                raise JournalError(
                    f"{self._path} was written by a newer tickboard (format {version}, this one knows {VERSION}): "
                    "update tickboard, or give another file with --state"
                )
            return
        if application or self._all("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise JournalError(f"{self._path} is a database of another program: give another file with --state")
        for statement in _SCHEMA.split(";"):
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
            # After some errors SQLite has rolled back by itself.
            if self._connection.in_transaction:
                self._do("ROLLBACK")
            raise

    def _do(self, statement: str, *values: object) -> None:
        self._connection.execute(statement, values)

    def _many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        self._connection.executemany(statement, rows)

    def _all(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()


def _text(value: object) -> str:
    return _encode(value).decode()


def _rows(given: Iterable[G], row: Callable[[G], R]) -> tuple[list[R], UnicodeEncodeError | None]:
    """Return the rows of what can be encoded, and why the last of the others can't: it must not keep them away."""
    rows: list[R] = []
    unkept: UnicodeEncodeError | None = None
    for one in given:
        try:
            made = row(one)
            for value in made:
                if isinstance(value, str):
                    value.encode()
        except UnicodeEncodeError as error:
            unkept = error
        else:
            rows.append(made)
    return rows, unkept


def _row(episode: Episode) -> tuple[object, ...]:
    # SQLite keeps NaN as NULL.
    return (
        episode.rule,
        _text(episode.labels),
        episode.state,
        episode.lasted_s,
        episode.unseen_s,
        episode.started,
        episode.breached,
        episode.peak,
        None if episode.alert is None else _text(episode.alert),
    )


def _episode(row: Sequence[Any]) -> Episode:
    rule, labels, state, *numbers, alert = row
    lasted_s, unseen_s, started, breached, peak = (math.nan if number is None else number for number in numbers)
    said = None if alert is None else _decode_alert(alert)
    return Episode(rule.decode(), _decode_labels(labels), state, lasted_s, unseen_s, started, breached, peak, said)


def _kind(text: bytes) -> EventKind:
    kind: EventKind = msgspec.convert(text.decode(), type=EventKind)
    return kind


def set_aside(path: Path) -> Path:
    """Move a file that can't be read to another name, for somebody to look at, and return that.

    Raises:
        JournalError: it is no journal, but somebody's file that was given by mistake; or it can't be moved.
    """
    with _told(path):
        if not _is_own(path):
            raise JournalError(f"{path} is no log of alerts: move it away, or give another file with --state")
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        endings = (stamp, *(f"{stamp}.{number}" for number in range(2, 1000)))
        names = (path.with_name(f"{path.name}.damaged-{ending}") for ending in endings)
        free = next(name for name in names if not name.exists())
        for ending in ("-wal", "-shm", "-journal", ""):
            with suppress(FileNotFoundError):
                Path(f"{path}{ending}").replace(f"{free}{ending}")
        return free


def _is_own(path: Path) -> bool:
    """Return whether a file that can't be read is, or was, a journal: by its header, or by its name without one."""
    # Nothing of this process has the file open: closing it would end that one's locks.
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header.startswith(_MAGIC):
        return header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    return path.suffix == ".sqlite"


@contextmanager
def _damage() -> Iterator[None]:
    """Turn what shows that the file is broken into `DamageError`."""
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _DAMAGE:
            raise DamageError(str(error)) from error
        raise
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise DamageError(str(error)) from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what can go wrong with the file into one sentence that names it and the mend."""
    try:
        yield
    except sqlite3.Error as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise  # it is what was given that is wrong, not the file
        code = _code(error)
        if code == sqlite3.SQLITE_BUSY:
            raise JournalError(f"{path} is used by another tickboard: {_MENDS[code]}") from error
        mend = _MENDS.get(getattr(error, "sqlite_errorcode", 0)) or _MENDS.get(code, _ELSEWHERE)
        raise JournalError(f"{path} does not keep the log of alerts: {error}: {mend}") from error
    except OSError as error:
        raise JournalError(
            f"{path} does not keep the log of alerts: {error.filename}: {error.strerror}: {_ELSEWHERE}"
        ) from error


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 for what Python itself refuses."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
