"""Loading a dashboard file: returns its board, or raises one error that names the file and the line.

The ``tickboard.toml`` beside the file is applied to the board.
"""

import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tickboard.board import Board
from tickboard.configuration.config import NAME, Config, parse_config
from tickboard.configuration.toml import MAX_BYTES
from tickboard.errors import BoardError, TickboardError
from tickboard.problems import described

MODULE_NAME = "__dashboard__"

_lock = threading.RLock()
"""Held while `sys.modules` or `sys.path` is changed, since two loads may run at the same time."""

_folders: list[str] = []
"""The folders of dashboard files that are in `sys.path`. The modules in them are imported again by each load."""

_loads = 0
"""How many loads are running with `sys.dont_write_bytecode` set."""

_writes_no_bytecode = False
"""The value of `sys.dont_write_bytecode` before the first of these loads."""


class SupersededError(BaseException):
    """Raised in the thread of a load that a newer load has replaced."""


def load_board(path: Path, config: Path | None = None) -> Board:
    """Run a dashboard file and return its board, configured.

    Args:
        path: the dashboard file.
        config: the file that configures the board; None: the ``tickboard.toml`` beside `path`, if there is one.

    Raises:
        BoardError: the dashboard file is missing, raises an exception, or has no board; or `config` is missing, or
            something in it cannot be used.
    """
    board = _board_of(path)
    configured_by = find_config(path, config)
    if configured_by is not None:
        board.apply_config(read_config(configured_by))
    return board


def find_config(path: Path, config: Path | None = None) -> Path | None:
    """Return the file that configures a dashboard file's board: `config`, or the one beside it if that exists."""
    beside = path.with_name(NAME)
    return config or (beside if beside.exists() or beside.is_symlink() else None)


def read_config(path: Path) -> Config:
    """Read a ``tickboard.toml``.

    Raises:
        BoardError: it can't be read, or something in it cannot be used.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise BoardError("there is no such file; give the path of a tickboard.toml", str(path)) from error
        raise BoardError(
            f"it can't be read ({error.strerror}); give the path of a tickboard.toml", str(path)
        ) from error
    return parse_config(data, str(path))


def _board_of(path: Path) -> Board:
    """Run a dashboard file and return its board: the one named ``board``, or else the only one."""
    if not path.is_file():
        what = "is a folder, not a dashboard file" if path.is_dir() else "there is no such file"
        raise BoardError(f"{what}; give the path of a Python file that makes a Board", str(path))
    module = _run(path)
    values = list(vars(module).values())
    boards = {id(value): value for value in values if isinstance(value, Board)}
    named = vars(module).get("board")
    if isinstance(named, Board):
        return named
    if len(boards) == 1:
        return next(iter(boards.values()))
    if boards:
        raise BoardError(f"it makes {len(boards)} boards; give the one to show the name `board`", str(path))
    raise BoardError(
        'it makes no board; begin with: from tickboard import Board; board = Board("My dashboard")', str(path)
    )


def _run(path: Path) -> ModuleType:
    folder = str(path.resolve().parent)
    # Absolute, since the file may change the current folder.
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path.absolute())
    if spec is None or spec.loader is None:
        raise BoardError("it is not a Python file; its name must end in .py", str(path))
    module = importlib.util.module_from_spec(spec)
    with _lock:
        before = _forget_modules(folder)
        _import_from(folder)
        sys.modules[MODULE_NAME] = module
    try:
        with _no_compiled_code():
            exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102  # running it is the point
    except BaseException as error:
        with _lock:
            # Restore the modules of the board that stays in use, unless a newer load has begun.
            if sys.modules.get(MODULE_NAME) is module:
                _forget_modules(folder)
                sys.modules |= before
        if isinstance(error, SupersededError) or (isinstance(error, KeyboardInterrupt) and _is_main_thread()):
            raise
        if isinstance(error, SyntaxError):
            message = f"{type(error).__name__}: {error.msg}"
            raise BoardError(message, error.filename or str(path), error.lineno) from error
        raise BoardError(_described(error), str(path), _line_in(path, error)) from error
    return module


def _is_main_thread() -> bool:
    """Return whether this is the thread in which Ctrl-C is raised."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def _no_compiled_code() -> Iterator[None]:
    """Import modules from their source: a cached .pyc of the same second would hide a change."""
    global _loads, _writes_no_bytecode  # noqa: PLW0603  # so is sys.dont_write_bytecode
    with _lock:
        if not _loads:
            _writes_no_bytecode = sys.dont_write_bytecode
        _loads += 1
        sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            if not _loads:
                sys.dont_write_bytecode = _writes_no_bytecode


def _described(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "it calls exit(); a dashboard file only declares a board: remove the call"
    if isinstance(error, TickboardError):
        return str(error)
    return described(error).splitlines()[0]


def _line_in(path: Path, error: BaseException) -> int | None:
    """Return the line of the dashboard file, not of the library, that raised an error."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None


def _import_from(folder: str) -> None:
    """Import modules from this folder first, and no longer from the folder of an earlier dashboard file."""
    for earlier in [one for one in _folders if one != folder]:
        _folders.remove(earlier)
        if earlier in sys.path:
            sys.path.remove(earlier)
    if folder not in sys.path:
        _folders.append(folder)
        sys.path.insert(0, folder)


def _forget_modules(folder: str) -> dict[str, ModuleType]:
    """Remove the modules beside the dashboard file, which may have changed, and return them by name."""
    found, folders = {}, {folder, *_folders}
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        beside = isinstance(origin, str) and str(Path(origin).parent) in folders
        if name == MODULE_NAME or (beside and name != "__main__"):
            found[name] = sys.modules.pop(name)
            if getattr(getattr(module, "__spec__", None), "_initializing", False):
                # If a load hangs while it imports this module, its lock would block the next load.
                vars(sys.modules["_frozen_importlib"]).get("_module_locks", {}).pop(name, None)
    return found
