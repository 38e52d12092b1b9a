"""Holes are filled from the hosts' own histories, and a host that cannot be asked is asked again."""

import asyncio
import datetime as dt
from collections.abc import Callable
from urllib.parse import parse_qs

import numpy as np
import pytest
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send
from tests.fleet.following import CPU, CPU_SERIES, START, FakeHost, FakeLink, Wall

from tickboard.client.decoder import WatchedSeries
from tickboard.client.history_data import HistoryData, HistorySeries
from tickboard.client.history_format import decode
from tickboard.errors import LiveHostError
from tickboard.fleet import filling as module
from tickboard.fleet.clock import HostClock
from tickboard.fleet.filling import Filler
from tickboard.history.answers import Answer, Buckets, Tier
from tickboard.history.encodings import binary_pieces
from tickboard.times import parse_time

KEY = 'cpu_usage{host="web-1"}'


class HistoryLink(FakeLink):
    """A link to a host that keeps a history: the value of each second is its number since the start."""

    def __init__(self, address: str = "http://a:3000") -> None:
        super().__init__(address)
        self.asked: list[tuple[int, int]] = []
        self.metrics: list[list[str]] = []
        self.status = 200
        self.tier: Tier = "raw"
        self.body: bytes | None = None
        # How many series it has, and the second that it keeps ticks from.
        self.series = 1
        self.kept_from = 0
        # By how much its answers are of an earlier time than is asked for.
        self.early_s = 0
        self.interval_ms = 1000
        self.answers = asyncio.Event()
        self.answers.set()

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = parse_qs(scope["query_string"].decode())
        self.metrics.append(given["metrics"])
        asked = {name: values[0] for name, values in given.items()}
        assert (scope["path"], asked["format"]) == ("/api/history", "binary")
        start_ms, end_ms = (parse_time(name, asked[name], 0) for name in ("from", "to"))
        self.asked.append((start_ms - round(START * 1000), end_ms - round(START * 1000)))
        await self.answers.wait()
        body = self.body if self.body is not None else self._answer(start_ms, end_ms)
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, start_ms: int, end_ms: int) -> bytes:
        times = np.arange(-(-start_ms // self.interval_ms) * self.interval_ms, end_ms, self.interval_ms)
        values = times / 1000 - START
        ones = np.ones(len(values), np.int64)
        buckets = tuple(
            Buckets("cpu_usage", (("core", str(number)),) if number else (), "%", values, values, values, ones)
            for number in range(self.series)
        )
        tier: Tier = self.tier if start_ms >= (START + self.kept_from) * 1000 else "minutes"
        return b"".join(binary_pieces(Answer(start_ms, end_ms, 1000, tier, times - 1000 * self.early_s, buckets)))


class Filling:
    """A wall whose holes are filled, and one host that it has missed ticks of."""

    def __init__(self, window: int = 20, **about: object) -> None:
        self.wall = Wall(window)
        self.wall.intake.placement.late_s = 10_000.0
        self.link = HistoryLink()
        self.host = FakeHost(self.wall, link=self.link)
        described = replace(self.host.about(), **about)
        self.filler = Filler(self.wall.follower, 1000)
        self.wall.follower.on_change = lambda host: self.filler.wake()
        self.wall.follower.introduced(self.link, described)
        self.host.beat()
        self.hosts = [self.host]

    def second_host(self) -> FakeHost:
        """Add a host."""
        host = FakeHost(self.wall, "web-2", id="2", link=HistoryLink("http://b:3000"))
        self.hosts.append(host)
        host.introduce()
        return host

    def miss(self, ticks: int, *others: float) -> None:
        """Make ticks of the wall without those of its hosts, between two that they have.

        Args:
            ticks: how many.
            others: the values of series beside the first one.
        """
        for host in self.hosts:
            host.tick(self.wall.due + 1, 0, *others)
        for _ in range(ticks + 1):
            self.wall.tick()
            for host in self.hosts:
                host.beat()
        for host in self.hosts:
            host.tick(self.wall.due + 1, 99, *others)
        self.wall.tick()

    async def run(self, until: Callable[[], object]) -> None:
        running = asyncio.create_task(self.filler.run())
        try:
            async with asyncio.timeout(30):
                while not until():
                    await asyncio.sleep(0.001)
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def until_given_up(self) -> None:
        """Wait until no hole is left to fill."""
        await self.run(lambda: not len(self.host.host.holes))

    async def fill(self) -> None:
        """Fill all holes."""

        def is_filled() -> bool:
            self.filler.write()
            return not len(self.host.host.holes)

        await self.run(is_filled)
        self.wall.tick()

    @property
    def note(self) -> str:
        return self.wall.info("web-1").problem


async def test_a_hole_is_filled_from_the_hosts_history() -> None:
    bench = Filling()
    bench.miss(3)
    await bench.fill()
    assert bench.wall.values(KEY) == [None, 0, 3, 4, 5, 99, None]
    assert bench.link.asked == [(2001, 6000)]
    assert bench.wall.info("web-1").filling is None


async def test_the_range_that_is_filled_is_shown() -> None:
    bench = Filling()
    before = bench.wall.follower.listing.revision
    bench.miss(3)
    [info] = bench.wall.follower.listing.listed(before).hosts
    assert info.filling is not None
    assert parse_time("to", info.filling.end, 0) - parse_time("from", info.filling.start, 0) == 4000
    before = bench.wall.follower.listing.revision
    await bench.fill()
    [info] = bench.wall.follower.listing.listed(before).hosts
    assert info.filling is None


async def test_a_long_hole_is_filled_in_parts_and_the_newest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICKS", 4)
    bench = Filling(window=5)
    bench.miss(9)
    await bench.fill()
    assert bench.link.asked == [(8001, 12_000), (4002, 8001), (2001, 4002)]
    assert bench.wall.values(KEY) == [9, 10, 11, 99, None]
    assert bench.wall.follower.dropped == 0


async def test_a_host_without_history_keeps_its_gap_and_says_so() -> None:
    for about, status in ({"keeps_history": False}, 200), ({}, 404):
        bench = Filling(**about)
        bench.link.status = status
        bench.miss(2)
        await bench.until_given_up()
        assert "history: what the wall missed from 1970-01-12T13:46:42.000Z to 1970-01-12T13:46:45.000Z" in bench.note
        assert bench.wall.info("web-1").filling is None


async def test_a_host_without_an_overview_has_nothing_to_fill() -> None:
    bench = Filling(metrics=[])
    bench.miss(2)
    await bench.run(lambda: not len(bench.host.host.holes))
    assert (bench.link.asked, bench.note) == ([], "")


@pytest.mark.parametrize("tier", ["minutes", "hours"])
async def test_averages_are_no_ticks(tier: Tier) -> None:
    bench = Filling()
    bench.link.tier = tier
    bench.miss(2)
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [None, None]
    assert "no ticks of that time any more: what the wall missed from 1970-01-12T13:46:42.000Z to " in bench.note


async def test_of_a_hole_that_has_expired_in_part_the_rest_is_filled() -> None:
    bench = Filling()
    bench.link.kept_from = 6
    bench.miss(9)
    await bench.fill()
    # The tick at the edge of what is kept may be lost with it.
    values = bench.wall.values(KEY)
    assert (values[:5], values[6:]) == ([None, 0, None, None, None], [7, 8, 9, 10, 11, 99, None])
    assert "from 1970-01-12T13:46:42.000Z to 1970-01-12T13:46:46." in bench.note


async def test_what_stays_missing_is_noted_until_something_newer_is_filled() -> None:
    bench = Filling()
    bench.link.kept_from = 6
    bench.miss(9)
    await bench.fill()
    assert "stays missing" in bench.note
    bench.miss(2)
    await bench.fill()
    assert bench.note == ""


async def test_an_answer_that_is_too_large_is_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 4)
    monkeypatch.setattr("tickboard.fleet.follower.MAX_LATE", 9)
    bench = Filling()
    bench.link.series = 3
    bench.miss(5)
    await bench.fill()
    assert bench.wall.values(KEY) == [None, 0, 3, 4, 5, 6, 7, 99, None]
    assert bench.note == ""


async def test_a_host_has_no_more_series_than_a_wall_keeps_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.fleet.host_series.MAX_KEPT_SERIES", 3)
    bench = Filling()
    bench.link.series = 5
    bench.miss(2)
    await bench.fill()
    # And its `host_up`.
    keys = bench.wall.keys()
    assert len([key for key in keys if key.startswith("cpu_usage")]) == 2
    assert "it had 3 series lately, and no more are shown" in bench.note


async def test_series_that_a_wall_does_not_show_are_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.fleet.host_series.MAX_HOST_SERIES", 1)
    bench = Filling()
    bench.link.series = 3
    bench.host.series = (CPU_SERIES, *(WatchedSeries("cpu_usage", "%", {"core": core}) for core in "12"))
    bench.miss(2, 0, 0)
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [3, 4]
    assert bench.wall.keys() == ['host_up{host="web-1"}', KEY]
    assert bench.note == "it publishes 3 series, and 1 are shown: publish fewer metrics"


async def test_all_metrics_that_a_host_has_are_asked_for_in_questions_of_bounded_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tickboard.fleet.host.MAX_FORMER", 1)
    monkeypatch.setattr(module, "MOST_QUERY", 40)
    bench = Filling()
    for names in ("old", "older"), ("cpu_usage", "a", "b", "c"):
        metrics = [replace(CPU, name=name) for name in names]
        bench.wall.follower.introduced(bench.link, replace(bench.host.about(), metrics=metrics))
    bench.miss(2)
    await bench.fill()
    assert bench.link.metrics == [["older", "cpu_usage"], ["a", "b", "c"]]
    assert bench.wall.values(KEY)[2:4] == [3, 4]


async def test_a_tick_that_is_too_large_stays_missing_and_the_host_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 4)
    bench = Filling()
    bench.link.series = 5
    bench.miss(2)
    await bench.fill()
    assert "its history has too many series" in bench.note


