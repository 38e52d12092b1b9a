"""The keeper of a board that is served, by a command or by a program: it opens the access file."""

import os
from collections.abc import Callable
from pathlib import Path

from tickboard.access.authority import Authority
from tickboard.access.file import AccessError, AccessFile, NoAccessFile
from tickboard.problems import Reporter
from tickboard.running.password_file import add_admin
from tickboard.server.access.keeper import Keeper


def open_keeper(path: Callable[[], Path], board: str, problems: Callable[[], Reporter], *, at_once: bool) -> Keeper:
    """Return what keeps the users and tokens of a board.

    Args:
        path: returns the path of the access file, or raises `AccessError` if it has none.
        board: what tokens call the board.
        problems: returns where problems with the access file are reported.
        at_once: whether everyone has to log in; see `Keeper`.

    Raises:
        AccessError: people have to log in, and the access file cannot be used.
        InputError: the file that ``TICKBOARD_PASSWORD_FILE`` names cannot be used.
    """
    try:
        file = AccessFile(path())
    except AccessError as error:
        if at_once:
            raise
        file = NoAccessFile(error)
    add_admin(file, os.environ)
    return Keeper(file, Authority(board), problems, at_once=at_once)
