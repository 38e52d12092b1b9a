"""The publisher: a host's side of NATS (docs/fleet-protocol.md).

It joins the hub like a viewer, once for the overview and once for everything, and publishes the frames that it is sent:
they are encoded once, and nothing waits for NATS. While NATS is out of reach it leaves the hub. What walls miss
meanwhile, they read from the board's history; when NATS is there again, it resumes with the ticks that are still in the
window.

It outlives the board that it publishes: `tickboard dev` replaces one board by another under the same name.
"""

import asyncio
import math
import os
import socket
import time
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.feed import Feed
from tickboard.fleet.messages import BEAT_S, HOSTS, Beat, Bye, Claim, gone_s, subject
from tickboard.fleet.name_claim import NameClaim
from tickboard.fleet.nats_connection import ANSWER_S, PING_S, NatsConnection
from tickboard.hub.hub import Hub
from tickboard.loop.supervisor import Supervisor
from tickboard.loop.turns import made_in_turns
from tickboard.output.text import one_line
from tickboard.problems import Reporter
from tickboard.wire import encode

if TYPE_CHECKING:
    from tickboard.fleet.publishing import PublishedBoard

NAME = "NATS: name"
"""The source of the problem that another process has the name."""

AGAIN_S = 0.5
"""Seconds between two descriptions, however often walls ask for them."""

BYE_S = 1.0
"""How long the end of a board waits for its goodbye to be sent."""

NO_METRIC = "0"
"""A selector that selects nothing, since no metric can have this name."""

_ID_TEXT = 200


