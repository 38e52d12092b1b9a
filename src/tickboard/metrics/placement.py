"""Placement: which tick each sample belongs to.

A sample older than the newest tick goes to its own tick, the first one at or after its time, if that is still in the
window. If it is the newest of its series, it also goes to all later ticks, since it would have held. A sample older
than the window goes to its own tick in history, if history keeps ticks that old (`Placement.late_s`). Any other is
dropped, and so is one older than the sample that its tick already has.
"""

import numpy as np
from numpy.typing import NDArray

from tickboard.metrics.late import AHEAD_S, NOTHING, Amendment, Columns, Dropped, LateRows, LateSamples, instant
from tickboard.metrics.registry import Registry
from tickboard.metrics.window import Floats, Window, widened

MAX_LATE = 1_000_000
"""The most samples for history alone that may wait for the next tick: 24 MB."""

HALF_MS = 0.0005
"""Half of the precision of times, in seconds."""


class Placement:
    """Writes samples to the ticks that they belong to.

    Args:
        registry: holds the values of the next tick.

    Attributes:
        now: the newest tick's time, POSIX seconds; minus infinity before the first.
        interval_s: seconds between two ticks; 0 before `attach`.
        late_s: how much older than the newest tick a sample for history alone may be, in seconds.
    """

    def __init__(self, registry: Registry) -> None:
        self.now = -np.inf
        self.late_s = 0.0
        self._registry = registry
        self._window: Window | None = None
        self.interval_s = 0.0
        self._amended: list[Amendment] = []
        self._late: list[LateSamples | LateRows] = []
        # By column: the newest sample's time.
        self._sampled: Floats = np.empty(0)

    # --- for the engine ---

    def attach(self, window: Window, interval_s: float) -> None:
        """From now on, amend the ticks of this window, which has one tick every `interval_s` seconds."""
        self._window, self.interval_s = window, interval_s

    def take_amended(self) -> list[Amendment]:
        """Return the changes of the window since the last call."""
        amended, self._amended = self._amended, []
        return amended

    def take_late(self) -> list[LateSamples | LateRows]:
        """Return the samples for history alone that have arrived since the last call."""
        late, self._late = self._late, []
        return late

    # --- for the intake ---

    def ticked(self, now: float) -> None:
        """Record a tick's time."""
        if np.isneginf(self.now):
            # Only since this tick can a sender's clock be compared with ours.
            self._sampled[self._sampled > now + AHEAD_S] = now
        self.now = now

    def begin_epoch(self, now: float) -> None:
        """Continue after the wall clock was set back to `now`: no earlier sample may count as newer than later ones."""
        self.now = now
        self._amended = []
        self._sampled[:] = np.nan

    def fit(self, width: int) -> None:
        """Make room for this many columns."""
        self._sampled = widened(self._sampled, width, np.nan)

    def begin(self, columns: list[int]) -> None:
        """Start a new series."""
        self._sampled[columns] = np.nan

    def forget(self, columns: Columns) -> None:
        """Forget the samples of series that have left."""
        self._late = [each.without(columns) for each in self._late]
        self._sampled[columns] = np.nan

    def go_on(self, previous: "Placement", old: int, new: int) -> None:
        """Continue a series that had the column `old` on the previous board, and has `new` now."""
        self._sampled[new] = previous.newest_sample(old)

    def newest_sample(self, column: int) -> float:
        """Return the time of a series' newest sample; NaN if there is none."""
        return float(self._sampled[column])

    def set_now(self, columns: Columns, values: Floats) -> None:
        """Set values from the next tick on."""
        self._hold(columns, values, np.nextafter(self.now, np.inf))

    def set_at(self, columns: Columns, values: Floats, times: Floats) -> tuple[int, Dropped]:
        """Write values to the ticks that they belong to.

        Args:
            columns: [samples], at least one.
            values: [samples].
            times: [samples], POSIX seconds.

        Returns:
            How many went to earlier ticks, and the samples that were dropped.
        """
        if (times[1:] < times[:-1]).any():
            # The newest last: of several values for one place, numpy keeps the last.
            order = np.argsort(times, kind="stable")
            columns, values, times = columns[order], values[order], times[order]
        if np.isfinite(self.now):
            times = np.where(times > self.now + AHEAD_S, np.nextafter(self.now, np.inf), times)
        newest = ~(times < self._sampled[columns])
        late = times <= self.now
        amended, dropped = 0, NOTHING
        if late.any():
            amended, dropped = self._amend(columns[late], values[late], times[late], newest[late])
            if not (kept := ~late).any():
                return amended, dropped
            columns, values, times, newest = columns[kept], values[kept], times[kept], newest[kept]
        if not newest.all():
            dropped = dropped.and_also(columns[~newest], times[~newest])
            columns, values, times = columns[newest], values[newest], times[newest]
        self._hold(columns, values, times)
        return amended, dropped

    def fill(self, columns: Columns, times: Floats, rows: Floats) -> int:
        """Write values to the ticks of their times, and to no later ones.

        Args:
            columns: [series].
            times: [ticks], POSIX seconds, ascending, none later than the newest tick.
            rows: [ticks, series]; NaN leaves a value as it is.

        Returns:
            How many values were dropped, since there is no tick of their time, or too many wait for the next tick.
        """
        window, known = self._window, ~np.isnan(rows)
        assert window is not None
        history = window.times()
        # The oldest tick of a full window leaves it with the next one.
        first = int(len(history) == window.capacity)
        before = times < (history[first] - HALF_MS if len(history) > first else -np.inf)
        dropped = self._keep_rows(columns, times[before], rows[before])
        for index in np.flatnonzero(~before & known.any(axis=1)).tolist():
            time, here = float(times[index]), known[index]
            place = int(np.searchsorted(history, time - HALF_MS))
            if place == len(history) or history[place] >= time + self.interval_s - HALF_MS:
                dropped += int(np.count_nonzero(here))
                continue
            seq = window.oldest + place
            window.amend(seq, seq, columns[here], rows[index, here])
            self._amended.append(Amendment(seq, seq, columns[here]))
        return dropped

    def _keep_rows(self, columns: Columns, times: Floats, rows: Floats) -> int:
        """Keep values from before the window for history, as far back as it reaches; return how many were dropped."""
        kept = times >= self.now - self.late_s
        values, good = (int(np.count_nonzero(~np.isnan(each))) for each in (rows, rows[kept]))
        if not good or good + self.waiting > MAX_LATE:
            return values
        self._late.append(LateRows(columns, times[kept], rows[kept]))
        return values - good

    @property
    def waiting(self) -> int:
        """How many samples for history alone wait for the next tick; `MAX_LATE` may."""
        return sum(each.rows.size if isinstance(each, LateRows) else len(each.times) for each in self._late)

    def oldest_total(self) -> float:
        """Return the time before which no total is accepted, not even as the base of the next rate.

        A window that is not full yet counts as full.
        """
        if self._window is None or np.isneginf(self.now):
            return -np.inf
        return float(self.now) - max(self._window.capacity * self.interval_s, self.late_s)

    def why_dropped(self, time: float) -> str:
        """Return why a sample of this time was dropped, and how its sender can fix it."""
        if self._is_before_window(np.array([time]))[0]:
            assert self._window is not None
            begin = instant(min(float(self._window.times()[0]), self.now - self.late_s))
            return f"is older than the oldest tick that is kept, {begin}: send it sooner, or check the clock"
        return "came after a newer one: send samples in the order of their times"

    def _hold(self, columns: Columns, values: Floats, times: Floats | float) -> None:
        registry = self._registry
        with registry.lock:
            registry.values[columns] = values
        self._sampled[columns] = times

    def _is_before_window(self, times: Floats) -> NDArray[np.bool_]:
        """Return which times are before the first tick of the window."""
        history = np.empty(0) if self._window is None else self._window.times()
        if not len(history):
            return np.zeros(len(times), np.bool_)
        within: NDArray[np.bool_] = (times > history[0] - self.interval_s) | (times >= history[0])
        return ~within

    def _amend(self, columns: Columns, values: Floats, times: Floats, newest: NDArray[np.bool_]) -> tuple[int, Dropped]:
        """Write samples to earlier ticks; `newest` marks those that are the newest of their series."""
        window = self._window
        assert window is not None
        history = window.times()
        places = np.searchsorted(history, times)
        inside = ~self._is_before_window(times)
        # A sample that is not the newest is the value of its own tick only, unless that tick has a newer one.
        free = places != np.searchsorted(history, self._sampled[columns])
        first = window.oldest
        for which, to_the_end in ((inside & newest, True), (inside & ~newest & free, False)):
            for place in np.unique(places[which]).tolist():
                here = which & (places == place)
                seq = first + place
                last = window.seq if to_the_end else seq
                window.amend(seq, last, columns[here], values[here])
                self._amended.append(Amendment(seq, last, columns[here]))
        held = inside & newest
        self._hold(columns[held], values[held], times[held])
        amended = (inside & (newest | free)) | self._keep_late(columns, values, times, ~inside)
        if amended.all():
            return len(columns), NOTHING
        return int(np.count_nonzero(amended)), Dropped(columns[~amended], times[~amended])

    def _keep_late(
        self, columns: Columns, values: Floats, times: Floats, before: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Keep samples from before the window for history, as far back as it reaches; return which they are."""
        late = before & (times >= self.now - self.late_s)
        count = int(np.count_nonzero(late))
        if count and count + self.waiting > MAX_LATE:
            late[:] = False
        elif count:
            self._late.append(LateSamples(columns[late], values[late], times[late]))
        return late
