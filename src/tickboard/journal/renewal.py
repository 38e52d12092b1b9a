"""Replaces a journal that cannot be read, or was lost while in use. The old file is kept under another name."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from tickboard.errors import JournalError, UsedError
from tickboard.journal.file import APPLICATION_ID, PURPOSE, JournalFile, explained_errors
from tickboard.output.logs import log
from tickboard.storage.aside import has_header, move_aside
from tickboard.storage.damage import DamageError
from tickboard.storage.place import beside, find_place


def begin_anew(path: Path, lost: JournalFile | None) -> JournalFile:
    """Return a new file at a path. A file that is there now is renamed, so that it can be examined.

    Args:
        path: the journal's.
        lost: the file that was open there; it is closed.

    Raises:
        JournalError: it can't be created, or another process has the file that is there.
    """
    with explained_errors(path):
        try:
            real = find_place(path, PURPOSE)
            if lost is not None:
                # Otherwise SQLite would apply it to the file that is at the path now.
                lost.remove_wal(real)
            if real.exists():
                if lost is None or not lost.is_at(real):
                    _check_unused(path)
                move_aside(real, "replaced", PURPOSE)
            for file in beside(real):
                # They belong to a database that is gone, and must not be applied to the new one.
                file.unlink(missing_ok=True)
            new = JournalFile(path)
            if lost is not None:
                _copy_past(new, lost, path)
            return new
        finally:
            # Not earlier: once its file has left the path, SQLite neither writes to it nor deletes files beside it.
            if lost is not None:
                with suppress(sqlite3.Error):
                    lost.close()


def _copy_past(new: JournalFile, lost: JournalFile, path: Path) -> None:
    """Copy the alerts that only the lost file has. It is still open."""
    try:
        copied = new.copy_past(lost)
    except JournalError as error:
        log.warning("%s: resolved alerts older than the log were lost with the file: %s", path, error)
    else:
        log.warning("%s was replaced by a new file: %d resolved alerts could be read from the lost one", path, copied)


def _check_unused(path: Path) -> None:
    """Check that no other process has the file at a path."""
    try:
        JournalFile(path).close()
    except UsedError:
        raise
    except (DamageError, JournalError):
        return  # whatever it is, nobody has it open


def set_aside(path: Path) -> Path:
    """Rename a file that can't be read, so that it can be examined, and return its new path.

    Raises:
        JournalError: it is not a journal, but another file named by mistake; or it can't be moved.
    """
    with explained_errors(path):
        real = find_place(path, PURPOSE)
        if not has_header(real, APPLICATION_ID):
            raise JournalError(f"{path} is not a log of alerts: move it away, or give another file with --state")
        return move_aside(real, "damaged", PURPOSE)
