"""The follower: takes what hosts send, and makes it series of the wall, tick for tick.

    link ── introduced, ticked, amended, heard, said_bye, lost ──▶ hosts ── collect(due) ──▶ intake ──▶ the wall's tick

Each tick of a host belongs to one instant of the wall (`tickboard.fleet.clock`). A tick for the wall's next instant
waits in its host until `collect`, which writes the values of all hosts at once; a host without one has no value, unless
it ticks less often than the wall: then its values hold for its interval. A tick that comes late goes to the wall's tick
of its instant, and to no later one.

What is missing between two ticks of a host is a hole (`tickboard.fleet.holes`), to be filled from its history.

It takes the wall's clock as functions, and does no I/O. Everything is called in the event loop.
"""

import time
from collections.abc import Callable, Sequence
from math import isfinite, isnan

import numpy as np
from msgspec import Struct

from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.errors import InputError, LiveHostError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.fleet.clock import LONGEST_MS, wait_ms
from tickboard.fleet.descriptions import bounded
from tickboard.fleet.host import LATE_TICKS, MAX_EARLY, FollowedHost
from tickboard.fleet.host_series import HostSeries
from tickboard.fleet.late_batches import LateBatch
from tickboard.fleet.late_values import LateValues
from tickboard.fleet.link import Link
from tickboard.fleet.listing import HostListing
from tickboard.fleet.messages import PROTOCOL, check_name, gone_s, possible_interval_ms
from tickboard.fleet.wall_clock import WallClock
from tickboard.metrics.intake import Intake
from tickboard.metrics.placement import MAX_LATE
from tickboard.problems import Reporter
from tickboard.wire import About, HostState

MAX_HOSTS = 5_000
"""The most hosts of one wall; further ones are refused."""

IN_DOUBT_S = 5.0
"""How long ticks of a host wait while its clock is in doubt and it does not say its time."""

UNSEEN_TICKS, UNSEEN_BEATS = 3, 3
"""So many beats in a row that are so many ticks ahead of the newest tick mean that ticks are lost."""

INTERRUPTED_INTERVALS, INTERRUPTED_S = 2, 0.5
"""A host whose ticks have not come for so many of its intervals and so many seconds more was cut off."""

LEFT_S = 3_600.0
"""A host that said goodbye is forgotten after this many seconds."""

MAX_AHEAD_S = 100 * 365 * 86_400.0
"""How far a host's clock and the times of its ticks may be from the wall's clock. One of them may begin with 1970."""

LIMIT, PROTOCOL_NOTE, TWICE, CONTESTED = "hosts", "protocol", "twice", "contested"
INTERVAL, DELAY = "interval", "delay"
CLOCK, TICK_TIMES = "clock", "times of ticks"


class _Waiting(Struct):
    """A link that the wall does not use now: it is tried again when something is heard through it.

    Attributes:
        about: the description of the host that it leads to.
        heard: when that host was last heard from, by the follower's clock.
        is_noted: whether the host that has its name says that there is another.
    """

    about: About
    heard: float
    is_noted: bool = False


