"""The access file: keeps the records of access for all boards of one user of the system.

It is JSON, readable by its owner alone. A change locks it, reads it again, and replaces it whole, so that commands and
servers can change it at the same time, and a crash leaves the old file or the new one. Servers look at it every second.
"""

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from tickboard.access.records import Records
from tickboard.errors import InputError, TickboardError
from tickboard.output.logs import log
from tickboard.storage.place import Purpose, find_place, make_place, state_folder

try:
    import fcntl
except ImportError:  # pragma: no cover  # Windows: two changes in the same moment may lose one of them
    fcntl = None  # type: ignore[assignment]

NAME = "access.json"

MAX_BYTES = 2**24
"""The largest file that is read."""

LOCK_WAIT_S = 5.0
"""How long a change waits for another one."""

Stamp = tuple[int, ...]
"""Differs whenever the file was changed, replaced, removed or made."""


class AccessError(TickboardError):
    """The access file cannot be used."""

    status = 503


PURPOSE = Purpose("users and tokens", "--access", "give another file with --access", AccessError)


class AccessFile:
    """An access file, which need not exist yet.

    Args:
        path: its path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp:
        """Return the stamp of the file as it is now.

        Raises:
            AccessError: it cannot be looked at.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise self._failed("looked at", error) from error
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def read(self) -> Records:
        """Return the records; none if the file does not exist.

        Raises:
            AccessError: it cannot be read, is not an access file, or others can change it.
        """
        try:
            real = find_place(self.path, PURPOSE)
            with real.open("rb") as file:
                _close_to_others(file.fileno(), self.path)
                data = file.read(MAX_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return Records()
        except OSError as error:
            raise self._failed("read", error) from error
        if len(data) > MAX_BYTES:
            raise AccessError(f"{self.path} has more than {MAX_BYTES} bytes, so it is not an access file")
        if not data:
            # It was made, and its first content was not written.
            return Records()
        try:
            return msgspec.json.decode(data, type=Records)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise AccessError(
                f"{self.path} is not an access file ({error}): restore it, or move it away and add users again"
            ) from error

    def change(self, change: Callable[[Records], Records]) -> Records:
        """Change the records, and return them; what has ended by now is removed.

        Args:
            change: returns the new records. If it raises, nothing is changed.

        Raises:
            AccessError: the file cannot be read or written.
            InputError: a text in the records is not UTF-8.
        """
        try:
            real = find_place(self.path, PURPOSE)
            make_place(real)
            with _locked(real):
                before = self.read()
                after = change(before.current(time.time()))
                if after != before:
                    _replace(real, msgspec.json.format(msgspec.json.encode(after), indent=1) + b"\n")
        except UnicodeEncodeError as error:
            raise InputError(f"{error.object[:80]!r} is not UTF-8: give another text") from error
        except BlockingIOError:
            raise AccessError(f"{self.path} is being changed by another program: try again") from None
        except OSError as error:
            raise self._failed("changed", error) from error
        return after

    def _failed(self, what: str, error: OSError) -> AccessError:
        return AccessError(f"{self.path} cannot be {what}: {error.strerror or error}: {PURPOSE.another_file}")


class NoAccessFile(AccessFile):
    """Stands for an access file that has no place: whatever is done with it raises the reason.

    Args:
        reason: why it has none.
    """

    def __init__(self, reason: AccessError) -> None:
        super().__init__(Path(NAME))
        self._reason = reason

    def stamp(self) -> Stamp:
        """Raise the reason."""
        raise self._reason

    def read(self) -> Records:
        """Raise the reason."""
        raise self._reason

    def change(self, change: Callable[[Records], Records]) -> Records:
        """Raise the reason."""
        raise self._reason


def default_access_path(environ: Mapping[str, str]) -> Path:
    """Return the access file of this user.

    Args:
        environ: ``TICKBOARD_ACCESS`` names it; otherwise it is in the state folder, which ``XDG_STATE_HOME`` and
            ``HOME`` name.

    Raises:
        AccessError: there is no home folder.
    """
    if named := environ.get("TICKBOARD_ACCESS", "").strip():
        return Path(named)
    try:
        return state_folder(environ) / NAME
    except RuntimeError as error:
        raise AccessError("there is no home folder for users and tokens: name a file with --access") from error


def _close_to_others(descriptor: int, path: Path) -> None:
    """Make a file readable by its owner alone; it may have been restored from a copy that others can read."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if os.name != "posix" or not mode & 0o077:
        return
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, mode & 0o700)
        log.warning(
            "%s could be read by others, and no longer can: if they may have read it, change the passwords in it", path
        )


@contextlib.contextmanager
def _locked(real: Path) -> Iterator[None]:
    """Hold the lock for changes. It is a file of its own, since the access file is replaced."""
    # Never through a link, which others may have put there in a folder such as /tmp.
    never = getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(f"{real}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | never, 0o600)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    end = time.monotonic() + LOCK_WAIT_S
    while fcntl is not None:  # pragma: no branch
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _replace(real: Path, data: bytes) -> None:
    """Write a new file, and put it in place of the old one once it is on the disk."""
    new = Path(f"{real}.new")
    # Left by a crash, since the lock is held.
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    new.replace(real)
    if os.name == "posix":  # pragma: no branch
        folder = os.open(real.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
