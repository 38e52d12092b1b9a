"""The history's file: an SQLite database that one process writes and others may read at the same time.

docs/history-format.md describes its tables. Everything here blocks for as long as the disk does. It raises
`HistoryError` for problems that a person can fix, and `DamageError` if SQLite cannot read the file. It knows
connections, transactions and statements, but not what the rows mean.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tickboard.errors import HistoryError
from tickboard.storage.damage import BROKEN, DamageError, check_length, primary_code
from tickboard.storage.place import BESIDE, Purpose, check_writable, find_place, make_place

APPLICATION_ID = 0x7469636C
"""In the file's header (``ticl``). It distinguishes the file from databases of other programs."""

VERSION = 1
"""The version of the format. A file with a newer version is refused."""

PAGE_BYTES = 4096

FOREVER = 2**62
"""A time that is later than all others, in POSIX milliseconds."""

PURPOSE = Purpose(
    "the history", "--history", "give another file with --history, or --history none to keep no history", HistoryError
)

LOCK_WAIT_S = 1.0
"""How long to wait for a file that another process uses, since that process may be about to end."""

_SEQ_BITS = 40
_STRIPE_BITS = 16

_MISSING = "no such"  # table, column or index: the schema is damaged

_FIXES = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "check whether its disk is full or failing",
}
_ELSEWHERE = f"make it writable, {PURPOSE.another_file}"

_SCHEMA = """
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, labels TEXT NOT NULL, unit TEXT NOT NULL, UNIQUE (name, labels)
);
CREATE TABLE epochs (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, interval_ms INTEGER NOT NULL, first INTEGER, last INTEGER,
    sealed INTEGER NOT NULL, minutes INTEGER NOT NULL, hours INTEGER NOT NULL
);
CREATE TABLE layouts (id INTEGER PRIMARY KEY, series BLOB NOT NULL);
CREATE TABLE ticks (position INTEGER PRIMARY KEY, time INTEGER NOT NULL, layout INTEGER NOT NULL, row BLOB NOT NULL);
CREATE TABLE spans (
    id INTEGER PRIMARY KEY, tier INTEGER NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, entries INTEGER NOT NULL, bytes INTEGER NOT NULL, times BLOB NOT NULL
);
CREATE INDEX spans_by_time ON spans (epoch, tier, first);
CREATE TABLE blocks (key INTEGER PRIMARY KEY, block BLOB NOT NULL);
INSERT INTO state VALUES ('series', 0), ('expired0', 0), ('expired1', 0), ('expired2', 0);
"""


def position(epoch: int, seq: int) -> int:
    """Return the key of a tick."""
    return epoch << _SEQ_BITS | seq


def epoch_of(tick: int) -> int:
    """Return the epoch of a tick by its key."""
    return tick >> _SEQ_BITS


def block_key(span: int, stripe: int) -> int:
    """Return the key of a block. The blocks of a span are adjacent."""
    return span << _STRIPE_BITS | stripe


def key_parts(key: int) -> tuple[int, int]:
    """Return the span and the stripe of a block by its key."""
    return key >> _STRIPE_BITS, key & (1 << _STRIPE_BITS) - 1


