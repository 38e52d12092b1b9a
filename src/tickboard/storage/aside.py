"""Renames a file that is damaged or in the way, so that a person can examine it."""

import glob
import time
from contextlib import suppress
from pathlib import Path

from tickboard.storage.damage import HEADER_BYTES
from tickboard.storage.place import BESIDE, Purpose

MAX_RENAMED = 20
"""The most renamed files, so that repeated damage does not fill the disk."""

_MAGIC = b"SQLite format 3\0"


def move_aside(real: Path, why: str, purpose: Purpose) -> Path:
    """Rename a file and those beside it, and return the new name.

    Args:
        real: the file.
        why: one word that goes into the new name.
        purpose: what the file is for.

    Raises:
        TickboardError: the purpose's error: there are `MAX_RENAMED` such files already.
        OSError: it cannot be moved.
    """
    if len(list(real.parent.glob(f"{glob.escape(real.name)}.{why}-*Z*"))) >= MAX_RENAMED:
        raise purpose.failed(
            real,
            f"there are {MAX_RENAMED} files {real.name}.{why}-… beside it: find out what changes it, and remove them",
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    endings = (stamp, *(f"{stamp}.{number}" for number in range(2, 1000)))
    names = (real.with_name(f"{real.name}.{why}-{ending}") for ending in endings)
    free = next(name for name in names if not any(Path(f"{name}{ending}").exists() for ending in ("", *BESIDE)))
    for ending in (*BESIDE, ""):
        with suppress(FileNotFoundError, NotADirectoryError):
            Path(f"{real}{ending}").replace(f"{free}{ending}")
    return free


def has_header(path: Path, application_id: int) -> bool:
    """Return whether a damaged file belongs to an application, by its header or else by its name."""
    # This process must not have the file open, because closing it would drop its locks.
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    if header.startswith(_MAGIC):
        return header[68:72] == application_id.to_bytes(4, "big")
    return path.suffix == ".sqlite"
