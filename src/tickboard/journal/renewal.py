"""A new file in place of one that can't be read, or was lost while it was in use; what was there is kept beside it."""

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
    """Return a new file at a path; what is there by now is renamed, for somebody to look at.

    Args:
        path: of the file.
        lost: what was open there; it is closed.

    Raises:
        JournalError: it can't be created; another process has what is there.
    """
    with explained_errors(path):
        try:
            real = find_place(path, PURPOSE)
            if lost is not None:
                # Otherwise SQLite would take it for that of what is at the path now, and write it into that.
                lost.remove_wal(real)
            if real.exists():
                if lost is None or not lost.is_at(real):
                    _check_unused(path)
                move_aside(real, "replaced", PURPOSE)
            for file in beside(real):
                # Of a database that is gone: worthless without it, and not to be taken for the new one's.
                file.unlink(missing_ok=True)
            new = JournalFile(path)
            if lost is not None:
                _copy_past(new, lost, path)
            return new
        finally:
            # Only now: SQLite writes nothing to a file that is not at its path any more, nor deletes what is beside it.
            if lost is not None:
                with suppress(sqlite3.Error):
                    lost.close()


def _copy_past(new: JournalFile, lost: JournalFile, path: Path) -> None:
    """Copy the alerts that only the lost file has, which is still open."""
    try:
        copied = new.copy_past(lost)
    except JournalError as error:
        log.warning("%s: resolved alerts that are older than the log were lost with the file: %s", path, error)
    else:
        log.warning("%s was begun anew: %d resolved alerts could be read from the lost file", path, copied)


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
        real = find_place(path, PURPOSE)
        if not has_header(real, APPLICATION_ID):
            raise JournalError(f"{path} is not a log of alerts: move it away, or give another file with --state")
        return move_aside(real, "damaged", PURPOSE)