class Database:
    """An open connection, for one thread at a time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def do(self, statement: str, *values: object) -> int:
        """Execute a statement, and return the id of the row that it inserted."""
        return self._connection.execute(statement, values).lastrowid or 0

    def many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Execute a statement for each row."""
        self._connection.executemany(statement, rows)

    def all(self, statement: str, *values: object) -> list[Any]:
        """Return all rows of a query."""
        return self._connection.execute(statement, values).fetchall()

    def each(self, statement: str, *values: object) -> Iterator[Any]:
        """Return the rows of a query one by one."""
        return iter(self._connection.execute(statement, values))

    def one(self, statement: str, *values: object) -> Any:
        """Return the first value of a query's first row, or None if there is no row."""
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    def blob(self, table: str, column: str, row: int) -> sqlite3.Blob | None:
        """Open one value to read parts of it; None if there is no such row."""
        try:
            return self._connection.blobopen(table, column, row, readonly=True)
        except sqlite3.OperationalError as error:
            if str(error).startswith("no such rowid"):
                return None
            raise

    def copy_to(self, path: Path) -> None:
        """Copy one state of the file into an empty file, even while it is written to."""
        with closing(sqlite3.connect(path)) as copy:
            # In one step, since a write between two steps would restart the copy.
            self._connection.backup(copy)
            # So that the copy is a single file.
            copy.execute("PRAGMA journal_mode = DELETE")

    def script(self, statements: str) -> None:
        """Execute each statement to its end."""
        self._connection.executescript(statements)

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """Commit everything inside, or roll it back."""
        self.do(f"BEGIN {kind}")
        try:
            yield
            self.do("COMMIT")
        except BaseException:
            # After some errors SQLite has rolled back by itself.
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self.do("ROLLBACK")
            raise


