"""Following hosts through a real nats-server: boards that publish, and hosts that send anything else."""

import asyncio
import contextlib
import json
import logging
import math
import signal
import struct
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from tests.fleet.listening import Listener, until
from tests.fleet.publishing import shop
from tests.fleet.walls import answers, connected, ended, identify, nats_connection
from tests.nats_servers import NatsServer
from tests.serving import serve

from tickboard.fleet import messages, nats_link, tick_check
from tickboard.fleet import nats_connection as connecting
from tickboard.fleet.asking import fetch
from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.messages import HOSTS, Beat, Bye, Claim, subject
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.fleet.nats_link import NatsLinks
from tickboard.problems import Problems
from tickboard.wire import About, MetricInfo, SeriesInfo, SeriesList, encode

RISING = str(Path(__file__).parents[1] / "boards" / "rising.py")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(connecting, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(nats_link, "ASK_AGAIN_S", 0.1)


class Wall(Listener):
    """What a wall receives, and its links."""

    def __init__(self, server: NatsServer) -> None:
        super().__init__()
        self.connection = nats_connection(server)
        self.problems = Problems()
        self.following = NatsLinks(self.connection, self, self.problems)


@contextlib.asynccontextmanager
async def following(server: NatsServer) -> AsyncIterator[Wall]:
    """Follow all hosts of a server while the context is open."""
    wall = Wall(server)
    parts = (wall.following.run, wall.following.calls.run, wall.connection.run)
    tasks = [asyncio.ensure_future(part()) for part in parts]
    try:
        await until(lambda: wall.connection.connected)
        yield wall
        assert not any(task.done() for task in tasks), tasks
    finally:
        await ended(tasks)


def rises(wall: Wall) -> bool:
    """Return whether each tick came once and in order."""
    return {after.seq - before.seq for before, after in pairwise(wall.ticks)} == {1}


# --- boards ---


async def test_a_board_that_publishes_is_found_and_followed(server: NatsServer) -> None:
    board = shop(server.url)
    async with following(server) as wall, board.lifespan():
        await until(lambda: len(wall.ticks) >= 10 and len(wall.beats) >= 2)
    assert wall.events[:2] == ["introduced", "ticked"]
    about = wall.abouts[0]
    assert (about.name, about.labels, [each.name for each in about.metrics]) == (
        "web-1",
        {"env": "prod"},
        ["orders"],
    )
    assert rises(wall)
    assert set(wall.ticks[-1]) == {"orders"}
    seq, alerts, clock = wall.beats[-1]
    assert seq > 0
    assert alerts == 0
    assert abs(clock - time.time()) < 60
    [link] = set(wall.links)
    assert (link.kind, link.address) == ("nats", wall.connection.address)


async def test_a_wall_that_starts_later_asks_for_what_it_has_missed(server: NatsServer) -> None:
    async with shop(server.url).lifespan():
        for _ in range(2):
            async with following(server) as wall:
                await until(lambda wall=wall: len(wall.ticks) >= 5)  # type: ignore[misc]
            assert wall.events[0] == "introduced"
            assert rises(wall)


async def test_a_goodbye_is_heard_and_another_process_has_the_name_at_once(server: NatsServer) -> None:
    async with following(server) as wall:
        async with shop(server.url).lifespan():
            await until(lambda: wall.ticks)
        await until(lambda: "said_bye" in wall.events)
        count = len(wall.abouts)
        async with shop(server.url).lifespan():
            await until(lambda: wall.ticks[-1].fresh or len({tick.epoch for tick in wall.ticks}) == 2)
    assert len(wall.abouts) > count
    assert wall.abouts[0].id != wall.abouts[-1].id
    assert len(set(wall.links)) == 1


async def test_nats_that_is_killed_and_comes_back(server: NatsServer) -> None:
    async with following(server) as wall, shop(server.url).lifespan():
        await until(lambda: len(wall.ticks) >= 3)
        server.kill()
        await until(lambda: "lost" in wall.events)
        before = len(wall.ticks)
        server.start()
        await until(lambda: len(wall.ticks) >= before + 10)
    lost = f"there is no connection to NATS at {wall.connection.address}"
    # Even if it were not heard from again, the connection was no reason any more, until this wall ended.
    assert wall.reasons == [lost, "", lost]
    assert "introduced" in wall.events[wall.events.index("lost") :]
    seqs = [tick.seq for tick in wall.ticks]
    assert seqs == sorted(set(seqs))
    missed = sum(tick.missed for tick in wall.ticks[1:])
    assert seqs[-1] - seqs[0] == len(seqs) - 1 + missed, "what is not there is counted"


async def test_a_host_that_is_killed_and_restarted_is_a_fresh_epoch(server: NatsServer) -> None:
    arguments = ("run", RISING, "--nats", server.url, "--name", "web-1")
    env = {"METRIC_INTERVAL_MS": "100"}
    async with following(server) as wall:
        with serve(*arguments, env=env) as host:
            await until(lambda: len(wall.ticks) >= 3)
            host.process.send_signal(signal.SIGKILL)
        with serve(*arguments, env=env):
            await until(lambda: any(tick.fresh for tick in wall.ticks))
            count = len(wall.ticks)
            await until(lambda: len(wall.ticks) >= count + 5)
    assert "said_bye" not in wall.events
    of_second = [tick for tick in wall.ticks if tick.epoch == wall.ticks[-1].epoch]
    assert [after.seq - before.seq for before, after in pairwise(of_second)] == [1] * (len(of_second) - 1)


# --- anything else ---


class FakeHost:
    """Publishes what a test wants, as the host web-1."""

    def __init__(self, connection: NatsConnection, name: str = "web-1") -> None:
        self._connection = connection
        self._name = name
        self.asked = 0
        connection.subscribe(HOSTS, self._count)

    def _count(self, *_: object) -> None:
        self.asked += 1

    @property
    def is_connected(self) -> bool:
        return self._connection.connected

    def send(self, kind: str, content: bytes) -> None:
        assert self._connection.publish(subject(self._name, kind), content)

    def about(
        self, id: str = "i", layout: int | None = None, *, name: str = "", epoch: str = "e", started: str = ""
    ) -> None:
        series = None if layout is None else SeriesList(layout, epoch, [SeriesInfo("a", "")])
        metrics = [MetricInfo("a", "A", "", "gauge", overview=True)]
        about = About(name or self._name, id, "1", 1, "T", 1000, metrics=metrics, series=series, started=started)
        self.send("about", encode(about))

    def beat(self, id: str = "i", seq: int = 1, since: float = 5.0, alerts: int = 3) -> None:
        self.send("beat", encode(Beat(id, since, 1_000.0, "e", seq, 1000, alerts)))

    def series(self, layout: int, epoch: str = "e") -> None:
        self.send(
            "overview",
            json.dumps(
                {"type": "series", "layout": layout, "epoch": epoch, "series": [{"name": "a", "unit": ""}]}
            ).encode(),
        )

    def tick(self, seq: int, layout: int = 1, kind: int = 2, *, at: float | None = None) -> None:
        time_ms = 1000.0 * (seq if at is None else at)
        self.send("overview", struct.pack("<BBHIQdd", kind, 0, 0, layout, seq, time_ms, 1.0))

    def claim(self, since: float, place: str = "") -> None:
        self.send("claim", encode(Claim("i", since, place, holds=False)))


@contextlib.asynccontextmanager
async def fake(server: NatsServer) -> AsyncIterator[tuple[Wall, FakeHost]]:
    async with following(server) as wall, connected(server) as connection:
        host = FakeHost(connection)
        assert await connection.flush(10)
        yield wall, host


async def test_signs_of_life_are_passed_on_as_they_are(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about()
        await until(lambda: wall.abouts)
        host.beat(seq=7, alerts=4)
        await until(lambda: wall.beats)
    assert wall.beats == [(7, 4, 1_000.0)]


async def test_ticks_wait_for_the_description_of_their_series(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about()
        await until(lambda: wall.abouts)
        asked = host.asked
        host.tick(4, layout=9)
        host.tick(5, layout=9)
        await until(lambda: host.asked > asked)
        assert wall.ticks == []
        host.about(layout=9)
        await until(lambda: len(wall.ticks) == 2)
        host.tick(7, layout=9)
        await until(lambda: len(wall.ticks) == 3)
    assert [(tick.seq, tick.missed) for tick in wall.ticks] == [(4, 0), (5, 0), (7, 1)]
    assert len(wall.abouts) == 1, "only the series of the next ticks differ"


async def test_names_that_no_host_can_have_are_ignored(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        for name in ("é", "x" * 101):
            other = FakeHost(host._connection, name)
            for send in (other.about, other.beat, partial(other.tick, 1)):
                await taken(wall, send)
    assert (wall.events, wall.abouts) == ([], [])


async def test_a_host_with_an_impossible_interval_is_followed(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        for interval_ms in (10**400, -(10**400)):
            host.send("about", encode(About("web-1", "i", "1", 1, "T", interval_ms)))
            await until(lambda: wall.abouts and wall.abouts[-1].interval_ms == interval_ms)  # noqa: B023
        await taken(wall, host.beat)
        assert wall.beats
    assert list(wall.problems) == []


async def test_late_values_are_passed_on(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about(layout=1)
        host.tick(4)
        host.tick(3, kind=3)
        await until(lambda: wall.late)
    assert [(tick.seq, tick["a"]) for tick in wall.late] == [(3, 1.0)]
    assert [tick.seq for tick in wall.ticks] == [4]


async def test_a_host_that_is_not_known_is_asked_for(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        sends: list[Callable[[], None]] = [host.beat, partial(host.tick, 1), partial(host.series, 1)]
        for send in sends:
            asked = host.asked
            while host.asked == asked:
                send()
                await asyncio.sleep(0.05)
    assert wall.events == []


async def test_a_host_whose_description_is_of_no_use_does_not_make_all_describe_themselves_for_ever(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_link, "ASK_AGAIN_S", 0.01)
    async with fake(server) as (wall, host):
        began, asked = time.monotonic(), host.asked
        while time.monotonic() < began + 0.64 or not host.asked > asked:
            host.send("about", b"{}")
            host.beat()
            host.tick(1)
            await asyncio.sleep(0.01)
        passed = time.monotonic() - began
        assert wall.events == []
        # After 0.01, 0.02, 0.04 … s, for its beats and for its ticks; at each of 64 chances otherwise.
        assert host.asked - asked <= 2 * (2 + math.log2(passed / 0.01))


async def test_a_second_process_is_ignored_while_the_first_lives(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake(server) as (wall, host):
        host.about()
        host.beat()
        host.about("other")
        host.beat("other", seq=99)
        host.send("bye", encode(Bye("other")))
        host.beat(seq=2)
        await until(lambda: len(wall.beats) == 2)
        assert ([about.id for about in wall.abouts], [seq for seq, *_ in wall.beats]) == (["i"], [1, 2])
        assert "said_bye" not in wall.events
        monkeypatch.setattr(messages, "GONE_S", 0.0)
        monkeypatch.setattr(messages, "GONE_INTERVALS", 0)
        host.about()
        host.about("other")
        host.beat("other", seq=100)
        await until(lambda: wall.beats[-1][0] == 100)
    assert [about.id for about in wall.abouts] == ["i", "other"]


async def test_ticks_of_another_process_with_the_same_layout_are_not_those_of_the_host(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about(layout=1)
        host.beat(seq=1)
        host.tick(1)
        host.tick(1_000, at=1.5)
        host.tick(900, kind=3, at=1)
        host.tick(2)
        await until(lambda: len(wall.ticks) == 2)
        host.beat(seq=1_000)
        host.tick(1_001, at=3)
        await until(lambda: len(wall.ticks) == 3)
    assert ([tick.seq for tick in wall.ticks], wall.late) == ([1, 2, 1_001], [])


async def test_ticks_begin_anew_if_the_newest_was_of_another_process(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_check, "BEHIND_S", 0.0)
    async with fake(server) as (wall, host):
        host.about(layout=1)
        host.tick(1_000, at=1.5)
        await until(lambda: wall.ticks)
        host.tick(2)
        host.beat(seq=2)
        await until(lambda: wall.beats)
        host.tick(3)
        await until(lambda: len(wall.ticks) == 2)
    assert [tick.seq for tick in wall.ticks] == [1_000, 3]


async def taken(wall: Wall, send: Callable[[], None]) -> None:
    """Send a message of a host, and wait until it was taken: subjects overtake each other."""
    received = wall.connection.counts.received
    send()
    await until(lambda: wall.connection.counts.received > received)


async def test_another_process_that_wants_the_name_is_noted_while_both_are_there(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake(server) as (wall, host):
        claim = partial(host.claim, 5.0)
        sends: list[Callable[[], None]] = [claim, host.about, host.beat, claim, partial(host.claim, 9.0, "web-9")]
        for send in sends:
            await taken(wall, send)
        assert wall.rivals == []
        await taken(wall, host.beat)
        assert wall.rivals == ["web-9"]
        for since in (9.0, 10.0):
            await taken(wall, partial(host.beat, "other", since=since))
            await taken(wall, host.beat)
        assert wall.rivals[1:] == [""]
        monkeypatch.setattr(messages, "GONE_S", 0.0)
        monkeypatch.setattr(messages, "GONE_INTERVALS", 0)
        sends = [host.about, host.beat, partial(host.send, "claim", b"{}"), host.beat]
        for send in sends:
            await taken(wall, send)
    assert wall.rivals[2:] == [None]


async def test_a_process_that_takes_the_name_over_is_no_other(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        restarted = partial(host.beat, since=6.0)
        described = partial(host.about, started="later")
        sends: list[Callable[[], None]] = [host.about, host.beat, partial(host.claim, 6.0), restarted]
        sends += [described, restarted]
        for send in sends:
            await taken(wall, send)
        assert len(wall.beats) == 2
    assert wall.rivals == []


async def test_a_process_that_is_restarted_describes_its_series_again(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about(layout=1)
        host.beat()
        host.tick(1)
        await until(lambda: wall.ticks and wall.beats)
        asked = host.asked
        host.beat(since=6.0)
        await until(lambda: host.asked > asked)
        host.tick(1)
        host.about(layout=1, epoch="f")
        await until(lambda: len(wall.ticks) == 2)
    assert [(tick.epoch, tick.seq, tick.fresh) for tick in wall.ticks] == [("e", 1, False), ("f", 1, True)]


@pytest.mark.parametrize(
    ("id", "started", "why"),
    [
        ("i", "", "the host was restarted"),
        ("i", "later", "the host was restarted"),
        ("j", "", "another process has its name"),
    ],
)
async def test_calls_to_a_process_that_no_longer_has_the_name_are_over(
    id: str, started: str, why: str, server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake(server) as (wall, host), connected(server) as connection:
        # It is there, and does not answer.
        connection.subscribe(subject("web-1", "ask", ">"), lambda *_: None)
        assert await connection.flush(10)
        for send in (host.about, host.beat):
            await taken(wall, send)
        call = asyncio.ensure_future(fetch(wall.links[0], "GET", "/api/board", timeout_s=10))
        await until(lambda: len(wall.following.calls) == 1)
        await taken(wall, host.beat)
        assert len(wall.following.calls) == 1
        monkeypatch.setattr(messages, "GONE_S", 0.0)
        monkeypatch.setattr(messages, "GONE_INTERVALS", 0)
        await taken(wall, host.about)
        for again in (partial(host.about, id, started=started), partial(host.beat, id, since=6.0)):
            await taken(wall, again)
        answer = await call
    assert (answer.status, why in answer.body.decode()) == (502, True)


async def test_the_ticks_after_the_description_of_a_restarted_process_do_not_wait(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about(layout=1, started="2026-01-01T00:00:00.000Z")
        host.beat()
        host.tick(9)
        await until(lambda: wall.ticks and wall.beats)
        host.about(layout=1, epoch="f", started="2026-01-01T00:00:09.000Z")
        await until(lambda: len(wall.abouts) == 2)
        host.beat(since=6.0)
        host.tick(1)
        await until(lambda: len(wall.ticks) == 2 and len(wall.beats) == 2)
    assert [(tick.epoch, tick.seq, tick.fresh) for tick in wall.ticks] == [("e", 9, False), ("f", 1, True)]
    assert len(wall.abouts) == 2


async def test_what_cannot_be_understood_is_ignored_and_logged_once(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tickboard")
    async with fake(server) as (wall, host):
        for kind in ("about", "beat", "bye", "overview"):
            host.send(kind, b"nobody knows this host yet")
        host.about()
        await until(lambda: wall.abouts)
        host.series(1)
        for content in (
            b"",
            b"\x02",
            b"{",
            b"\xff\xfe",
            b"[" * 10_000,
            b"\x02\x00\x00\x00\x01\x00\x00\x00short",
            b"\x09new",
        ):
            for kind in ("about", "beat", "bye", "overview"):
                host.send(kind, content)
        host.about(name="web-2")
        host.tick(1)
        host.beat()
        await until(lambda: wall.ticks and wall.beats)
    assert [tick.seq for tick in wall.ticks] == [1]
    assert {about.name for about in wall.abouts} == {"web-1"}
    [logged] = [record for record in caplog.messages if record.startswith("host web-1")]
    assert "not logged again" in logged
    assert wall.connection.counts.lost == 0


async def test_further_hosts_than_there_is_room_for_are_ignored_until_there_is(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nats_link, "MAX_LINKS", 1)
    async with fake(server) as (wall, host), connected(server) as connection:
        host.about()
        await until(lambda: wall.abouts)
        for name in ("web-2", "web-3"):
            FakeHost(connection, name).about()
        host.about("j")
        assert await connection.flush(10)
        host.beat()
        await until(lambda: wall.beats)
        assert {about.name for about in wall.abouts} == {"web-1"}
        assert "has over 1 hosts" in wall.problems[nats_link.LIMIT].message
        wall.following.forget("web-1")
        assert not wall.problems
        wall.following.forget("web-1")
        FakeHost(connection, "web-2").about()
        await until(lambda: wall.abouts[-1].name == "web-2")


async def test_a_host_that_was_forgotten_and_comes_back_is_introduced_again(server: NatsServer) -> None:
    async with fake(server) as (wall, host):
        host.about(layout=1)
        host.beat()
        host.tick(1)
        await until(lambda: wall.ticks and wall.beats)
        wall.following.forget("web-1")
        assert wall.events == ["introduced", "ticked", "lost"]
        server.kill()
        await until(lambda: not wall.connection.connected)
        assert len(wall.events) == 3, "nobody knows the host any more"
        server.start()
        await until(lambda: wall.connection.connected and host.is_connected)
        asked = host.asked
        host.beat(seq=2)
        await until(lambda: host.asked > asked)
        host.about(layout=1)
        host.tick(2)
        host.beat(seq=2)
        await until(lambda: len(wall.ticks) == len(wall.beats) == 2)
        assert wall.events == ["introduced", "ticked", "lost", "introduced", "ticked"]


async def test_the_link_reaches_the_host(server: NatsServer) -> None:
    async with fake(server) as (wall, host), connected(server) as connection:
        task = asyncio.ensure_future(HostCalls(connection, "web-1", answers(b"here"), identify).run())
        host.about()
        await until(lambda: wall.links)
        assert await connection.flush(10)
        answer = await fetch(wall.links[0], "GET", "/api/board")
        assert (answer.status, answer.body) == (200, b"here")
        await ended([task])
        assert await connection.flush(10)
        answer = await fetch(wall.links[0], "GET", "/api/board")
        assert (answer.status, b"nobody is there" in answer.body) == (502, True)
