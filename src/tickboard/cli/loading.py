"""Loading a dashboard file in a thread, which a newer load can replace.

A load may take any time, or hang, while the last good board is served. A load that a newer one replaces is interrupted
if possible: an exception is raised in its thread while the thread runs Python code. A call that waits (for a
connection, for time to pass) can't be interrupted: its thread ends soon after the call returns. An exception that is
pending until such a call returns would slow down all threads of Python 3.11, and stop threads under a debugger. An
import of a module from another folder isn't interrupted either, since many modules can't be imported again after half
an import.
"""

import contextlib
import ctypes
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tickboard.board import Board
from tickboard.cli.dashboard_file import SupersededError, load_board
from tickboard.errors import BoardError, InputError
from tickboard.problems import Place, described


class Load:
    """One load of a dashboard file.

    Args:
        path: the dashboard file.
        config: the file that configures the board; None: the ``tickboard.toml`` beside `path`, if there is one.
        ended: called from the thread when the load ends.

    Attributes:
        began: when it began, by the monotonic clock.
        board: the loaded board; None: it is not loaded yet, or loading failed.
        error: why loading failed; None: it has not.
    """

    def __init__(self, path: Path, config: Path | None, ended: Callable[[], None] = lambda: None) -> None:
        self.began = time.monotonic()
        self.board: Board | None = None
        self.error: InputError | None = None
        self._path = path
        self._config = config
        self._notify = ended
        self._folder = str(path.resolve().parent)
        # Held while an exception is raised in the thread, and while the thread sets `_over`, which forbids that.
        self._lock = threading.Lock()
        self._over = False
        self._used_s: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dashboard file", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end, at most `seconds`; return whether it has ended."""
        return self._ended.wait(seconds)

    def notify(self, ended: Callable[[], None]) -> None:
        """Call `ended` when the load ends, instead of the function given before. It may have ended already."""
        self._notify = ended

    def has_ended(self) -> bool:
        """Return whether it has ended."""
        return self._ended.is_set()

    @property
    def place(self) -> Place | None:
        """Where the load is now: the innermost line of a file in the dashboard file's folder."""
        frame, _ = self._own_frame()
        return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)

    def interrupt(self) -> None:
        """Raise an exception in the thread if it runs code of the dashboard file; the result is no longer needed.

        The first call only measures whether the thread runs, so call it repeatedly.
        """
        with self._lock:
            if self._over or self._thread.ident is None or not self._runs(self._thread.ident):
                return
            frame, importing = self._own_frame()
            if frame is None or importing:
                return
            # Only CPython has this function.
            with contextlib.suppress(AttributeError):
                raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
                raise_in(ctypes.c_ulong(self._thread.ident), ctypes.py_object(SupersededError))

    def _runs(self, thread: int) -> bool:
        """Return whether a living thread has used CPU time since the last call."""
        if not hasattr(time, "pthread_getcpuclockid"):  # macOS and Windows
            return True
        used_s = time.clock_gettime(time.pthread_getcpuclockid(thread))
        before_s, self._used_s = self._used_s, used_s
        return before_s is not None and used_s > before_s

    def _own_frame(self) -> tuple[FrameType | None, bool]:
        """Return the innermost frame of code in the folder, and whether it is importing a module from elsewhere."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  # the only way to see another thread's
        importing = False
        while frame is not None:
            name = frame.f_code.co_filename
            if name == str(self._path) or str(Path(name).parent) == self._folder:
                return frame, importing
            importing = importing or name.startswith("<frozen importlib")
            frame = frame.f_back
        return None, False

    def _work(self) -> None:
        with contextlib.suppress(SupersededError):
            self._run()
        # An exception that `interrupt` has requested may still be raised here, once.
        while not self._ended.is_set():
            with contextlib.suppress(SupersededError):
                with self._lock:
                    self._over = True
                self._ended.set()
        with contextlib.suppress(RuntimeError):  # the event loop is closed: the program ends
            self._notify()

    def _run(self) -> None:
        try:
            self.board = load_board(self._path, self._config)
        except InputError as error:
            self.error = error
        except SupersededError:
            raise
        except BaseException as error:  # noqa: BLE001  # a file may raise anything, and it is reported
            self.error = BoardError(described(error), str(self._path))
