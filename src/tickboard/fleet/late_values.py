"""Values of hosts that come after the wall's tick of their instant, until they are written."""

import numpy as np
from msgspec import Struct

from tickboard.expressions.alignment import Columns, Floats
from tickboard.metrics.intake import Intake

MAX_LATE_TICKS = 200_000
"""How many late ticks may wait."""


class _Late(Struct):
    """The late values of one instant: for each host, its columns and their values."""

    columns: list[Columns]
    rows: list[Floats]


class LateValues:
    """Late values that wait to be written, by their instants, POSIX milliseconds."""

    def __init__(self) -> None:
        self._late: dict[int, _Late] = {}
        self._ticks = 0

    def __len__(self) -> int:
        """The number of ticks that wait."""
        return self._ticks

    @property
    def first_ms(self) -> int | None:
        """The earliest instant with values; None: there are none."""
        return min(self._late, default=None)

    def add(self, instant_ms: int, columns: Columns, values: Floats) -> bool:
        """Add the values of one host at one instant; return False if too many wait."""
        if self._ticks >= MAX_LATE_TICKS:
            return False
        late = self._late.setdefault(instant_ms, _Late([], []))
        late.columns.append(columns)
        late.rows.append(values)
        self._ticks += 1
        return True

    def write(self, intake: Intake, since_ms: int = 0) -> int:
        """Write values to the wall's ticks of their instants; return how many had no tick.

        Args:
            intake: the wall's.
            since_ms: the earliest instant that is written.
        """
        dropped = 0
        for instant_ms in sorted(each for each in self._late if each >= since_ms):
            late = self._late.pop(instant_ms)
            self._ticks -= len(late.columns)
            columns, row = np.concatenate(late.columns), np.concatenate(late.rows)
            if len(columns):
                dropped += intake.fill(columns, np.array([instant_ms / 1000]), row[None])
        return dropped

    def clear(self) -> None:
        """Drop all values."""
        self._late, self._ticks = {}, 0
