"""Filling holes: what a wall has missed of a host is read from the host's own history, and written to its ticks.

    holes ── fetch, some hosts at a time, newest first ──▶ batches ── joined, once a tick ──▶ the wall's window, history

It can be repeated: a value is written to the tick of its time, whether it was there or not. A host that cannot be asked
is asked again later, for less, and says so after a few failures. An answer that is too large, or that has averages
since its beginning has expired, is asked for again with half the time. What the wall does not keep is not asked for,
and what a host has not kept stays missing, which the host says.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from math import inf
from urllib.parse import urlencode

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.client.decoder import ProtocolError, WatchedSeries
from tickboard.client.history_data import HistoryData, HistorySeries
from tickboard.client.history_format import decode
from tickboard.errors import RefusedError
from tickboard.fleet.asking import fetch
from tickboard.fleet.clock import LONGEST_MS
from tickboard.fleet.follower import Follower
from tickboard.fleet.holes import Hole
from tickboard.fleet.host import FollowedHost
from tickboard.fleet.host_series import MAX_NOTE
from tickboard.fleet.late_batches import MOST_CELLS, SPARSE, LateBatch, batch_of, joined
from tickboard.fleet.link import Link
from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.problems import described
from tickboard.times import time_text

AT_ONCE = 8
"""How many hosts are asked at a time."""

TICKS = 3_000
"""The most ticks that are asked for at a time."""

MOST_QUERY = 6_000
"""How many bytes of a question name metrics, so that no server refuses it as too long."""

MOST_WAITING = 2_000_000
"""How many values may wait to be written; no host is asked while there are more."""

LOOK_S = 1.0
"""After how many seconds it is seen whether a host with holes can be asked by now."""

ANSWER_S = 30.0
"""How long an answer may take."""

FIRST_RETRY_S, LAST_RETRY_S = 2.0, 60.0
"""Seconds until a host is asked again: the first, doubled each time it fails, up to the last."""

NOTED_FAILURES = 3
"""After how many failures in a row a host says that it cannot be asked."""

NO_HISTORY, UNANSWERED = "no history", "unanswered"
"""What the notes are about of a host that has not kept what is missing, and of one that gives no answer."""


class _Filled(Struct, frozen=True, eq=False):
    """An answer that waits to be written.

    Attributes:
        host: of which host.
        hole: what it was asked for.
        series: what it has recorded.
        last_ms: its newest tick in the answer, POSIX milliseconds; 0: there is none.
        cells: how many values that is on the wall, at most `MOST_CELLS`.
    """

    host: FollowedHost
    hole: Hole
    series: Sequence[HistorySeries]
    last_ms: int
    cells: int


class _Again(Struct, frozen=True):
    """When a host is asked again after a failure.

    Attributes:
        at: the time, by the monotonic clock.
        pause_s: seconds to wait after the next failure.
        failures: how many there were in a row.
    """

    at: float = 0.0
    pause_s: float = 0.0
    failures: int = 0


class Filler:
    """Fills the holes of all hosts.

    Args:
        follower: has the hosts.
        interval_ms: milliseconds between two ticks of the wall.
        metrics: selectors of series that are followed beside the overview.
    """

    def __init__(self, follower: Follower, interval_ms: int, metrics: Sequence[str] = ()) -> None:
        self._follower = follower
        self._interval_ms = interval_ms
        self._metrics = metrics
        self._asking: dict[str, asyncio.Task[None]] = {}
        # By the names of hosts: after a failure, and how many of a host's milliseconds are asked for if not all.
        self._again: dict[str, _Again] = {}
        self._longest: dict[str, int] = {}
        # Until which of a host's times it was given up to read what is missing.
        self._given_up: dict[str, int] = {}
        self._filled: list[_Filled] = []
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for holes: a host may have a new one."""
        self._news.set()

    def forget(self, name: str) -> None:
        """Forget a host."""
        self._again.pop(name, None)
        self._longest.pop(name, None)
        self._given_up.pop(name, None)
        if (task := self._asking.pop(name, None)) is not None:
            task.cancel()

    async def run(self) -> None:
        """Ask hosts until cancelled."""
        try:
            while True:
                self._news.clear()
                wait_s = self._begin_some(time.monotonic())
                try:
                    async with asyncio.timeout(None if wait_s == inf else wait_s):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            for task in self._asking.values():
                task.cancel()
            self._asking.clear()

    def write(self) -> None:
        """Write what has been received to the wall's ticks. Call it before a tick."""
        # Joined, they may be larger.
        room = int(self._follower.room_for_late / SPARSE)
        taken: list[_Filled] = []
        waiting: list[_Filled] = []
        for each in self._filled:
            if each.cells <= room and self._has_ticks(each):
                room -= each.cells
                taken.append(each)
            else:
                waiting.append(each)
        if not taken:
            return
        self._filled = waiting
        batches: list[LateBatch] = []
        written: list[_Filled] = []
        for each in taken:
            try:
                batches.append(self._batch(each))
            except Exception as error:  # noqa: BLE001  # what one host answers must not cost what others have answered
                self._fail(each.host, each.hole, error)
            else:
                written.append(each)
        for batch in joined(batches):
            self._follower.fill(batch)
        for each in written:
            each.host.fill(each.hole, time.monotonic())
            self._answered(each.host)
            self._follower.change(each.host)
            if each.hole[0] >= self._given_up.get(each.host.name, inf):
                # Something newer could be read, so nobody has to fix anything.
                del self._given_up[each.host.name]
                self._follower.note(each.host, NO_HISTORY, "")
        self.wake()

    def _has_ticks(self, filled: _Filled) -> bool:
        """Return whether the wall has made its ticks of all instants that an answer has values for.

        An answer may come first: before the first tick of a run, while the wall waits for hosts at a tick that is due,
        or while the newest values hold. If the instant is far ahead, a clock has been set since, and the wall will not
        have it soon.
        """
        host, newest_ms = filled.host, self._follower.newest_ms
        last_ms = host.instant_ms(filled.last_ms) + (self._held(host) - 1) * self._interval_ms
        longest_ms = LONGEST_MS + max(host.interval_ms, self._interval_ms)
        return newest_ms > 0 and not 0 < last_ms - newest_ms <= longest_ms

    def _batch(self, filled: _Filled) -> LateBatch:
        """Return an answer at the wall's instants. Not earlier, since series may leave and give up their columns."""
        host = filled.host
        found = filled.series if self._follower.hosts.get(host.name) is host else ()
        columns = self._follower.columns_of(host, [WatchedSeries(one.name, one.unit, one.labels) for one in found])
        series = [(column, one) for column, one in zip(columns, found, strict=True) if column >= 0]
        return batch_of(series, host.clock.shift_ms, host.interval_ms, self._interval_ms, self._follower.newest_ms)

    # --- asking ---

    def _begin_some(self, now: float) -> float:
        """Ask the hosts whose turn it is; return how many seconds to wait for the next one."""
        wait_s = inf
        waiting = sum(each.cells for each in self._filled)
        unwritten = {each.host.name for each in self._filled}
        for host in self._follower.hosts.values():
            if len(self._asking) >= AT_ONCE or waiting > MOST_WAITING:
                break
            if host.name in self._asking or host.name in unwritten:
                continue
            if not len(host.holes):
                self._settle(host)
                continue
            if (at := self._again.get(host.name, _Again()).at) > now:
                wait_s = min(wait_s, at - now)
            elif self._can_ask(host):
                self._begin(host)
            else:
                wait_s = min(wait_s, LOOK_S)
        return wait_s

    def _begin(self, host: FollowedHost) -> None:
        ticks = min(TICKS, MOST_CELLS // (self._held(host) * max(1, len(host.series))))
        most_ms = max(1, ticks) * host.interval_ms
        hole = host.holes.newest(min(most_ms, self._longest.get(host.name, most_ms)))
        assert hole is not None
        task = self._asking[host.name] = asyncio.create_task(self._ask(host, hole))
        task.add_done_callback(partial(self._asked, host, hole))

    def _settle(self, host: FollowedHost) -> None:
        """Take note that a host has no holes any more."""
        self._answered(host)
        self._longest.pop(host.name, None)

    def _held(self, host: FollowedHost) -> int:
        """Return for how many ticks of the wall each value of a host holds."""
        return max(1, host.interval_ms // self._interval_ms)

    def _can_ask(self, host: FollowedHost) -> bool:
        """Return whether a host's holes can be filled, and forget those that cannot."""
        if host.state != "live" or host.link is None or host.about is None or not host.clock.is_known:
            return False
        if not host.arrived:
            # How many series it has is not known before its first tick.
            return False
        if host.holes.forget_before(self._follower.oldest_ms - host.clock.shift_ms):
            self._follower.change(host)
            if not len(host.holes):
                return False
        if not host.about.keeps_history:
            self._give_up(host, "it keeps no history")
            return False
        if not host.metrics and not self._metrics:
            host.holes.clear()
            self._follower.change(host)
            return False
        return True

    def _give_up(self, host: FollowedHost, why: str, until_ms: int | None = None) -> None:
        """Leave missing what a host has not kept: all of it, or what is older than one of its times."""
        span = host.holes.span
        assert span is not None
        start_ms, end_ms = span
        if until_ms is None:
            host.holes.clear()
        else:
            end_ms = min(until_ms, end_ms)
            host.holes.fill(start_ms, end_ms)
        start, end = (time_text(each + host.clock.shift_ms) for each in (start_ms, end_ms))
        self._given_up[host.name] = span[1] - 1
        self._follower.note(host, NO_HISTORY, f"{why}: what the wall missed from {start} to {end} stays missing")
        self._follower.change(host)

    async def _ask(self, host: FollowedHost, hole: Hole) -> None:
        """Ask a host for its ticks in a hole.

        Raises:
            RefusedError: there is no answer.
            ProtocolError: it cannot be understood.
        """
        assert host.link is not None
        series: dict[str, HistorySeries] = {}
        times: list[NDArray[np.datetime64]] = []
        cells = 0
        for metrics in _asked_together([*host.metrics, *self._metrics]):
            data = await self._recorded(host.link, metrics, hole)
            if data is None:
                self._give_up(host, "it does not show its history")
                return
            # Of what it keeps no ticks any more, or of many that it made at a shorter interval, it has averages.
            if data.tier != "raw" or data.resolution_s * 1000 > max(host.interval_ms, self._interval_ms):
                self._ask_less(host, hole, "its history has no ticks of that time any more")
                return
            series |= {one.key: one for one in data.series}
            found = _times(data)
            _check_times(found, hole, max(host.interval_ms, self._interval_ms))
            times += found
            cells = self._held(host) * len(series) * (len(np.unique(np.concatenate(times))) if times else 0)
            if cells > MOST_CELLS:
                self._ask_less(host, hole, "its history has too many series")
                return
        self._longest_grows(host)
        last_ms = max((int(one[-1].astype(np.int64)) for one in times), default=0)
        self._filled.append(_Filled(host, hole, list(series.values()), last_ms, cells))

    def _ask_less(self, host: FollowedHost, hole: Hole, why: str) -> None:
        """Ask for the newer half of a hole next; if it cannot be halved, leave missing what is older."""
        start_ms, end_ms = hole
        if end_ms - start_ms > host.interval_ms:
            self._longest[host.name] = (end_ms - start_ms) // 2
        else:
            self._give_up(host, why, end_ms)

    def _longest_grows(self, host: FollowedHost) -> None:
        """Ask for twice as much as before, if it was not all."""
        if host.name in self._longest:
            self._longest[host.name] *= 2
            if self._longest[host.name] >= TICKS * host.interval_ms:
                del self._longest[host.name]

    async def _recorded(self, link: Link, metrics: list[str], hole: Hole) -> HistoryData | None:
        """Return what a host has recorded between two times; None if it keeps no history.

        Raises:
            RefusedError: it gives no answer.
            ProtocolError: it gives one that cannot be understood.
        """
        start_ms, end_ms = hole
        query = [
            *(("metrics", name) for name in metrics),
            ("from", time_text(start_ms + 1)),
            ("to", time_text(end_ms)),
            ("points", str(TICKS + 2)),
            ("format", "binary"),
        ]
        answer = await fetch(link, "GET", "/api/history", query, timeout_s=ANSWER_S)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise RefusedError(f"{link.address} answers {answer.status} to a question for its history")
        return decode(answer.body)

    def _asked(self, host: FollowedHost, hole: Hole, task: "asyncio.Task[None]") -> None:
        """Take note that a host has been asked."""
        name = host.name
        if self._asking.get(name) is not task:
            return
        del self._asking[name]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(host, hole, error)
        elif all(each.host is not host for each in self._filled):
            # Nothing has to be written that could still fail.
            self._answered(host)
        self.wake()

    def _answered(self, host: FollowedHost) -> None:
        """Take note that a host has given an answer that could be used."""
        if self._again.pop(host.name, None) is not None:
            self._follower.note(host, UNANSWERED, "")

    def _fail(self, host: FollowedHost, hole: Hole, error: BaseException) -> None:
        """Ask a host again later, for less, and say so if it has failed before."""
        before = self._again.get(host.name, _Again(pause_s=FIRST_RETRY_S))
        pause_s, failures = before.pause_s, before.failures + 1
        self._again[host.name] = _Again(time.monotonic() + pause_s, min(2 * pause_s, LAST_RETRY_S), failures)
        self._longest[host.name] = max(host.interval_ms, (hole[1] - hole[0]) // 2)
        if not isinstance(error, RefusedError | ProtocolError):
            log.error("filling a hole of %s failed", host.name, exc_info=error)
        if failures < NOTED_FAILURES:
            return
        why = one_line(str(error) if isinstance(error, RefusedError | ProtocolError) else described(error), MAX_NOTE)
        if failures == NOTED_FAILURES:
            log.warning("what the wall missed of %s cannot be read from its history: %s", host.name, why)
        self._follower.note(host, UNANSWERED, f"what the wall missed cannot be read from its history: {why}")


def _asked_together(metrics: Iterable[str]) -> Iterator[list[str]]:
    """Yield selectors in as few questions as have room for them."""
    some: list[str] = []
    size = 0
    for name in metrics:
        length = len(urlencode([("metrics", name)])) + 1
        if some and size + length > MOST_QUERY:
            yield some
            some, size = [], 0
        some.append(name)
        size += length
    if some:
        yield some


def _check_times(times: Iterable[NDArray[np.datetime64]], hole: Hole, margin_ms: int) -> None:
    """Check that a host has answered with the times that it was asked for.

    Args:
        times: ascending.
        hole: what it was asked for.
        margin_ms: how long before it a bucket may begin.

    Raises:
        ProtocolError: they are of another time. Values ahead of the wall would keep room from those of other hosts.
    """
    for each in times:
        first_ms, last_ms = each[[0, -1]].astype(np.int64).tolist()
        if first_ms < hole[0] - margin_ms or last_ms > hole[1]:
            raise ProtocolError("its history answers with ticks of another time than it was asked for")


def _times(data: HistoryData) -> list[NDArray[np.datetime64]]:
    """Return the different times that the series of an answer have: most have the same."""
    return list({(len(one), *one.times[[0, -1]].tolist()): one.times for one in data.series if len(one)}.values())
