"""Filling holes: what a wall has missed of a host is read from the host's own history, and written to its ticks.

    holes ── fetch, some hosts at a time, newest first ──▶ batches ── joined, once a tick ──▶ the wall's window, history

It can be repeated: a value is written to the tick of its time, whether it was there or not. A host that cannot be asked
is asked again later. What the wall does not keep is not asked for, and what a host has not kept stays missing.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from math import inf

from msgspec import Struct

from tickboard.client.decoder import ProtocolError, WatchedSeries
from tickboard.client.history_data import HistoryData
from tickboard.client.history_format import decode
from tickboard.errors import RefusedError
from tickboard.fleet.asking import fetch
from tickboard.fleet.follower import Follower
from tickboard.fleet.holes import Hole
from tickboard.fleet.host import FollowedHost
from tickboard.fleet.late_batches import MOST_CELLS, SPARSE, LateBatch, batch_of, joined
from tickboard.fleet.link import Link
from tickboard.output.logs import log
from tickboard.times import time_text

AT_ONCE = 8
"""How many hosts are asked at a time."""

TICKS = 3_000
"""The most ticks that are asked for at a time."""

MOST_WAITING = 2_000_000
"""How many values may wait to be written; no host is asked while there are more."""

LOOK_S = 1.0
"""After how many seconds it is seen whether a host with holes can be asked by now."""

ANSWER_S = 30.0
"""How long an answer may take."""

FIRST_RETRY_S, LAST_RETRY_S = 2.0, 60.0
"""Seconds until a host is asked again: the first, doubled each time it fails, up to the last."""

NO_HISTORY = "no history"
"""What the note of a host without history is about."""


class _Filled(Struct, frozen=True, eq=False):
    """An answer that waits to be written."""

    host: FollowedHost
    hole: Hole
    data: HistoryData | None

    @property
    def cells(self) -> int:
        """How many values it has."""
        return 0 if self.data is None else sum(len(one) for one in self.data.series)


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
        # When a host may be asked again, by the monotonic clock, and the pause after the next failure.
        self._again: dict[str, tuple[float, float]] = {}
        self._filled: list[_Filled] = []
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look for holes: a host may have a new one."""
        self._news.set()

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
        if not self._filled:
            return
        # Joined, they may be larger.
        room = int(self._follower.room_for_late / SPARSE)
        taken: list[_Filled] = []
        while self._filled:
            one = self._filled[0]
            held = max(1, one.host.interval_ms // self._interval_ms)
            if (room := room - held * one.cells) < 0:
                break
            taken.append(self._filled.pop(0))
        for batch in joined([self._batch(each) for each in taken]):
            self._follower.fill(batch)
        for each in taken:
            each.host.holes.fill(*each.hole)
            self._follower.change(each.host)
        self.wake()

    def _batch(self, filled: _Filled) -> LateBatch:
        """Return an answer at the wall's instants. Not earlier, since series may leave and give up their columns."""
        host = filled.host
        is_there = filled.data is not None and self._follower.hosts.get(host.name) is host
        series = [
            (column, one)
            for one in (filled.data.series if filled.data is not None and is_there else ())
            if (column := self._follower.column_of(host, WatchedSeries(one.name, one.unit, one.labels))) >= 0
        ]
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
            if not len(host.holes) or host.name in self._asking or host.name in unwritten:
                continue
            at, _ = self._again.get(host.name, (0.0, 0.0))
            if at > now:
                wait_s = min(wait_s, at - now)
            elif self._can_ask(host):
                self._begin(host)
            else:
                wait_s = min(wait_s, LOOK_S)
        return wait_s

    def _begin(self, host: FollowedHost) -> None:
        held = max(1, host.interval_ms // self._interval_ms)
        ticks = min(TICKS, MOST_CELLS // (held * max(1, len(host.columns))))
        hole = host.holes.newest(max(1, ticks) * host.interval_ms)
        assert hole is not None
        task = self._asking[host.name] = asyncio.create_task(self._ask(host, hole))
        task.add_done_callback(partial(self._asked, host.name))

    def _can_ask(self, host: FollowedHost) -> bool:
        """Return whether a host's holes can be filled, and forget those that cannot."""
        if host.state != "live" or host.link is None or host.about is None or not host.clock.is_known:
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

    def _give_up(self, host: FollowedHost, why: str) -> None:
        span = host.holes.span
        assert span is not None
        host.holes.clear()
        start, end = (time_text(each + host.clock.shift_ms) for each in span)
        self._follower.note(host, NO_HISTORY, f"{why}: what the wall missed from {start} to {end} stays missing")

    async def _ask(self, host: FollowedHost, hole: Hole) -> None:
        """Ask a host for its ticks in a hole.

        Raises:
            RefusedError: there is no answer.
            ProtocolError: it cannot be understood.
        """
        assert host.link is not None
        data = await self._recorded(host.link, [*host.metrics, *self._metrics], hole)
        if data is None:
            self._give_up(host, "it does not show its history")
            return
        # Of what it keeps no ticks any more, or of many that it made at a shorter interval, it answers with averages.
        are_ticks = data.tier == "raw" and data.resolution_s * 1000 <= max(host.interval_ms, self._interval_ms)
        self._filled.append(_Filled(host, hole, data if are_ticks else None))

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

    def _asked(self, name: str, task: "asyncio.Task[None]") -> None:
        """Take note that a host has been asked."""
        if self._asking.get(name) is not task:
            return
        del self._asking[name]
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._again.pop(name, None)
        else:
            _, pause_s = self._again.get(name, (0.0, FIRST_RETRY_S))
            self._again[name] = time.monotonic() + pause_s, min(2 * pause_s, LAST_RETRY_S)
            if not isinstance(error, RefusedError | ProtocolError):
                log.error("filling a hole of %s failed", name, exc_info=error)
        self.wake()
