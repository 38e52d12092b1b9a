"""Loading a dashboard file in a thread, which a newer load overtakes.

A file may take as long as it likes, or for ever, while the last good board is served. A load that is no longer wanted
is ended where that is possible: an exception is raised in its thread while that runs Python. A call that waits (for a
connection, for time to pass) can't be interrupted: its thread ends soon after the call has returned. An exception that
waits for the end of such a call would slow down all threads of Python 3.11, and stop those that a debugger follows. An
import of a module from elsewhere isn't interrupted either: many can't be imported again after half an import.
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
        config: what configures it, in place of the ``tickboard.toml`` beside it.
        ended: is called from the thread at its end.

    Attributes:
        began: when, by the monotonic clock.
        board: what it has loaded; None: it is at work, or has failed.
        error: why it has failed; None: it has not.
    """

    def __init__(self, path: Path, config: Path | None, ended: Callable[[], None] = lambda: None) -> None:
        self.began = time.monotonic()
        self.board: Board | None = None
        self.error: InputError | None = None
        self._path = path
        self._config = config
        self._notify = ended
        self._folder = str(path.resolve().parent)
        # Held where an exception may be raised in the thread, and where the thread says that it no longer may.
        self._lock = threading.Lock()
        self._over = False
        self._used_s: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dashboard file", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for its end, so long at most; return whether it has ended."""
        return self._ended.wait(seconds)

    def notify(self, ended: Callable[[], None]) -> None:
        """Call this at its end; it may have come already."""
        self._notify = ended

    def has_ended(self) -> bool:
        """Return whether it has ended."""
        return self._ended.is_set()

    @property
    def place(self) -> Place | None:
        """Where it is: the innermost line of a file in the dashboard file's folder."""
        frame, _ = self._own_frame()
        return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)

    def interrupt(self) -> None:
        """Raise an exception in it, if it runs code of the dashboard file; its outcome is of no interest any more.

        Whether it runs is seen from the second call on.
        """
        with self._lock:
            if self._over or self._thread.ident is None or not self._runs(self._thread.ident):
                return
            frame, importing = self._own_frame()
            if frame is None or importing:
                return
            # CPython alone has it.
            with contextlib.suppress(AttributeError):
                raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
                raise_in(ctypes.c_ulong(self._thread.ident), ctypes.py_object(SupersededError))

    def _runs(self, thread: int) -> bool:
        """Return whether the thread, which has not ended, has used the processor since this was last asked."""
        if not hasattr(time, "pthread_getcpuclockid"):  # macOS and Windows
            return True
        used_s = time.clock_gettime(time.pthread_getcpuclockid(thread))
        before_s, self._used_s = self._used_s, used_s
        return before_s is not None and used_s > before_s

    def _own_frame(self) -> tuple[FrameType | None, bool]:
        """Return the innermost frame of code in the folder, and whether a module from elsewhere is imported there."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001  # the way to see another thread's
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
        # An exception that was on its way may still be raised here, once.
        while not self._ended.is_set():
            with contextlib.suppress(SupersededError):
                with self._lock:
                    self._over = True
                self._ended.set()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._notify()

    def _run(self) -> None:
        try:
            self.board = load_board(self._path, self._config)
        except InputError as error:
            self.error = error
        except SupersededError:
            raise
        except BaseException as error:  # noqa: BLE001  # whatever a file raises is what is wrong with it
            self.error = BoardError(described(error), str(self._path))
