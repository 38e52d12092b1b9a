"""The commands that load a board without serving it: check, notify and schema."""

import asyncio
import os
import time
from functools import partial
from pathlib import Path

import msgspec

from tickboard.board import Board
from tickboard.cli.dashboard_file import find_config, load_board, read_config
from tickboard.cli.host_board import host_board
from tickboard.cli.serving_options import count
from tickboard.configuration.config import config_schema
from tickboard.errors import InputError
from tickboard.history.options import NO_HISTORY
from tickboard.hub.traffic import Notified
from tickboard.notify.message_text import trial
from tickboard.notify.notifier import Notifier, Service
from tickboard.output.terminal import Answers, put
from tickboard.settings import read_settings


def check(file: Path, config: Path | None) -> None:
    """Load a dashboard file and print a summary.

    Raises:
        BoardError: the file cannot be used.
    """
    board = load_board(file, config)
    board.prepare(read_settings(os.environ, default=board.defaults), history=NO_HISTORY)
    described = board.describe()
    configured_by = find_config(file, config)
    files = f"{file}" if configured_by is None else f"{file} with {configured_by}"
    put(f"{files}: {board.title!r}, {count(described.metrics, 'metric')}, {count(described.rules, 'alert rule')}: good")


def schema() -> None:
    """Print the JSON Schema of tickboard.toml."""
    # Not escaped and redacted as other output: it is known text, whose example URLs must stay complete.
    Answers().write(f"{msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode()}\n")


def notify(file: Path | None, config: Path | None) -> bool:
    """Send a test message to every notifier of a board, and return whether all were delivered.

    Args:
        file: the dashboard file; None: the board of this machine.
        config: a tickboard.toml, instead of the one beside the file.

    Raises:
        InputError: the board has no notifiers, or cannot be loaded.
    """
    board = host_board()[0] if file is None else load_board(file, config)
    if file is None and config is not None:
        board.apply_config(read_config(config))
    if not board.notifiers:
        raise InputError(f"{file or 'the board of this machine'} has no notifiers: declare one with board.notify")
    return asyncio.run(_send_tests(board))


async def _send_tests(board: Board) -> bool:
    """Send the messages, and print each result as soon as it is known."""

    async def send(service: Service) -> bool:
        began = time.monotonic()
        reason = await Notifier(service, board.title, Notified(), board.report_problem).attempt(
            partial(trial, board.title)
        )
        name = f"{service.destination.name} ({service.kind})"
        put(f"{name}: not delivered: {reason}" if reason else f"{name}: delivered in {time.monotonic() - began:.1f} s")
        return not reason

    return all(await asyncio.gather(*map(send, board.notifiers)))
