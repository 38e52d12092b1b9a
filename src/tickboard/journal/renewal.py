"""A new file in place of one that can't be read, or was lost while it was in use; what was there is kept beside it."""

import glob
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from tickboard.errors import JournalError, UsedError
from tickboard.journal.file import APPLICATION_ID, HEADER_BYTES, DamageError, JournalFile, explained_errors
from tickboard.journal.place import BESIDE, beside, find_place

MAX_RENAMED = 20
"""Files that may be kept beside the journal for somebody to look at: what damages it again and again fills no disk."""

_MAGIC = b"SQLite format 3\0"


def begin_anew(path: Path, lost: JournalFile | None) -> JournalFile:
    """Return a new file at a path; what is there by now is renamed, for somebody to look at.

    Args:
        path: of the file.
        lost: what was open there; it is closed.

    Raises:
        JournalError: it can't be created; another process has what is there.
    """
    with explained_errors(path):
        try:
            real = find_place(path)
            if lost is not None:
                # Otherwise SQLite would take it for that of what is at the path now, and write it into that.
                lost.remove_wal(real)
            if real.exists():
                if lost is None or not lost.is_at(real):
                    _check_unused(path)
                _rename(real, "replaced")
            for file in beside(real):
                # Of a database that is gone: worthless without it, and not to be taken for the new one's.
                file.unlink(missing_ok=True)
        finally:
            # Only now: SQLite writes nothing to a file that is not at its path any more, nor deletes what is beside it.
            if lost is not None:
                with suppress(sqlite3.Error):
                    lost.close()
    return JournalFile(path)


def _check_unused(path: Path) -> None:
    """Check that no other process has the file at a path."""
    try:
        JournalFile(path).close()
    except UsedError:
        raise
    except (DamageError, JournalError):
        return  # whatever it is, nobody has it


def set_aside(path: Path) -> Path:
    """Move a file that can't be read to another name, for somebody to look at, and return that.

    Raises:
        JournalError: it is no journal, but somebody's file that was given by mistake; or it can't be moved.
    """
    with explained_errors(path):
        real = find_place(path)
        if not _is_own(real):
            raise JournalError(f"{path} is no log of alerts: move it away, or give another file with --state")
        return _rename(real, "damaged")


def _rename(real: Path, why: str) -> Path:
    """Rename a file, with those beside it, and return its new name."""
    if len(list(real.parent.glob(f"{glob.escape(real.name)}.{why}-*Z*"))) >= MAX_RENAMED:
        raise JournalError(
            f"{real} does not keep the log of alerts: there are {MAX_RENAMED} files {real.name}.{why}-… beside it: "
            "find out what changes it, and remove them"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    endings = (stamp, *(f"{stamp}.{number}" for number in range(2, 1000)))
    names = (real.with_name(f"{real.name}.{why}-{ending}") for ending in endings)
    free = next(name for name in names if not any(Path(f"{name}{ending}").exists() for ending in ("", *BESIDE)))
    for ending in (*BESIDE, ""):
        with suppress(FileNotFoundError, NotADirectoryError):
            Path(f"{real}{ending}").replace(f"{free}{ending}")
    return free


def _is_own(path: Path) -> bool:
    """Return whether a file that can't be read is, or was, a journal: by its header, or by its name without one."""
    # Nothing of this process has the file open: closing it would end that one's locks.
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if header.startswith(_MAGIC):
        return header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    return path.suffix == ".sqlite"
