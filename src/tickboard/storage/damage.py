"""Damage: recognises database files that SQLite cannot read."""

import sqlite3
from pathlib import Path

HEADER_BYTES = 100
"""Size of SQLite's header."""

BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
"""The primary result codes for a broken file."""


class DamageError(Exception):
    """SQLite cannot read the file, or it does not contain what was written."""


def check_length(real: Path) -> None:
    """Check that a file is empty or long enough for a database: SQLite treats a shorter one as empty.

    Raises:
        DamageError: it is too short.
    """
    if 0 < real.stat().st_size < HEADER_BYTES:
        raise DamageError("too short")


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, or 0 for an error of Python's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
