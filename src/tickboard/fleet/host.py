"""One host, as a wall knows it: its state, its description, and the values of its newest tick. It reads no clock."""

from collections import deque
from math import ceil
from typing import Literal, cast

import numpy as np
from msgspec import Struct

from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.expressions.alignment import Columns, Floats, Labels
from tickboard.fleet.clock import HostClock
from tickboard.fleet.holes import Hole, Holes
from tickboard.fleet.link import Link
from tickboard.fleet.messages import gone_s
from tickboard.wire import About, HostInfo, HostState, MetricInfo, TimeRange, timestamp

EXPECTED_S = 10.0
"""A host that the wall knows from an earlier run has this many seconds to be heard from before it counts as gone."""

MAX_FORMER = 200
"""How many names of metrics that a host does not have any more are remembered, and asked for."""

MAX_EARLY = 64
"""How many ticks may wait for their instant."""

LATE_TICKS = 3
"""A host that was waited for in vain so many times is not waited for until a tick comes that is worth the wait."""

AGAIN_MS = 15_000
"""What a wall has received of a host within this time may not have reached its disk, so it is read again after a
restart."""

NOTHING: Floats = np.empty(0)


class MadeSeries(Struct, frozen=True):
    """One series of a host on the wall.

    Attributes:
        column: its column; below 0: the wall has none for it.
        described: the metric and the labels that it should have.
        note: why it has another name, or none; empty if it has its own.
    """

    column: int
    described: tuple[MetricInfo, Labels]
    note: str = ""


