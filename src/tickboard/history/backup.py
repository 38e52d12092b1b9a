"""A copy of a history, also while a board writes it: one state of the file, complete and in one file of its own."""

import os
import sqlite3
from pathlib import Path

from tickboard.errors import HistoryError, InputError
from tickboard.history.exporting import readable
from tickboard.storage.place import Purpose, find_place, make_place

_PURPOSE = Purpose("a copy", "another file", "give the copy another file", HistoryError)


def back_up(path: Path, target: Path) -> int:
    """Copy the history in a file, and return the size of the copy in bytes.

    The copy appears under its name when it is complete, for this user alone to read.

    Args:
        path: the file that is copied.
        target: the copy; its folders are made where they do not exist.

    Raises:
        InputError: the target exists.
        HistoryError: there is no such history, it cannot be read, or the copy cannot be written.
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
