"""Where a kept file may be: checks and creates it, its folder and the files that SQLite keeps beside it.

A user who can write to the file, to its folder, or to a link on the way can put another file in its place. In a folder
like ``/tmp`` that is everyone. So a file that others could have put there, or could change later, is refused with one
line that says how to fix it. Checks open nothing: opening a pipe would wait forever, and closing a database's file
would drop the locks that this process holds on it.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from tickboard.errors import TickboardError

try:
    import grp
    import pwd
except ImportError:  # pragma: no cover  # not a POSIX system: there are no owners and no modes to check
    _POSIX = False
else:
    _POSIX = True

BESIDE = ("-wal", "-shm", "-journal")
"""The endings of the files that SQLite keeps beside a database, and reads if they exist."""

_MAX_LINKS = 40

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Purpose(Struct, frozen=True):
    """What a file is for: the words of its error messages.

    Attributes:
        keeps: the contents of the file, as in "cannot keep the log of alerts".
        option: the flag that names another file.
        another_file: how to use another file or none, as an instruction.
        error: raised if the file cannot be used.
    """

    keeps: str
    option: str
    another_file: str
    error: type[TickboardError]

    def refused(self, path: Path, why: str) -> TickboardError:
        """Return the error for a file that cannot be used at all."""
        return self.error(f"{path} cannot keep {self.keeps}: {why}")

    def failed(self, path: Path, why: str) -> TickboardError:
        """Return the error for a file in use that cannot be written to at the moment."""
        return self.error(f"{path} does not keep {self.keeps}: {why}")


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this user for what outlives a run.

    Args:
        environ: ``XDG_STATE_HOME`` and ``HOME`` are read.

    Raises:
        RuntimeError: there is no home folder.
    """
    state = Path(environ.get("XDG_STATE_HOME", ""))
    # The XDG Base Directory Specification says to ignore relative paths.
    if not state.is_absolute():
        state = Path(environ.get("HOME", "") or Path.home()) / ".local" / "state"
    return state / "tickboard"


def find_place(path: Path, purpose: Purpose) -> Path:
    """Return the file that a path leads to, after checking that nobody else could have put it there or can change it.

    A symbolic link is followed if it belongs to this user or root.

    Raises:
        TickboardError: the purpose's error: the file or its folder is not safe.
        OSError: it cannot be accessed.
    """
    _check_links(path, path.absolute(), purpose)
    real = path.resolve()
    _check_folder(path, real.parent, purpose)
    for file in (real, *beside(real)):
        _check_file(path, file, purpose)
    return real


def make_place(real: Path) -> None:
    """Create the file and its folders if they do not exist, for this user alone, whatever the umask.

    Raises:
        OSError: they cannot be created.
    """
    missing = [folder for folder in (real.parent, *real.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    try:
        descriptor = os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    try:
        real.chmod(0o600)
    finally:
        # Nothing else of this process has the new file open yet: closing it drops no lock.
        os.close(descriptor)


def check_writable(path: Path, purpose: Purpose) -> None:
    """Check that the file and its folder can still be written to.

    Raises:
        TickboardError: the purpose's error: they cannot.
        OSError: they cannot be accessed.
    """
    effective = os.access in os.supports_effective_ids
    for file, mode in ((path, os.R_OK | os.W_OK), (path.parent, os.W_OK | os.X_OK)):
        if not os.access(file, mode, effective_ids=effective):
            file.stat()
            raise purpose.failed(
                path, f"{file} can no longer be written to: make it writable, or {purpose.another_file}"
            )


def beside(real: Path) -> list[Path]:
    """Return where SQLite keeps its own files for a database."""
    return [Path(f"{real}{ending}") for ending in BESIDE]


def _check_links(path: Path, asked: Path, purpose: Purpose, depth: int = 0) -> None:
    """Check every symbolic link on the way, as the kernel follows them."""
    if not _POSIX or depth > _MAX_LINKS:
        return  # the kernel itself refuses this many
    way = Path(asked.anchor)
    for part in asked.parts[1:]:
        way /= part
        if way.is_symlink():
            if (owner := way.lstat().st_uid) not in (0, os.geteuid()):
                raise purpose.refused(
                    path, f"{way} is a symbolic link that belongs to {_user(owner)}: {purpose.another_file}"
                )
            _check_links(path, way.parent / way.readlink(), purpose, depth + 1)


def _check_folder(path: Path, folder: Path, purpose: Purpose) -> None:
    """Check the folder, if it exists; one that does not is created for this user alone."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode) and _others_write(found) and not found.st_mode & stat.S_ISVTX:
        raise purpose.refused(
            path,
            f"others may write to its folder {folder}: chmod go-w {folder}, or use a new folder, "
            f"such as {purpose.option} {folder / 'tickboard' / path.name}",
        )


def _check_file(path: Path, file: Path, purpose: Purpose) -> None:
    try:
        found = file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(found.st_mode):
        # The file itself is already resolved: this is one of the files beside it, which are never links.
        raise purpose.refused(path, f"{file} is a symbolic link: remove it")
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "not a regular file")
        raise purpose.refused(path, f"{file} is {kind}: {purpose.another_file}")
    if not _POSIX:
        return
    if found.st_uid != os.geteuid():
        raise purpose.refused(
            path,
            f"{file} belongs to {_user(found.st_uid)}, but this process runs as {_user(os.geteuid())}: "
            f"run as {_user(found.st_uid)}, or {purpose.another_file}",
        )
    if _others_write(found):
        raise purpose.refused(path, f"others may write to {file}: if you trust its contents, chmod 600 {file}")
    if found.st_nlink > 1:
        raise purpose.refused(
            path, f"{file} has a second name (a hard link): remove that, or replace the file with a copy"
        )


def _others_write(found: os.stat_result) -> bool:
    """Return whether anyone but its owner and root may write; a group with only the owner in it does not count."""
    if not _POSIX:
        return False
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private_group(found.st_gid, found.st_uid)


def _is_private_group(gid: int, uid: int) -> bool:
    """Return whether a group has only its owner in it, as on systems where each user has a group of the same name."""
    try:
        group, owner = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    return group.gr_name == owner.pw_name and set(group.gr_mem) <= {owner.pw_name}


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