class FollowedHost:
    """One host.

    Args:
        name: unique on the wall.
        interval_ms: milliseconds between two ticks of the wall.
        since: when its state began, POSIX seconds.

    Attributes:
        name: as given.
        link: how it is reached; None: it is not.
        about: its description; None: it has not been introduced yet.
        state: whether it is there.
        since: when its state began, POSIX seconds.
        seen: when it was last heard from, POSIX seconds; 0: never.
        heard: the same by the follower's clock that never steps.
        clock: its clock.
        doubted: when its clock came into doubt, or was last compared while it was, by the follower's clock.
        interval_ms: milliseconds between two of its ticks.
        labels: its own labels.
        metrics: the names of the metrics that it has or had, the newest last: a hole may have those of another board.
        series: the series of its ticks; the same object from tick to tick until it changes.
        made: its series on the wall, by their keys on the host.
        kept: the keys of all its series on the wall, with those that it had before; some may have left.
        columns: the columns of its series on the wall that were not refused, in the order of its ticks.
        places: where their values are in its ticks; None: it is all of them.
        up: the column of its ``host_up``; -1: there is none.
        row: the values of its newest tick, for `columns`; `nothing` if they are not for the wall's next tick.
        row_ms: the instant of the wall that they are for.
        nothing: as many values as columns, all NaN.
        early: ticks that came before their instant, or while its clock is in doubt.
        late_ticks: how many times in a row the wall's tick waited for it in vain.
        epoch, seq: the position of its newest tick.
        ticked_ms: its time of that tick, POSIX milliseconds; 0: none.
        moved_ms: the same of its newest tick when the shift of its times last changed.
        arrived: when its newest tick arrived, by a clock that never steps.
        unseen_beats: how many beats in a row were ahead of its newest tick.
        holes: the ranges in which its ticks are missing here.
        filled: those that have been filled lately, and when, by a clock that never steps.
        notes: what somebody has to fix, by what it concerns.
        why: why it cannot be reached; empty if it can.
        revision: of the wall's list of hosts, when it last changed.
    """

    def __init__(self, name: str, interval_ms: int, since: float) -> None:
        self.name = name
        self.link: Link | None = None
        self.about: About | None = None
        self.state: HostState = "waiting"
        self.since = since
        self.seen = self.heard = self.doubted = 0.0
        self.clock = HostClock(interval_ms)
        self.interval_ms = self._wall_ms = interval_ms
        self.labels: dict[str, str] = {}
        self.metrics: dict[str, None] = {}
        self.series: tuple[WatchedSeries, ...] = ()
        self.made: dict[str, MadeSeries] = {}
        self.kept: set[str] = set()
        self.columns: Columns = np.empty(0, np.intp)
        self.places: Columns | None = None
        self.up = -1
        self.row = self.nothing = NOTHING
        self.row_ms = 0
        self.early: deque[Tick] = deque()
        self.late_ticks = 0
        self.epoch, self.seq, self.ticked_ms = "", 0, 0
        self.moved_ms = 0
        self.arrived = 0.0
        self.unseen_beats = 0
        self.holes = Holes()
        self.filled: deque[tuple[float, Hole]] = deque()
        self.notes: dict[str, str] = {}
        self.why = ""
        self.revision = 0

    @property
    def up_value(self) -> float:
        """The value of its ``host_up``: 1, 0, or NaN if it is not known or does not matter."""
        return {"live": 1.0, "gone": 0.0}.get(self.state, np.nan)

    @property
    def holds(self) -> bool:
        """Whether its values hold for more than one tick of the wall."""
        return self.interval_ms > self._wall_ms

    @property
    def silent_s(self) -> float:
        """After how many seconds of silence it is gone."""
        if self.state == "waiting":
            return EXPECTED_S
        return gone_s(self.interval_ms)

    @property
    def filling(self) -> Hole | None:
        """From the first tick that is missing to the last, while they are filled."""
        return self.holes.span if self.state == "live" else None

    def describe(self, about: About) -> None:
        """Take its description."""
        self.about = about
        for metric in about.metrics:
            self.metrics.pop(metric.name, None)
            self.metrics[metric.name] = None
        former = list(self.metrics)[: len(self.metrics) - len({metric.name for metric in about.metrics})]
        for name in former[:-MAX_FORMER]:
            del self.metrics[name]

    def fill(self, hole: Hole, elapsed: float) -> None:
        """Remove a range that is filled, at a time by a clock that never steps."""
        self.holes.fill(*hole)
        self.filled.append((elapsed, hole))
        self._forget_filled(elapsed)

    def to_fill_again(self, elapsed: float) -> list[Hole]:
        """Return its holes, and the ranges that have been filled too lately to be on the wall's disk."""
        self._forget_filled(elapsed)
        return list(Holes([*self.holes, *(hole for _, hole in self.filled)]))

    def _forget_filled(self, elapsed: float) -> None:
        while self.filled and self.filled[0][0] < elapsed - AGAIN_MS / 1000:
            self.filled.popleft()

    def instant_ms(self, time_ms: int) -> int:
        """Return the instant of the wall that a time of the host belongs to: the first one at or after it."""
        return ceil((time_ms + self.clock.shift_ms) / self._wall_ms) * self._wall_ms

    def values_of(self, tick: Tick) -> Floats:
        """Return the values of a tick for `columns`."""
        values = tick.array
        return values if self.places is None else values[self.places]

    def use(self, columns: list[int]) -> None:
        """Use these columns for the series of its ticks; one below 0 is refused."""
        every = np.array(columns, np.intp)
        taken = every >= 0
        self.columns, self.places = every[taken], None if taken.all() else np.flatnonzero(taken)
        self.nothing = np.full(len(self.columns), np.nan)
        self.row = self.nothing

    def info(self) -> HostInfo:
        """Return it as viewers see it."""
        about, link = self.about, self.link
        problem = "; ".join(self.notes.values())
        if self.why and self.state in {"gone", "waiting"}:
            problem = "; ".join(filter(None, (self.why, problem)))
        return HostInfo(
            self.name,
            self.state,
            timestamp(self.since),
            timestamp(self.seen) if self.seen else "",
            self.labels,
            about.title if about is not None else "",
            about.version if about is not None else "",
            about.interval_ms if about is not None else 0,
            self.clock.ahead_s,
            None if self.filling is None else self._on_wall(self.filling),
            about.started if about is not None else "",
            about.booted if about is not None else "",
            link.address if link is not None else "",
            cast("Literal['http', 'nats']", link.kind) if link is not None else "nats",
            problem,
        )

    def _on_wall(self, hole: Hole) -> TimeRange:
        return TimeRange(*(timestamp((each + self.clock.shift_ms) / 1000) for each in hole))
