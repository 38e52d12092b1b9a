"""How long resolved alerts and marks are kept.

Their age is measured by the wall clock, because it spans runs. The clock may be wrong by years when a program starts or
after it is set, so nothing is deleted for a while after that.
"""

from tickboard.times import time_text

TRUST_S = 3600.0
"""How long after the start, or after the clock was set, nothing is deleted by age."""

SET_S = 600.0
"""The clock was set if it moved by this many seconds more or less than the time that has passed."""


class Keeping:
    """Decides which resolved alerts and marks are too old.

    Args:
        keep_s: seconds that resolved alerts and marks are kept.

    Attributes:
        keep_s: as given; it may be changed.
        since: alerts and marks that ended before this time are too old, RFC 3339 in UTC with milliseconds; None: none
            are.
    """

    def __init__(self, keep_s: float) -> None:
        self.keep_s = keep_s
        self.since: str | None = None
        self._offset_s: float | None = None
        self._set_at_s = 0.0

    def update(self, now: float, lived_s: float) -> None:
        """Update `since`; call it more often than the clock drifts by `SET_S`.

        Args:
            now: POSIX seconds.
            lived_s: seconds since the start, by a clock that never steps.
        """
        before, self._offset_s = self._offset_s, now - lived_s
        if before is None or abs(self._offset_s - before) > SET_S:
            self._set_at_s = lived_s
        self.since = time_text(max(0, int((now - self.keep_s) * 1000))) if lived_s - self._set_at_s >= TRUST_S else None
