"""Watching a dashboard file, its configuration and the Python files beside it for changes.

A thread checks ten times a second. It looks the files up by name each time, so it sees every kind of change: a file
that is written in place, replaced, or deleted and made again; a link that is switched; a renamed folder; and changes on
a file system without notifications.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_EVERY_S = 0.1
"""Seconds between two looks. An editor may write a file in several steps, so a change counts once two looks in a row
see the same state."""

LOOKS = 20
"""A file that never stops changing counts as changed after this many looks."""

State = tuple[object, ...]


class Watcher:
    """Watches files for changes until it is stopped.

    Args:
        path: the dashboard file.
        config: the file that configures it.

    Attributes:
        version: how often the files have changed since the watcher was made.
        looked: when it last looked, by the monotonic clock.
        failure: the error of the last look; None: it did not fail.
    """

    def __init__(self, path: Path, config: Path) -> None:
        self.version = 0
        self.looked = time.monotonic()
        self.failure: BaseException | None = None
        self._path = path
        self._config = config
        self._stopping = threading.Event()
        self._announced = state_of(path, config)

    def start(self, changed: Callable[[], None]) -> None:
        """Begin to watch; `changed` is called from a thread."""
        self.looked = time.monotonic()
        # A daemon thread, since a file system that hangs must not keep the program from ending.
        threading.Thread(target=self._watch, args=(changed,), name="file watcher", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    def _watch(self, changed: Callable[[], None]) -> None:
        before, looks, took_s = self._announced, 0, 0.0
        # Looking at many files, or over a network, is slow: it takes at most a twentieth of the time.
        while not self._stopping.wait(max(LOOK_EVERY_S, 20 * took_s)):
            began = time.monotonic()
            try:
                now = state_of(self._path, self._config)
                self.failure = None
            except BaseException as error:  # noqa: BLE001  # the reloader reports it, and the next look tries again
                self.failure, now = error, before
            self.looked = time.monotonic()
            took_s = self.looked - began
            looks = looks + 1 if now != self._announced else 0
            if looks and (now == before or looks >= LOOKS):
                self._announced, looks = now, 0
                self.version += 1
                try:
                    changed()
                except RuntimeError:
                    return  # the event loop is closed: the program ends
            before = now


def state_of(path: Path, config: Path) -> State:
    """Return a value that differs whenever a file was changed, removed or added."""
    folder = Path(os.path.realpath(path)).parent
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".py") and entry.name[0] != ".")
    except OSError as error:
        names = [f"errno {error.errno}"]
    return (
        folder,
        _state_of_one(path),
        _state_of_one(config),
        *((name, _state_of_one(folder / name)) for name in names),
    )


def _state_of_one(path: Path) -> State:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        return (getattr(error, "errno", None),)
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
