"""A backup of a history: a complete copy of one state, in a single file. It works while a board writes the history."""

import os
import sqlite3
from pathlib import Path

from tickboard.errors import HistoryError, InputError
from tickboard.history.exporting import readable
from tickboard.storage.place import Purpose, find_place, make_place

_PURPOSE = Purpose("a copy", "another file", "give the copy another file", HistoryError)


def back_up(path: Path, target: Path) -> int:
    """Copy the history in a file, and return the size of the copy in bytes.

    The copy gets its name when it is complete. Only this user can read it.

    Args:
        path: the file to copy.
        target: the copy; its folders are made if they do not exist.

    Raises:
        InputError: the target exists.
        HistoryError: the history does not exist or cannot be read, or the copy cannot be written.
    """
    with readable(path) as database:
        if target.exists() or target.is_symlink():
            raise InputError(f"{target} already exists: give the copy another name")
        partial = target.with_name(f"{target.name}.partial")
        try:
            real = find_place(partial, _PURPOSE)
            real.unlink(missing_ok=True)
            make_place(real)
            try:
                database.copy_to(real)
                _sync(real)
                size = real.stat().st_size
                real.rename(real.with_name(target.name))
            except BaseException:
                real.unlink(missing_ok=True)
                raise
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise HistoryError(f"{path} cannot be copied to {target}: {reason}") from error
    return size


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
