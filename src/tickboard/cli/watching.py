"""Watching a dashboard file: whether it, its configuration, or a Python file beside it has changed.

A thread looks ten times a second. It looks the files up by name each time, so it sees every kind of change: written in
place, moved over, deleted and made again, behind a link that is switched, in a folder that is renamed, or on a file
system that notifies nobody.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_EVERY_S = 0.1
"""An editor may write a file in several steps: a change counts once two looks in a row have seen the same."""

LOOKS = 20
"""A file that never stops changing counts as changed after so many looks."""

State = tuple[object, ...]


class Watcher:
    """Looks at files until it is stopped.

    Args:
        path: the dashboard file.
        config: what configures it.

    Attributes:
        version: how often the files have changed; no change is missed from when the watcher was made.
        looked: when it last looked, by the monotonic clock.
        failure: why the last look failed; None: it didn't.
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
        """Begin to look; `changed` is called from a thread."""
        self.looked = time.monotonic()
        # A daemon: a file system that doesn't answer must not keep the program from ending.
        threading.Thread(target=self._watch, args=(changed,), name="file watcher", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def _watch(self, changed: Callable[[], None]) -> None:
        before, looks, took_s = self._announced, 0, 0.0
        # A look at many files, or over a network, costs more: it has a twentieth of the time at most.
        while not self._stopping.wait(max(LOOK_EVERY_S, 20 * took_s)):
            began = time.monotonic()
            try:
                now = state_of(self._path, self._config)
                self.failure = None
            except BaseException as error:  # noqa: BLE001  # it looks again, and the reloader reports it
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
                    return  # the loop is closed: nobody waits any more
            before = now


def state_of(path: Path, config: Path) -> State:
    """Return something that differs whenever a file has changed, has gone or has come."""
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
