"""The roster: what a wall knows of its hosts, kept across its restarts in a file beside the log of alerts.

It says which hosts there are, and up to when the wall has the ticks of each: what it missed while it was down is read
from their histories. The file is written now and then, in a thread of its own, so after a crash it is some seconds
old; then a little is read again that the wall has. A file that cannot be used is reported, and the wall starts without
it; a damaged one is set aside, and one of another program is left as it is.
"""

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tickboard.errors import JournalError
from tickboard.storage.aside import has_header, move_aside
from tickboard.storage.damage import DamageError, check_length
from tickboard.storage.place import Purpose, find_place, make_place
from tickboard.times import MAX_TIME_MS
from tickboard.wire import About, HostState

PURPOSE = Purpose(
    "the list of hosts", "--state", "give another file with --state, or --state none to keep nothing", JournalError
)

APPLICATION_ID = 0x7469636D
"""In the file's header (``ticm``). It distinguishes the file from databases of other programs."""

VERSION = 1
"""The version of the file's format."""

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE hosts (name TEXT PRIMARY KEY, about BLOB NOT NULL, place BLOB NOT NULL);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""

_SHIFT_MS = 101 * 366 * 86_400_000
"""No host's times are shifted by more; see `tickboard.fleet.follower.MAX_AHEAD_S`."""

Seconds = Annotated[float, Meta(ge=0, le=MAX_TIME_MS / 1000)]
Milliseconds = Annotated[int, Meta(ge=-_SHIFT_MS, le=MAX_TIME_MS - _SHIFT_MS)]
Shift = Annotated[int, Meta(ge=-_SHIFT_MS, le=_SHIFT_MS)]
"""Times that can be shown, and what may be added to them. A hole may begin a little before 1970."""


class HostPlace(Struct, frozen=True):
    """Where a host was when it was stored.

    Attributes:
        state: whether it was there.
        since: when its state began, POSIX seconds.
        seen: when it was last heard from, POSIX seconds.
        ticked_ms: the time of its newest tick, by its own clock.
        shift_ms: by what its times were shifted for the difference of the clocks.
        holes: the ranges in which its ticks were missing.
        address: how it was reached, as for people.
        kind: how it was reached: ``http`` or ``nats``.
    """

    state: HostState
    since: Seconds
    seen: Seconds
    ticked_ms: Milliseconds
    shift_ms: Shift
    holes: list[tuple[Milliseconds, Milliseconds]] = []
    address: str = ""
    kind: str = ""


class KnownHost(Struct, frozen=True):
    """A host of an earlier run of the wall.

    Attributes:
        about: its description.
        place: where it was.
    """

    about: About
    place: HostPlace


_decode_about = msgspec.json.Decoder(About).decode
_decode_place = msgspec.json.Decoder(HostPlace).decode


def beside_journal(journal: Path) -> Path:
    """Return the file of the roster that belongs to a journal's file, for example ``wall.hosts.sqlite``."""
    return journal.with_name(f"{journal.stem}.hosts.sqlite")


class Roster:
    """The file. Its methods block, and raise nothing but `JournalError`.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # What is stored of each host, so that only what changed is written.
        self._about: dict[str, About] = {}

    def load(self) -> list[KnownHost]:
        """Return all hosts; a damaged file is set aside, and counts as empty.

        Raises:
            JournalError: the file cannot be used.
        """
        try:
            return self._load()
        except (sqlite3.DatabaseError, DamageError, msgspec.MsgspecError, TypeError, ValueError) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise PURPOSE.failed(self._path, str(error)) from error
            real = find_place(self._path, PURPOSE)
            if not has_header(real, APPLICATION_ID):
                raise self._foreign() from error
            aside = move_aside(real, "damaged", PURPOSE)
            raise PURPOSE.failed(self._path, f"it was damaged, and is now {aside}; a new one was begun") from error
        except OSError as error:
            raise PURPOSE.failed(self._path, error.strerror or str(error)) from error

    def save(self, hosts: Iterable[KnownHost], forgotten: Collection[str]) -> None:
        """Store hosts, and remove others.

        Raises:
            JournalError: the file cannot be written.
        """
        try:
            with closing(self._opened()) as database, database:
                database.executemany("DELETE FROM hosts WHERE name = ?", [(name,) for name in forgotten])
                for host in hosts:
                    place = msgspec.json.encode(host.place)
                    if self._about.get(host.about.name) == host.about:
                        database.execute("UPDATE hosts SET place = ? WHERE name = ?", (place, host.about.name))
                        continue
                    row = (host.about.name, msgspec.json.encode(host.about), place)
                    database.execute("INSERT OR REPLACE INTO hosts VALUES (?, ?, ?)", row)
                    self._about[host.about.name] = host.about
        except (sqlite3.Error, DamageError, OSError) as error:
            self._about.clear()
            raise PURPOSE.failed(self._path, str(error)) from error
        for name in forgotten:
            self._about.pop(name, None)

    def _load(self) -> list[KnownHost]:
        with closing(self._opened()) as database:
            rows = database.execute("SELECT about, place FROM hosts ORDER BY name").fetchall()
        found = [KnownHost(_decode_about(about), _decode_place(place)) for about, place in rows]
        self._about = {each.about.name: each.about for each in found}
        return found

    def _opened(self) -> sqlite3.Connection:
        real = find_place(self._path, PURPOSE)
        make_place(real)
        check_length(real)
        database = sqlite3.connect(real, 1.0)
        try:
            self._recognise(database)
        except BaseException:
            database.close()
            raise
        return database

    def _recognise(self, database: sqlite3.Connection) -> None:
        """Check that it is a list of hosts of a known format; initialise an empty file."""
        [(application,)] = database.execute("PRAGMA application_id")
        [(version,)] = database.execute("PRAGMA user_version")
        if application == APPLICATION_ID:
            if version > VERSION:
                raise JournalError(
                    f"{self._path} was written by a newer tickboard (format {version}, this one knows {VERSION}): "
                    f"update tickboard, or {PURPOSE.another_file}"
                )
            return
        if application or database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
            raise self._foreign()
        database.executescript(_SCHEMA)

    def _foreign(self) -> JournalError:
        return JournalError(f"{self._path} is a file of another program: move it away, or {PURPOSE.another_file}")