class Follower:
    """All hosts of a wall; a `LinkListener`.

    Args:
        intake: the wall's, for the series of the hosts.
        problems: where it reports what no host can say.
        interval_ms: milliseconds between two ticks of the wall.
        now: returns POSIX seconds.
        elapsed: returns seconds by a clock that never steps.

    Attributes:
        hosts: by name.
        listing: lists the hosts for viewers.
        on_complete: called when every host that is waited for has sent the next tick.
        on_late: called when there are values for the wall's newest tick, which has been made without them.
        on_change: called with a host when it is introduced or has another link or none, or its holes or what is known
            of its clock have changed.
        on_heard: called with the name of a host that is heard from, and the number of its newest alert event.
        on_forget: called with the name of a host that is forgotten.
        own_id: returns the id of the wall itself as a host; empty: it has none.
        dropped: how many late values had no tick of their time.
    """

    def __init__(
        self,
        intake: Intake,
        problems: Reporter,
        interval_ms: int,
        now: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hosts: dict[str, FollowedHost] = {}
        self.listing = HostListing(self.hosts, now())
        self.on_complete: Callable[[], None] = lambda: None
        self.on_late: Callable[[], None] = lambda: None
        self.on_change: Callable[[FollowedHost], None] = lambda host: None
        self.on_heard: Callable[[str, int], None] = lambda name, alerts: None
        self.on_forget: Callable[[str], None] = lambda name: None
        self.own_id: Callable[[], str] = lambda: ""
        self.dropped = 0
        self._intake = intake
        self._series = HostSeries(intake)
        self._problems = problems
        self._interval_ms = interval_ms
        self._now = now
        self._clock = elapsed
        self._own_clock = WallClock(elapsed, interval_ms / 1000)
        self._of_link: dict[Link, FollowedHost] = {}
        # Links to hosts whose names others have, for which there is no room, or that were forgotten.
        self._waiting: dict[Link, _Waiting] = {}
        self._next_ms = 0
        self._awaited: set[str] = set()
        self._late = LateValues()
        self._columns: tuple[Columns, Columns] | None = None
        self._left_long_ago: list[FollowedHost] = []

    # --- LinkListener ---

    def introduced(self, link: Link, about: About) -> None:
        """Take a host's description."""
        about = bounded(about)
        try:
            check_name(about.name)
        except InputError as error:
            self._problems.report(f"host {link.address}", str(error))
            return
        if about.id == self.own_id():
            self.lost(link, "it is this wall itself: remove it from the hosts that the wall follows")
            return
        before = self._of_link.get(link)
        if (host := self._adopt(link, about)) is None:
            return
        host.heard, host.seen = self._own_clock.elapsed(), self._now()
        host.unseen_beats, host.why = 0, ""
        self._set_state(host, "live", host.seen)
        if host.about != about:
            self._describe(host, about)
            self.on_change(host)
        elif host is not before:
            self.change(host)
            self.on_change(host)

    def ticked(self, link: Link, tick: Tick) -> None:
        """Take a tick with the overview series."""
        host = self._of_link.get(link)
        if host is None or host.about is None:
            return
        self._hear(host)
        if host.state != "live":
            self._set_state(host, "live", host.seen)
        if not self._is_possible(host, TICK_TIMES, tick.time):
            return
        time_ms = round(tick.time * 1000)
        if tick.epoch != host.epoch and host.epoch:
            # The host was restarted, maybe with another clock, or its clock was set.
            self._doubt(host)
        self._see_hole(host, time_ms)
        host.epoch, host.seq, host.ticked_ms = tick.epoch, tick.seq, time_ms
        host.unseen_beats = 0
        self._place(host, tick)
        self._see_delay(host, tick)

    def amended(self, link: Link, tick: Tick) -> None:
        """Take late values of an earlier tick."""
        host = self._of_link.get(link)
        if host is None or host.about is None:
            return
        self._hear(host)
        if not self._is_possible(host, TICK_TIMES, tick.time):
            return
        time_ms = round(tick.time * 1000)
        instant_ms = host.instant_ms(time_ms)
        is_placed = host.clock.is_known and tick.series == host.series
        if is_placed and instant_ms < self._next_ms:
            self._be_late(host, instant_ms, host.values_of(tick))
        elif is_placed and instant_ms == host.row_ms and host.row is not host.nothing:
            values = host.values_of(tick)
            host.row = np.where(np.isnan(values), host.row, values)
        else:
            # The tick still waits, or has other series than the host's newest: read it again.
            self._add_hole(host, time_ms - host.interval_ms, time_ms + 1)

    def heard(self, link: Link, seq: int, alerts: int, clock: float) -> None:
        """Take a sign of life."""
        if (waiting := self._waiting.get(link)) is not None:
            # The host that had the name may be gone.
            self.introduced(link, waiting.about)
        host = self._of_link.get(link)
        if host is None or host.state == "left":
            return
        self._hear(host)
        self.on_heard(host.name, alerts)
        if host.state != "live":
            self._set_state(host, "live", host.seen)
        if not isnan(clock) and self._is_possible(host, CLOCK, clock):
            was_known, shift_ms, ahead_s = host.clock.is_known, host.clock.shift_ms, host.clock.ahead_s
            if not was_known:
                # What comes first may be old: wait for more.
                host.doubted = self._own_clock.elapsed()
            host.clock.compare(self._now() - clock, self._clock())
            if (host.clock.is_known, host.clock.shift_ms, host.clock.ahead_s) != (was_known, shift_ms, ahead_s):
                if host.clock.shift_ms != shift_ms:
                    self._see_shift(host, shift_ms, was_known=was_known)
                self.change(host)
                self.on_change(host)
            self._place_early(host)
            self._see_unseen(host, seq, round(clock * 1000))

    def contested(self, link: Link, place: str | None) -> None:
        """Take note that another process uses a host's name, or wants to."""
        if (host := self._of_link.get(link)) is not None:
            where = f" ({place})" if place else ""
            text = f"another process{where} wants to publish under its name: give one of them another name"
            self.note(host, CONTESTED, "" if place is None else text)

    def said_bye(self, link: Link) -> None:
        """Take note that a host ends on purpose."""
        self._end_waiting(link)
        if (host := self._of_link.get(link)) is not None:
            self._set_state(host, "left", self._now())

    def lost(self, link: Link, why: str) -> None:
        """Take note that a host cannot be reached."""
        self._end_waiting(link)
        if (host := self._of_link.get(link)) is not None:
            if host.why != why:
                host.why = why
                if host.state != "live":
                    self.change(host)
            return
        if link.kind == "nats":
            # It was heard from, but there is no room for it, or another host has its name.
            return
        self.listing.add_unknown(link, why, self._now())

    # --- for the wall ---

    def link(self, name: str) -> Link | None:
        """Return the link of a host; None if there is no such host, or it is not reached now."""
        host = self.hosts.get(name)
        return None if host is None else host.link

    def add_known(self, host: FollowedHost) -> None:
        """Add a host that the wall knows from an earlier run. Call it before the first tick."""
        host.heard = self._own_clock.elapsed()
        self.hosts[host.name] = host
        if host.about is not None:
            self._describe(host, host.about)
        self._columns = None
        self.change(host)

    def bind(self, intake: Intake) -> None:
        """Go on with the intake of another board, which replaces the one before."""
        self._intake, self._series = intake, HostSeries(intake)
        first_ms = self._next_ms if self._late.first_ms is None else self._late.first_ms
        for host in self.hosts.values():
            if len(self._late) or host.row is not host.nothing:
                # Values that are not written yet are for columns of the board before: read them again.
                self._add_hole(host, first_ms - host.clock.shift_ms - host.interval_ms, host.ticked_ms + 1)
            self._series.again(host)
        self._late.clear()
        self._columns = None

    @property
    def is_complete(self) -> bool:
        """Whether every host that is waited for has sent its values for the next tick."""
        return not self._awaited

    def collect(self, due: float) -> None:
        """Write the values of all hosts for the wall's tick that is due, and go on with the next one.

        Ticks for earlier instants, which came late or which the wall missed, amend the wall's ticks of these instants.

        Args:
            due: the instant, POSIX seconds.
        """
        due_ms = round(due * 1000)
        if self._own_clock.tick(due):
            for host in self.hosts.values():
                self._doubt(host)
        for name in self._awaited:
            self.hosts[name].late_ticks += 1
        self._next_ms = due_ms
        rows = [self._take_row(host, due_ms) for host in self.hosts.values()]
        self._next_ms = due_ms + self._interval_ms
        self.dropped += self._late.write(self._intake)
        columns, up = self._all_columns()
        if len(columns):
            self._series.source.set(columns, np.concatenate(rows))
        if len(up):
            self._series.source.set(up, [host.up_value for host in self.hosts.values() if host.up >= 0])
        self._begin_next()

    def amend(self) -> None:
        """Write the values that have come for the wall's newest tick since it was made."""
        self.dropped += self._late.write(self._intake, self.newest_ms)

    # --- for what fills holes ---

    @property
    def newest_ms(self) -> int:
        """The time of the wall's newest tick, which may be an empty one for a missed instant; 0: it has none yet.

        POSIX milliseconds.
        """
        newest = self._intake.placement.now
        return round(newest * 1000) if isfinite(newest) else 0

    @property
    def oldest_ms(self) -> int:
        """The time of the oldest tick that the wall keeps, POSIX milliseconds; 0: it has none yet."""
        oldest = self._intake.placement.oldest_total()
        return round(oldest * 1000) if isfinite(oldest) else 0

    @property
    def room_for_late(self) -> int:
        """How many late values can be written before the wall's next tick."""
        return MAX_LATE - self._intake.placement.waiting

    def columns_of(self, host: FollowedHost, series: Sequence[WatchedSeries]) -> list[int]:
        """Return the columns of series of a host, which it may not have any more; below 0: refused."""
        return self._series.columns_of(host, series)

    def fill(self, batch: LateBatch) -> None:
        """Write values to the wall's ticks of their instants."""
        self.dropped += self._intake.fill(batch.columns, batch.instants / 1000, batch.rows)

    def forget(self, name: str) -> None:
        """Forget a host that is not there any more.

        Raises:
            LookupError: there is no such host.
            LiveHostError: it is live.
        """
        host = self.hosts[name]
        if host.state == "live":
            raise LiveHostError(f"host {name!r} is live: end it first, since it would come back at once")
        self._remove(host)

    # --- hosts ---

    def _adopt(self, link: Link, about: About) -> FollowedHost | None:
        """Return the host that a link leads to from now on; None if the wall does not follow it."""
        host = self._of_link.get(link)
        if host is not None and host.name == about.name:
            return host
        if host is not None:
            # Another host has its address now.
            del self._of_link[link]
            host.link = None
            self._set_state(host, "left", self._now())
            self.on_change(host)
        if link in self._waiting and self._waiting[link].about.name != about.name:
            self._end_waiting(link)
        host = self.hosts.get(about.name)
        if host is not None and host.link is not None and host.state == "live":
            self._waiting[link] = _Waiting(about, self._own_clock.elapsed(), is_noted=True)
            self.listing.end_unknown(link)
            same = host.about is not None and host.about.id == about.id
            why = "it is followed twice" if same else "another host has its name: give one of them another name"
            self.note(host, TWICE, f"{why} ({link.address})")
            return None
        self._end_waiting(link)
        if host is None and (host := self._new_host(about.name)) is None:
            self._waiting[link] = _Waiting(about, self._own_clock.elapsed())
            return None
        self._wait_for(host)
        host.link, host.doubted = link, self._own_clock.elapsed()
        self._of_link[link] = host
        self.listing.end_unknown(link)
        return host

    def _wait_for(self, host: FollowedHost) -> None:
        """Take a host's link away, and wait until something is heard through it."""
        if host.link is not None and host.about is not None:
            del self._of_link[host.link]
            self._waiting[host.link] = _Waiting(host.about, host.heard)

    def _end_waiting(self, link: Link) -> None:
        """Wait no longer for what a link led to."""
        if (waiting := self._waiting.pop(link, None)) is not None:
            self._end_note(waiting)

    def _end_note(self, waiting: _Waiting) -> None:
        """Remove the note that a host's name is there twice. Another link with the name repeats it when it is heard."""
        if waiting.is_noted and (host := self.hosts.get(waiting.about.name)) is not None:
            self.note(host, TWICE, "")
        waiting.is_noted = False

    def _check_waiting(self) -> None:
        """Remove notes about hosts that are gone."""
        now = self._own_clock.elapsed()
        for waiting in self._waiting.values():
            if waiting.is_noted and now - waiting.heard > gone_s(possible_interval_ms(waiting.about.interval_ms)):
                self._end_note(waiting)

    def _describe(self, host: FollowedHost, about: About) -> None:
        """Take a host's description, and note what is wrong with it."""
        host.describe(about)
        host.interval_ms = possible_interval_ms(about.interval_ms)
        self.note(host, INTERVAL, "" if host.interval_ms == about.interval_ms else "its interval is impossible")
        newer = about.protocol > PROTOCOL
        self.note(host, PROTOCOL_NOTE, "it is newer than this wall: update the wall" if newer else "")
        self._series.introduce(host, about)
        self._columns = None
        self.listing.change_rules()
        self.change(host)

    def _new_host(self, name: str) -> FollowedHost | None:
        if len(self.hosts) >= MAX_HOSTS:
            self._problems.report(
                LIMIT, f"there are {MAX_HOSTS} hosts, and no more are shown: forget those that are gone", kind=LIMIT
            )
            return None
        host = self.hosts[name] = FollowedHost(name, self._interval_ms, self._now())
        return host

    def _remove(self, host: FollowedHost) -> None:
        del self.hosts[host.name]
        self._awaited.discard(host.name)
        self._wait_for(host)
        self._series.remove(host)
        self._columns = None
        self.listing.change_rules()
        self.listing.remove(host.name)
        self._problems.clear(LIMIT, "")
        self.on_forget(host.name)

    def _set_state(self, host: FollowedHost, state: HostState, since: float) -> None:
        if host.state != state:
            host.state, host.since = state, since
            self.change(host)

    def change(self, host: FollowedHost) -> None:
        """Record that a host has changed, for viewers."""
        self.listing.change(host)

    def note(self, host: FollowedHost, about: str, text: str) -> None:
        """Note what somebody has to fix about a host; an empty text: nothing any more."""
        if host.notes.get(about, "") != text:
            host.notes.pop(about, None)
            if text:
                host.notes[about] = text
            self.change(host)

    def _is_possible(self, host: FollowedHost, about: str, time: float) -> bool:
        """Return whether a host may have sent this time, in POSIX seconds, and note it if it is impossible."""
        is_possible = abs(time - self._now()) <= MAX_AHEAD_S
        what = "its clock is" if about == CLOCK else "the times of its ticks are"
        self.note(host, about, "" if is_possible else f"{what} impossible, and ignored: set its clock")
        return is_possible

    def _hear(self, host: FollowedHost) -> None:
        host.heard, host.seen = self._own_clock.elapsed(), self._now()

    def _doubt(self, host: FollowedHost) -> None:
        host.clock.doubt()
        host.doubted = self._own_clock.elapsed()

    def _check(self, host: FollowedHost) -> None:
        """Notice that a host is gone, or has left long ago."""
        if host.state in {"live", "waiting"}:
            if self._own_clock.elapsed() - host.heard > host.silent_s:
                self._set_state(host, "gone", host.seen or self._now())
        elif host.state == "left" and self._now() - host.since > LEFT_S:
            self._left_long_ago.append(host)

    def _see_unseen(self, host: FollowedHost, seq: int, clock_ms: int) -> None:
        """Notice by its beats that ticks of a host have been lost."""
        host.unseen_beats = host.unseen_beats + 1 if seq >= host.seq + UNSEEN_TICKS else 0
        if host.unseen_beats == UNSEEN_BEATS and host.ticked_ms:
            self._add_hole(host, host.ticked_ms, clock_ms)
            host.seq, host.ticked_ms, host.unseen_beats = seq, max(host.ticked_ms, clock_ms - 1), 0

    # --- ticks ---

    def _place(self, host: FollowedHost, tick: Tick) -> None:
        """Keep the values of a tick for its instant."""
        instant_ms = host.instant_ms(round(tick.time * 1000))
        if not host.clock.is_known or instant_ms > self._next_ms:
            self._keep_early(host, tick)
            return
        if tick.series is not host.series and tick.series != host.series:
            self._bind(host, tick.series)
        if instant_ms == self._next_ms:
            host.row, host.row_ms, host.late_ticks = host.values_of(tick), instant_ms, 0
            if host.name in self._awaited:
                self._awaited.discard(host.name)
                if not self._awaited:
                    self.on_complete()
        else:
            self._be_late(host, instant_ms, host.values_of(tick))

    def _bind(self, host: FollowedHost, series: tuple[WatchedSeries, ...]) -> None:
        """Use the series of a tick that is placed. Not those of one that waits, since others come before it."""
        if host.row is not host.nothing and host.row_ms == self._next_ms:
            # These values are for columns that the host may not have any more: read them again.
            own_ms = host.row_ms - host.clock.shift_ms
            self._add_hole(host, own_ms - self._interval_ms, own_ms + 1)
        self._series.bind(host, series)
        self._columns = None
        self.change(host)

    def _see_delay(self, host: FollowedHost, tick: Tick) -> None:
        """Notice whether the ticks of a host come late, by one that has just been placed."""
        if not host.clock.is_known:
            return
        instant_ms = host.instant_ms(round(tick.time * 1000))
        after_ms, late = self._now() * 1000 - instant_ms, instant_ms < self._next_ms
        if late and after_ms <= wait_ms(self._interval_ms):
            # It would have been in time if the wall had waited for it.
            host.late_ticks = 0
        if not host.clock.receive(after_ms, self._clock(), late=late):
            return
        host.moved_ms = host.ticked_ms
        if instant_ms == host.row_ms:
            host.row = host.nothing
            if not host.holds:
                self._awaited.add(host.name)
        # At its new instant too: after a longer shift, no other tick has that one.
        self._place(host, tick)
        later = f"its ticks come late, and are shown {host.clock.delay_ms / 1000:g} s later: it or its network is slow"
        self.note(host, DELAY, later if host.clock.delay_ms else "")
        self.change(host)
        self.on_change(host)

    def _see_shift(self, host: FollowedHost, before_ms: int, *, was_known: bool) -> None:
        """Read the ticks again at whose instants there is none, or another one, after the shift has changed.

        If it had changed shortly before, none of the ticks since then may have an instant of its own. If it was not
        known, neither was up to when ticks were missing, and those that wait have only the series of their window.
        """
        moved_ms, last_moved_ms = abs(host.clock.shift_ms - before_ms), host.moved_ms
        host.moved_ms = host.ticked_ms
        if not was_known:
            if host.early:
                self._add_hole(host, round(host.early[0].time * 1000) - 1, host.ticked_ms + 1)
        elif host.ticked_ms and moved_ms <= LONGEST_MS:
            start_ms = host.ticked_ms - moved_ms
            if host.ticked_ms - last_moved_ms <= LONGEST_MS:
                start_ms = min(start_ms, last_moved_ms)
            self._add_hole(host, start_ms, host.ticked_ms + 1)

    def _keep_early(self, host: FollowedHost, tick: Tick) -> None:
        host.early.append(tick)
        if len(host.early) > MAX_EARLY:
            time_ms = round(host.early.popleft().time * 1000)
            self._add_hole(host, time_ms - host.interval_ms, time_ms + 1)

    def _place_early(self, host: FollowedHost) -> None:
        """Place the ticks whose instant has come, or all of them after the clock is known."""
        if not host.clock.is_known:
            if self._own_clock.elapsed() - host.doubted <= IN_DOUBT_S:
                return
            before_ms = host.clock.shift_ms
            host.clock.assume()
            if host.clock.shift_ms != before_ms:
                self._see_shift(host, before_ms, was_known=False)
            self.on_change(host)
        while host.early and host.instant_ms(round(host.early[0].time * 1000)) <= self._next_ms:
            self._place(host, host.early.popleft())

    def _be_late(self, host: FollowedHost, instant_ms: int, values: Floats) -> None:
        """Keep values that come after their instant, for all instants that they hold for."""
        end_ms = instant_ms + max(host.interval_ms, self._interval_ms)
        if host.holds and end_ms > self._next_ms and (host.row is host.nothing or host.row_ms < instant_ms):
            host.row, host.row_ms = values, instant_ms
        for each_ms in range(instant_ms, min(end_ms, self._next_ms), self._interval_ms):
            if not self._late.add(each_ms, host.columns, values):
                own_ms = instant_ms - host.clock.shift_ms
                self._add_hole(host, own_ms - self._interval_ms, own_ms + 1)
                return
        if end_ms >= self._next_ms:
            self.on_late()

    def _see_hole(self, host: FollowedHost, time_ms: int) -> None:
        """Notice that ticks are missing before one that comes.

        After an interruption, or after the wall was down, the ticks of a host's window come, but only with the series
        that it has by then. After a restart of the host, so do those that have come before; if they belong to other
        instants by now, its other series are read again, too. What waited on the way may come first, and the window a
        moment later.
        """
        arrived, before = self._clock(), host.arrived
        host.arrived = arrived
        if not host.ticked_ms:
            return
        longest_s = INTERRUPTED_INTERVALS * host.interval_ms / 1000 + INTERRUPTED_S
        passed_s, old_s = arrived - before, self._now() - host.instant_ms(time_ms) / 1000
        is_again = old_s > longest_s and passed_s > 0.5 * host.interval_ms / 1000
        if not before or passed_s > longest_s or is_again:
            now_ms = host.clock.shown_ms(self._now())
            start_ms = host.ticked_ms if time_ms > host.moved_ms else time_ms - host.interval_ms
            self._add_hole(host, start_ms, max(time_ms, now_ms))
        elif time_ms - host.ticked_ms > 1.5 * host.interval_ms:
            self._add_hole(host, host.ticked_ms, time_ms)

    def _add_hole(self, host: FollowedHost, start_ms: int, end_ms: int) -> None:
        host.holes.add(start_ms, end_ms)
        self.change(host)
        self.on_change(host)

    def _take_row(self, host: FollowedHost, due_ms: int) -> Floats:
        """Return the values of a host for the wall's tick that is due."""
        if host.row is not host.nothing and host.row_ms < due_ms and not host.holds:
            self._be_late(host, host.row_ms, host.row)
            host.row = host.nothing
        if host.early:
            self._place_early(host)
        self._check(host)
        row = host.row
        if not host.row_ms <= due_ms < host.row_ms + max(host.interval_ms, self._interval_ms):
            row = host.row = host.nothing
        if not host.holds:
            host.row = host.nothing
        return row

    def _all_columns(self) -> tuple[Columns, Columns]:
        """Return the columns of all hosts' values, and those of their ``host_up``."""
        if self._columns is None:
            hosts = self.hosts.values()
            columns = np.concatenate([np.empty(0, np.intp), *(host.columns for host in hosts)])
            self._columns = columns, np.array([host.up for host in hosts if host.up >= 0], np.intp)
        return self._columns

    def _begin_next(self) -> None:
        """Begin to collect for the next tick."""
        for host in self._left_long_ago:
            self._remove(host)
        self._left_long_ago = []
        self._check_waiting()
        for host in self.hosts.values():
            if host.early:
                self._place_early(host)
        self._awaited = {
            host.name
            for host in self.hosts.values()
            if host.state == "live" and not host.holds and host.late_ticks < LATE_TICKS
            if len(host.columns) and host.row_ms != self._next_ms
        }