class HistoryFile(Database):
    """The connection for writing. It locks the file against other writers.

    Args:
        path: the file. It is created with its folders if needed, private to this user.

    Raises:
        HistoryError: another process uses the file, a newer version or another program wrote it, other users can write
            to it, or it cannot be written to.
        DamageError: SQLite cannot read it.
    """

    def __init__(self, path: Path) -> None:
        with explained_errors(path):
            real = find_place(path, PURPOSE)
            make_place(real)
            self._lock = _lock(path, real)
            try:
                check_length(real)
                check_writable(real, PURPOSE)
                connection = sqlite3.connect(real, LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
                super().__init__(path, connection)
                try:
                    self._prepare()
                except BaseException:
                    connection.close()
                    raise
                found = real.stat()
            except BaseException:
                self._lock.close()
                raise
            self._real = real
            self._identity = (found.st_dev, found.st_ino)

    def close(self) -> None:
        """Close and unlock the file."""
        try:
            super().close()
        finally:
            self._lock.close()

    @property
    def real(self) -> Path:
        """The path of the file, with links resolved."""
        return self._real

    def is_lost(self) -> bool:
        """Return whether the file at the path is no longer the open one."""
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        return (found.st_dev, found.st_ino) != self._identity

    def check_writable(self) -> None:
        """Check that the file can be written to. SQLite notices only when it has to open another file.

        Raises:
            HistoryError: it cannot.
        """
        check_writable(find_place(self.path, PURPOSE), PURPOSE)

    def sync_next(self, through: bool) -> None:
        """Set whether the next commits survive a power cut (`through`), or only a kill."""
        self.do(f"PRAGMA synchronous = {'FULL' if through else 'NORMAL'}")

    def touch(self) -> None:
        """Write an unchanged value, so that the transaction waits for the disk even if it is otherwise empty."""
        self.do(f"PRAGMA application_id = {APPLICATION_ID}")

    def used_bytes(self) -> int:
        """Return the size of the pages in use."""
        pages, free = self.one("PRAGMA page_count"), self.one("PRAGMA freelist_count")
        return int(pages - free) * PAGE_BYTES

    def free_pages(self) -> int:
        """Return the number of free pages."""
        return int(self.one("PRAGMA freelist_count"))

    def vacuum(self, pages: int) -> None:
        """Return free pages to the file system."""
        # Run as a query, it would free one page per call.
        self.script(f"PRAGMA incremental_vacuum({pages})")

    def size_bytes(self) -> int:
        """Return the size of the file and of those beside it."""
        return size_bytes(self._real)

    def _prepare(self) -> None:
        self.do(f"PRAGMA page_size = {PAGE_BYTES}")
        self.do("PRAGMA auto_vacuum = INCREMENTAL")  # before WAL, or it is too late
        # Debian's default overwrites deleted data, which makes up a seventh of all writes. With FAST, free pages keep
        # it until they are reused; `forget` returns them to the file system.
        self.do("PRAGMA secure_delete = FAST")
        self.do("PRAGMA fullfsync = ON")  # macOS: through the disk's own cache
        self.do("PRAGMA journal_size_limit = 4194304")
        with self.transaction("EXCLUSIVE"):
            self._recognise()
        if self.one("PRAGMA journal_mode = WAL") != "wal":
            raise PURPOSE.refused(self.path, f"its file system lacks shared memory: {PURPOSE.another_file}")
        self.sync_next(through=False)

    def _recognise(self) -> None:
        """Check the format of the file. Create the tables if it is empty."""
        application, version = self.one("PRAGMA application_id"), self.one("PRAGMA user_version")
        if application == APPLICATION_ID:
            if version > VERSION:
                raise HistoryError(
                    f"{self.path} was written by a newer tickboard (format {version}, this one knows {VERSION}): "
                    f"update tickboard, or {PURPOSE.another_file}"
                )
            return
        if application or self.all("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise HistoryError(f"{self.path} is a database of another program: {PURPOSE.another_file}")
        for statement in _SCHEMA.split(";"):
            self.do(statement)
        self.do(f"PRAGMA application_id = {APPLICATION_ID}")
        self.do(f"PRAGMA user_version = {VERSION}")


def open_to_read(path: Path) -> Database:
    """Return a read-only connection.

    Raises:
        HistoryError: the file does not exist, is not a history, or was written by a newer version.
        DamageError: SQLite cannot read it.
    """
    with explained_errors(path):
        real = find_place(path, PURPOSE)
        if not real.exists():
            raise HistoryError(f"{path} does not exist: give the path of a history file")
        connection = sqlite3.connect(
            f"{real.as_uri()}?mode=ro", LOCK_WAIT_S, isolation_level=None, check_same_thread=False, uri=True
        )
        database = Database(path, connection)
        try:
            if database.one("PRAGMA application_id") != APPLICATION_ID:
                raise HistoryError(f"{path} is not a history file: give the path of one")
            if (version := database.one("PRAGMA user_version")) > VERSION:
                raise HistoryError(f"{path} was written by a newer tickboard (format {version}): update tickboard")
            database.do("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return database


def size_bytes(real: Path) -> int:
    """Return the size of a file, with the files that SQLite keeps beside it."""
    total = 0
    for file in (real, *(Path(f"{real}{ending}") for ending in BESIDE)):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def is_in_use(real: Path) -> bool:
    """Return whether a process has a history file open for writing."""
    lock = _lock_of(real)
    if not lock.exists():
        return False
    with closing(sqlite3.connect(f"{lock.as_uri()}?mode=ro", 0, uri=True)) as connection:
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise
            return True
    return False


def _lock_of(real: Path) -> Path:
    return real.with_name(f"{real.name}-lock")


def _lock(path: Path, real: Path) -> sqlite3.Connection:
    """Lock the file against other writers for as long as the returned connection is open."""
    # An exclusive lock of the database itself would lock out readers too.
    lock = _lock_of(real)
    make_place(find_place(lock, PURPOSE))
    connection = sqlite3.connect(lock, LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if primary_code(error) != sqlite3.SQLITE_BUSY:
            raise
        raise HistoryError(
            f"{path} is in use by another tickboard: stop that one, or give this one another file with --history"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def explained_errors(path: Path) -> Iterator[None]:
    """Turn errors of the file into one sentence that names it and says how to fix it.

    Raises:
        HistoryError: for any error of SQLite or the system that a person can fix.
        DamageError: SQLite cannot read the file.
    """
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamageError(str(error)) from error
        code = primary_code(error)
        fix = _FIXES.get(getattr(error, "sqlite_errorcode", 0)) or _FIXES.get(code, _ELSEWHERE)
        raise PURPOSE.failed(path, f"{error}: {fix}") from error
    except OSError as error:
        raise PURPOSE.failed(path, f"{error.filename}: {error.strerror}: {_ELSEWHERE}") from error


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that SQLite cannot read the file."""
    code = primary_code(error)
    return code in BROKEN or (code == sqlite3.SQLITE_ERROR and str(error).startswith(_MISSING))