class Publisher:
    """Publishes one host on NATS, and serves the calls of walls. Call `start`, then `close`.

    Args:
        board: the board, which says where to publish, and under which name.
        hub: has the board.
        problems: where failures are reported.

    Attributes:
        connection: to NATS.
    """

    def __init__(self, board: "PublishedBoard", hub: Hub, problems: Reporter) -> None:
        options = board.introduction.options
        servers = options.nats_options
        assert servers is not None
        self._hub = hub
        self._problems = problems
        self._supervisor = Supervisor(problems)
        self._speaking = Supervisor(problems)
        self._name = options.host_name
        self._place = one_line(f"{socket.gethostname()}, process {os.getpid()}", _ID_TEXT)
        self.connection = NatsConnection(
            servers, f"tickboard {self._name}", problems, "nothing is published", echo=False
        )
        self._board = board
        self._calls = HostCalls(self.connection, self._name, board.app, board.identify)
        # Only the process that has the name may answer.
        self._serving: Supervisor | None = None
        self._claim: NameClaim | None = None
        self._feeds = [Feed(hub, self.connection, self._subject(kind)) for kind in ("overview", "ticks")]
        self._introduced: tuple[object, ...] = ()
        self._asks = 0
        self._answered = 0.0
        self._wake = asyncio.Event()

    def show(self, board: "PublishedBoard") -> None:
        """Publish another board from now on, under the same name."""
        self._board = board
        self._calls.app, self._calls.identify = board.app, board.identify
        self._asked()

    def start(self) -> None:
        """Start publishing, in the running loop."""
        connection = self.connection
        connection.watch(self._connection_changed)
        connection.subscribe(HOSTS, lambda *_: self._asked())
        for kind, take in (("beat", self._take_beat), ("claim", self._take_claim), ("bye", self._take_bye)):
            connection.subscribe(self._subject(kind), lambda _, content, __, take=take: take(content))  # type: ignore[misc]
        self._supervisor.start("NATS: connection", connection.run)
        self._speaking.start("NATS: publisher", self._run)

    async def close(self) -> None:
        """Say goodbye, if that takes no longer than `BYE_S`, and stop."""
        # Nothing may follow the goodbye.
        await self._speaking.stop()
        self._leave()
        if self._claim is not None and self._claim.holds and self.connection.connected:
            self._send("bye", Bye(self._id))
            await self.connection.flush(BYE_S)
        await self._serve(wanted=False)
        await self._supervisor.stop()

    def _leave(self) -> None:
        for feed in self._feeds:
            feed.leave()

    # --- what is heard ---

    def _connection_changed(self, connected: bool) -> None:
        self._leave()
        if connected and self._claim is not None:
            self._claim.connected(time.monotonic())
        self._wake.set()

    def _asked(self) -> None:
        self._asks += 1
        self._wake.set()

    def _take_beat(self, content: bytes) -> None:
        beat = msgspec.json.decode(content, type=Beat)
        self._heard(beat.since, holds=True)

    def _take_claim(self, content: bytes) -> None:
        claim = msgspec.json.decode(content, type=Claim)
        self._heard(claim.since, holds=claim.holds, place=one_line(claim.place, _ID_TEXT))
        mine = self._claim
        if mine is not None and not claim.holds and mine.answers(claim.since):
            self._send_claim(mine)

    def _take_bye(self, content: bytes) -> None:
        if msgspec.json.decode(content, type=Bye).id != self._id and self._claim is not None:
            self._claim.said_bye(time.monotonic())
            self._wake.set()

    def _heard(self, since: float, *, holds: bool, place: str = "") -> None:
        if self._claim is not None and since != self._claim.since:
            self._claim.heard(since, time.monotonic(), holds=holds, place=place)
            self._wake.set()

    # --- what is said ---

    async def _run(self) -> None:
        """Claim the name, and publish under it, until cancelled."""
        # Instants for others; what is measured is measured by the monotonic clock.
        self._claim = self._claim or NameClaim(time.time(), self._patience_s)
        if self.connection.connected:
            self._claim.connected(time.monotonic())
        beat_at = time.monotonic()
        while True:
            if self.connection.connected:
                now = time.monotonic()
                held, holds = self._claim.holds, self._claim.look(now)
                if holds and not held:
                    # Others hear at once that it is taken.
                    beat_at = now
                await self._serve(wanted=holds)
                self._report_rival(self._claim)
                if holds:
                    await self._introduce(now)
                else:
                    self._leave()
                if now >= beat_at:
                    (self._send_beat if holds else self._send_claim)(self._claim)
                    beat_at = max(beat_at + BEAT_S, now)
            else:
                self._leave()
            # A name is taken soon after it becomes free.
            await self._sleep(BEAT_S if self._claim.holds else BEAT_S / 4)

    async def _serve(self, *, wanted: bool) -> None:
        """Serve the calls of walls, or no longer."""
        serving = self._serving
        if wanted and serving is None:
            self._serving = Supervisor(self._problems)
            self._serving.start("NATS: calls", self._calls.run)
        elif not wanted and serving is not None:
            self._serving = None
            await serving.stop()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _introduce(self, now: float) -> None:
        """Publish the description if it has changed or a wall asked for it, and what follows from it."""
        overview, everything = self._feeds
        are_joined = overview.audience is not None and everything.audience is not None
        if are_joined and self._introduced == self._state():
            return
        if are_joined and now - self._answered < AGAIN_S:
            asyncio.get_running_loop().call_later(AGAIN_S, self._wake.set)
            return
        before, board = self._state(), self._board
        about = await made_in_turns(board.introduction.about())
        # What was lost before the connection was given up is published again.
        again = math.ceil((PING_S + ANSWER_S) * 1000 / board.interval_ms)
        await overview.join(tuple(info.name for info in about.metrics) or (NO_METRIC,), again)
        await everything.join((), again)
        # What has changed meanwhile is published soon.
        self._introduced, self._answered = (*before[:-1], overview.layout), now
        self._send("about", replace(about, series=overview.series))
        if are_joined:
            everything.describe()
        overview.release()
        everything.release()

    def _state(self) -> tuple[object, ...]:
        """Return a value that changes when the description has to be published again."""
        engine = self._hub.engine
        return (self._asks, engine.epoch, engine.registry.metrics_revision, self._feeds[0].layout)

    def _send_beat(self, claim: NameClaim) -> None:
        engine = self._hub.engine
        counts = self.connection.counts
        counts.calls, counts.calls_refused = len(self._calls), self._calls.refused
        beat = Beat(
            self._id,
            claim.since,
            # The wall compares it with its own clock.
            time.time(),
            engine.epoch,
            engine.seq,
            self._board.interval_ms,
            engine.alerts.log.number,
        )
        self._send("beat", beat)

    def _send_claim(self, claim: NameClaim) -> None:
        self._send("claim", Claim(self._id, claim.since, self._place, claim.holds))

    def _send(self, kind: str, message: object) -> None:
        self.connection.publish(self._subject(kind), encode(message))

    def _report_rival(self, claim: NameClaim) -> None:
        where = f" ({claim.other})" if claim.other else ""
        if not claim.has_rival:
            self._problems.clear(NAME, "no other process uses the name any more")
        elif claim.holds:
            self._problems.report(
                NAME,
                f"another process{where} wants to publish as {self._name} too: give one of them another --name",
                kind=("holds", bool(where)),
            )
        else:
            self._problems.report(
                NAME,
                f"another process{where} publishes as {self._name}, so this one does not until that one is gone: "
                "give one of them another --name",
                kind=("waits", bool(where)),
            )

    @property
    def _id(self) -> str:
        return self._hub.engine.alerts.log.epoch

    @property
    def _patience_s(self) -> float:
        return gone_s(self._board.interval_ms)

    def _subject(self, *parts: str) -> str:
        return subject(self._name, *parts)
