"""The options of a board's history: its file, how long each tier is kept, and how large it may grow.

Each can be set on the command line, in the environment, in ``tickboard.toml`` or in the dashboard file; `over` combines
these places. Nothing here opens a file.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import cast

from tickboard import schedule, sizes
from tickboard.configuration.options import PartialOptions, Refusal, read_options
from tickboard.errors import InputError
from tickboard.history.layout import Retention

NONE = "none"
"""In place of a file name: keep no history."""

SHORTEST_KEEP = "1h"
LEAST_SIZE = "16MiB"
COMMIT = ("100ms", "5m")
"""The shortest and the longest time between two commits."""

USUAL_COMMIT_S = 1.0
"""Seconds between two commits by default."""


class HistoryOptions(PartialOptions, frozen=True):
    """Options of a board's history; None: not set.

    Attributes:
        file: the path of the file, or `NONE`.
        keep: seconds that ticks are kept.
        keep_minutes: seconds that minutes are kept.
        keep_hours: seconds that hours are kept.
        size: the largest size of the file, in bytes.
        commit: seconds between two commits.
    """

    file: str | None = None
    keep: float | None = None
    keep_minutes: float | None = None
    keep_hours: float | None = None
    size: int | None = None
    commit: float | None = None

    @classmethod
    def read(cls, given: Mapping[str, object], refusal: Refusal) -> "HistoryOptions":
        """Read options as people write them.

        Args:
            given: the values by the names of the attributes; None: not set.
            refusal: makes the error for a value that cannot be used.

        Raises:
            InputError: a value cannot be used.
        """
        return cls(**read_options(_READ, given, refusal))

    @property
    def path(self) -> Path | None:
        """The file; None: no history is kept."""
        return None if self.file is None or self.file == NONE else Path(self.file)

    @property
    def retention(self) -> Retention:
        """The retention. A coarser tier is kept for at least as long as a finer one."""
        usual = Retention()
        raw_s = usual.raw_s if self.keep is None else self.keep
        minutes_s = usual.minutes_s if self.keep_minutes is None else self.keep_minutes
        hours_s = usual.hours_s if self.keep_hours is None else self.keep_hours
        minutes_s = max(raw_s, minutes_s)
        return Retention(
            raw_s, minutes_s, max(minutes_s, hours_s), usual.size_bytes if self.size is None else self.size
        )

    @property
    def commit_s(self) -> float:
        """Seconds between two commits."""
        return USUAL_COMMIT_S if self.commit is None else self.commit


NO_HISTORY = HistoryOptions(NONE)
"""Keeps no history."""


def beside_state(state: Path) -> Path:
    """Return the history file that belongs to a journal's file, for example ``host.history.sqlite``."""
    return state.with_name(f"{state.stem}.history.sqlite")


def _read_file(value: object) -> str:
    if not isinstance(value, str | os.PathLike) or not (path := os.fspath(value)) or not isinstance(path, str):
        raise InputError(f"give the path of a file, or {NONE!r}")
    return path


def _read_duration(shortest: str, longest: str | None, value: object) -> float:
    seconds = schedule.duration(cast("schedule.Duration", value))
    if seconds < schedule.duration(shortest):
        raise InputError(f"give {shortest} or more")
    if longest is not None and seconds > schedule.duration(longest):
        raise InputError(f"give {longest} or less")
    return seconds


def _read_size(value: object) -> int:
    if (size_bytes := sizes.size(value)) < sizes.size(LEAST_SIZE):
        raise InputError(f"give {LEAST_SIZE} or more")
    return size_bytes


_read_keep = partial(_read_duration, SHORTEST_KEEP, None)
_READ: dict[str, Callable[[object], object]] = {
    "file": _read_file,
    "keep": _read_keep,
    "keep_minutes": _read_keep,
    "keep_hours": _read_keep,
    "size": _read_size,
    "commit": partial(_read_duration, *COMMIT),
}
