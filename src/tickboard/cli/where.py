"""The flags that say which history a command uses, and how its file is found."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

from msgspec import Struct

from tickboard.cli.serving_options import Options
from tickboard.errors import InputError


class Where(Struct, frozen=True):
    """The flags that say which history a command uses."""

    history: Annotated[
        str | None,
        "The file that keeps the history. By default that of the board (TICKBOARD_HISTORY, or one beside --state).",
    ] = None
    board: Annotated[Path | None, "The dashboard file of the board. By default, the board of this machine."] = None
    state: Annotated[str | None, "The board's --state (TICKBOARD_STATE)."] = None
    config: Annotated[Path | None, "The board's --config."] = None

    def path(self) -> Path:
        """Return the file, as the board finds it when it starts.

        Raises:
            InputError: the board keeps no history.
            BoardError: the board cannot be loaded.
        """
        options = Options(history=self.history, state=self.state, config=self.config).anchored()
        if options.history and options.history != "none":
            return Path(options.history)
        from tickboard.board import Board
        from tickboard.cli.dashboard_file import load_board

        file = None if self.board is None else self.board.absolute()
        # A dashboard file may print; standard output is for the command's answer.
        with contextlib.redirect_stdout(sys.stderr):
            if self.board is None:
                board = Board()
                options.configure(board)
            else:
                board = load_board(self.board, self.config)
            path = options.history_of(board, file).path
        if path is None:
            raise InputError("this board keeps no history: name a history file with --history FILE")
        return path