async def test_a_host_is_asked_once_it_has_ticked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    bench = Filling()
    for _ in range(4):
        bench.wall.tick()
        bench.host.beat()
    host = bench.host.host
    host.holes.add(*(round(START + second) * 1000 for second in (1, 4)))
    assert not bench.filler._can_ask(host)
    bench.host.tick(bench.wall.due + 1, 99)
    await bench.fill()
    assert bench.wall.values(KEY)[1:3] == [2, 3]


async def test_a_forgotten_host_leaves_nothing_behind() -> None:
    bench = Filling()
    bench.wall.follower.on_forget = bench.filler.forget
    bench.link.status = 503
    bench.miss(2)
    await bench.run(lambda: bench.filler._again)
    bench.link.answers.clear()
    bench.filler._again["web-1"] = module._Again()
    running = asyncio.create_task(bench.filler.run())
    async with asyncio.timeout(30):
        while not bench.filler._asking:
            await asyncio.sleep(0.001)
    bench.wall.follower.said_bye(bench.link)
    bench.wall.follower.forget("web-1")
    await asyncio.sleep(0)
    assert (bench.filler._again, bench.filler._longest, bench.filler._asking) == ({}, {}, {})
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize(("status", "body"), [(503, b"{}"), (200, b"nonsense"), (200, b"TBH1")])
async def test_a_host_that_does_not_answer_is_asked_again(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    bench = Filling()
    bench.link.status, bench.link.body = status, body
    bench.miss(2)
    await bench.run(lambda: len(bench.link.asked) == 3)
    assert bench.wall.info("web-1").filling is not None
    await bench.run(lambda: "what the wall missed cannot be read from its history: " in bench.note)
    assert "what the wall missed of web-1 cannot be read from its history" in caplog.text
    bench.link.status, bench.link.body = 200, None
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [3, 4]
    assert bench.note == ""


async def test_a_mistake_of_our_own_is_logged_and_the_others_are_filled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    bench = Filling()
    bench.miss(2)
    monkeypatch.setattr(module, "decode", lambda body: 1 / 0)
    await bench.run(lambda: "filling a hole of web-1 failed" in caplog.text)
    monkeypatch.setattr(module, "decode", decode)
    await bench.fill()


async def test_an_answer_that_cannot_be_written_does_not_stop_the_other_hosts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    bench = Filling()
    other = bench.second_host()
    bench.miss(2)
    bench.link.body = b"nonsense"
    monkeypatch.setattr(module, "decode", lambda body: mismatched() if body == b"nonsense" else decode(body))

    def is_noted() -> bool:
        bench.filler.write()
        return not len(other.host.holes) and "cannot be read from its history" in bench.note

    await bench.run(is_noted)
    bench.wall.tick()
    assert bench.wall.values('cpu_usage{host="web-2"}')[2:4] == [3, 4]
    assert bench.wall.info("web-2").problem == ""
    assert "filling a hole of web-1 failed" in caplog.text
    bench.link.body = None
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [3, 4]
    assert bench.note == ""


def mismatched() -> HistoryData:
    """Return an answer that has fewer values than times."""
    times, values = ((np.array([3, 4]) + int(START)) * 1000).astype("datetime64[ms]"), np.zeros(1)
    series = HistorySeries("cpu_usage", "%", {}, times, values, values, values, np.zeros(1, np.int64))
    start, end = (dt.datetime.fromtimestamp(START + second, dt.UTC) for second in (2, 6))
    return HistoryData(start, end, 1.0, "raw", (series,))


@pytest.mark.parametrize("early_s", [100, -100])
async def test_an_answer_of_another_time_than_was_asked_for_is_none(
    early_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    bench = Filling()
    other = bench.second_host()
    bench.miss(2)
    bench.link.early_s = early_s

    def is_noted() -> bool:
        bench.filler.write()
        return not len(other.host.holes) and "ticks of another time than it was asked for" in bench.note

    await bench.run(is_noted)
    bench.link.early_s = 0
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [3, 4]


async def test_a_host_that_is_gone_is_not_asked_until_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    bench = Filling()
    bench.miss(2)
    for _ in range(5):
        bench.wall.tick()
    assert bench.host.host.state == "gone"
    looked = asyncio.create_task(bench.fill())
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert bench.link.asked == []
    bench.host.beat()
    await looked
    assert bench.wall.values(KEY)[2:4] == [3, 4]


async def test_an_answer_of_a_host_that_was_forgotten_makes_no_series() -> None:
    bench = Filling()
    bench.miss(2)
    await bench.run(lambda: bench.filler._filled)
    with pytest.raises(LiveHostError):
        bench.wall.follower.forget("web-1")
    bench.wall.follower.said_bye(bench.link)
    bench.wall.follower.forget("web-1")
    bench.filler.write()
    bench.wall.tick()
    assert bench.wall.keys() == []


async def test_what_the_wall_does_not_keep_is_not_asked_for() -> None:
    bench = Filling(window=5)
    bench.wall.intake.placement.late_s = 0.0
    bench.miss(9)
    await bench.fill()
    assert bench.link.asked == [(7001, 12_000)]


async def test_a_host_whose_board_has_another_interval_now_gives_no_ticks() -> None:
    bench = Filling()
    bench.host.host.interval_ms = 500
    bench.host.tick(bench.wall.due + 1, 0)
    for _ in range(3):
        bench.wall.tick()
        bench.host.beat()
    bench.host.tick(bench.wall.due + 1, 1)
    await bench.fill()
    assert bench.wall.values(KEY)[2:4] == [3, 4]


async def test_values_wait_for_room_in_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Filling()
    bench.miss(2)
    monkeypatch.setattr("tickboard.fleet.follower.MAX_LATE", 1)
    await bench.run(lambda: bench.filler._filled)
    bench.filler.write()
    assert len(bench.host.host.holes)
    monkeypatch.setattr("tickboard.fleet.follower.MAX_LATE", 100)
    await bench.fill()


async def test_an_answer_that_comes_before_the_walls_empty_ticks_waits_for_them() -> None:
    bench = Filling()
    bench.host.tick(bench.wall.due + 1, 0)
    bench.wall.tick()
    bench.wall.time += 4
    bench.host.tick(bench.wall.due + 5, 99)
    await bench.run(lambda: bench.filler._filled)
    bench.filler.write()
    assert len(bench.host.host.holes)
    for _ in range(4):
        bench.wall.due += 1
        bench.wall.engine.pad(bench.wall.due)
    await bench.fill()
    assert bench.wall.values(KEY) == [None, 0, 3, 4, 5, 6, 99]
    assert len(bench.link.asked) == 1


async def test_an_answer_that_comes_before_the_first_tick_of_a_run_waits_for_it() -> None:
    bench = Filling()
    bench.miss(2)
    # As in a window that begins with the ticks of an earlier run.
    bench.wall.intake.placement.now = -np.inf
    await bench.run(lambda: bench.filler._filled)
    bench.filler.write()
    assert len(bench.host.host.holes)
    bench.wall.tick()
    await bench.fill()
    assert bench.wall.values(KEY)[:5] == [None, 0, 3, 4, 99]


async def test_an_answer_far_ahead_of_the_wall_does_not_keep_a_host_from_being_asked() -> None:
    bench = Filling()
    bench.miss(2)
    await bench.run(lambda: bench.filler._filled)
    # Its clock has been set since.
    bench.host.host.clock = HostClock(1000, 3_600_000)
    bench.filler.write()
    assert not len(bench.host.host.holes)


async def test_the_newest_values_of_a_host_that_ticks_less_often_wait_until_they_no_longer_hold() -> None:
    bench = Filling(window=40, interval_ms=5000)
    bench.host.interval_ms = bench.link.interval_ms = 5000
    bench.wall.tick(4)
    bench.host.tick(START + 5, 5)
    # Beats alone say that there are later ticks.
    for second in range(6, 23):
        bench.wall.tick()
        bench.host.beat(bench.host.seq + 3 if second > 19 else 0)
    assert len(bench.host.host.holes)
    await bench.run(lambda: bench.filler._filled)
    while len(bench.host.host.holes):
        bench.wall.tick()
        bench.filler.write()
    assert bench.wall.due == START + 24
    assert bench.wall.values(KEY)[-10:] == [15, 15, 15, 15, 15, 20, 20, 20, 20, 20]
