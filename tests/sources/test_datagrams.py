"""Datagrams over real sockets: packets reach the receiver, and an unusable port or path raises a clear error."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from datadog.dogstatsd.base import DogStatsd
from statsd import StatsClient  # type: ignore[import-untyped]

from tickboard.errors import InputError
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources import datagrams
from tickboard.sources.datagrams import DatagramDecoder, DatagramListener
from tickboard.sources.statsd import StatsD

WAIT_S = 10.0


class Collector:
    """A receiver that keeps its packets and lets a test wait for them."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.flushes = 0
        self.complaints: list[str] = []
        self.steps = 0
        self._came = asyncio.Event()

    def receive(self, data: bytes) -> Iterator[None]:
        self.calls.append(data)
        self._came.set()
        yield from [None] * self.steps

    def flush(self) -> None:
        self.flushes += 1

    def take_complaint(self) -> str:
        return self.complaints.pop() if self.complaints else ""

    @property
    def packets(self) -> list[bytes]:
        return b"\n".join(self.calls).split(b"\n")

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def listening(
    receiver: DatagramDecoder, path: Path | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[DatagramListener]:
    listener = DatagramListener(receiver, host=host, port=0, path=path)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close()


def sender(listener: DatagramListener) -> socket.socket:
    if "/" in listener.address:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        client.connect(listener.address)
    else:
        client = socket.socket(socket.AF_INET6 if "[" in listener.address else socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((listener.address.rpartition(":")[0].strip("[]"), listener.port))
    return client


@pytest.mark.parametrize("unix", [False, True])
async def test_packets_arrive_whole_and_in_order_in_batches(tmp_path: Path, unix: bool) -> None:
    collector = Collector()
    async with listening(collector, tmp_path / "socket" if unix else None) as listener:
        with sender(listener) as client:
            # Filling a Unix socket's queue would make send() wait for the loop, which runs in this thread.
            for first in range(0, 100, 5):
                for number in range(first, first + 5):
                    client.send(b"%d:" % number + b"x" * (number * 10))
                await collector.until(lambda wanted=first + 5: len(collector.packets) == wanted)  # type: ignore[misc]
    assert collector.packets == [b"%d:" % number + b"x" * (number * 10) for number in range(100)]
    assert len(collector.calls) < 100


async def test_the_longest_packet_and_an_empty_one_are_received() -> None:
    collector = Collector()
    async with listening(collector) as listener:
        with sender(listener) as client:
            client.send(b"x" * 65_507)
            client.send(b"")
            client.send(b"y")
            await collector.until(lambda: collector.packets[-1:] == [b"y"])
    assert collector.packets == [b"x" * 65_507, b"", b"y"]


async def test_one_turn_of_the_loop_reads_a_bounded_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagrams, "TURN_BYTES", 100)
    monkeypatch.setattr(datagrams, "TURN_PACKETS", 10)
    collector = Collector()
    async with listening(collector) as listener:
        with sender(listener) as client:
            for size in [30] * 20 + [1] * 50:
                client.send(b"x" * size)
            await collector.until(lambda: len(collector.packets) == 70)
    assert [len(call.split(b"\n")) for call in collector.calls] == [4] * 5 + [10] * 5


async def test_closing_reads_pending_packets_and_closing_twice_is_harmless() -> None:
    collector = Collector()
    async with listening(collector) as listener:
        with sender(listener) as client:
            client.send(b"last")
        assert not collector.calls
        await listener.close()
        assert collector.packets == [b"last"]
        assert not listener.address


async def test_a_listener_on_ipv6_receives_packets() -> None:
    collector = Collector()
    async with listening(collector, host="::1") as listener:
        assert listener.address == f"[::1]:{listener.port}"
        with sender(listener) as client:
            client.send(b"hello")
            await collector.until(lambda: bool(collector.calls))


async def test_each_sample_flushes_the_receiver_and_a_complaint_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    collector = Collector()
    collector.complaints = ["another", "'x' is no line"]
    with caplog.at_level(logging.WARNING):
        async with listening(collector) as listener:
            for _ in range(3):
                await listener.sample()
            said = f"{listener.address}: 'x' is no line"
    assert collector.flushes == 3
    assert caplog.messages == [said]


async def test_a_complaint_is_cleared_after_a_minute_without_one() -> None:
    told: list[str | None] = []
    collector, times = Collector(), iter([0.0, 1.0, 60.0, 61.0, 62.0, 63.0])
    listener = DatagramListener(collector, port=0, report=told.append, clock=lambda: next(times))
    for complaint in ("one", "other", "", "", "", "new"):
        collector.complaints = [complaint] if complaint else []
        await listener.sample()
    assert told == ["one", None, "new"]


# --- unusable addresses ---


async def refused(**where: object) -> str:
    listener = DatagramListener(Collector(), **where)  # type: ignore[arg-type]
    with pytest.raises(InputError) as caught:
        await listener.start()
    await listener.close()
    return str(caught.value)


async def test_the_error_for_a_taken_port_says_how_to_fix_it() -> None:
    collector = Collector()
    async with listening(collector) as first:
        said = await refused(port=first.port)
        where = f"cannot listen on UDP 127.0.0.1:{first.port}"
        assert said == f"{where}: another program listens there; stop it, or give another port"
        with sender(first) as client:
            client.send(b"still mine")
            await collector.until(lambda: bool(collector.calls))


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"host": "192.0.2.1", "port": 0}, "192.0.2.1:0: this machine does not have that address"),
        ({"host": "no such host", "port": 0}, "no such host:0"),
        ({"host": "a" * 70, "port": 0}, "give an address of this machine"),
        ({"port": 70_000}, "127.0.0.1:70000"),
        ({"port": -1}, "127.0.0.1:-1"),
        ({"path": "/no/such/folder/socket"}, "/no/such/folder/socket: No such file or directory"),
        ({"path": "/tmp/" + "x" * 200}, "path too long"),
        ({"path": ""}, "give a path in a writable folder"),
        ({"path": "a\0b"}, "give a path in a writable folder"),
    ],
)
async def test_an_invalid_address_or_path_raises_a_clear_error(where: dict[str, object], said: str) -> None:
    assert said in await refused(**where)


async def test_an_abandoned_unix_socket_is_replaced_and_one_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    collector = Collector()
    async with listening(collector, path) as listener:
        with sender(listener) as client:
            client.send(b"alive")
            await collector.until(lambda: bool(collector.calls))
        said = await refused(path=path)
        assert said == f"cannot listen on {path}: another program listens there; stop it, or give another path"
        assert path.is_socket()
    assert not path.exists()


async def test_a_file_that_is_not_a_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    assert "it exists and is not a socket" in await refused(path=path)
    assert path.read_text() == "data"


async def test_closing_does_not_delete_a_file_of_another(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with listening(Collector(), path):
        os.rename(path, tmp_path / "moved")  # noqa: PTH104
        path.write_text("another's")
    assert path.read_text() == "another's"


# --- real clients ---


class Board:
    """StatsD behind a socket, and its series."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.source = Intake(self.registry).source("statsd")
        self.statsd = StatsD(self.source)

    async def until(self, samples: int) -> dict[str, float]:
        async with asyncio.timeout(WAIT_S):
            while self.source.samples < samples:
                await asyncio.sleep(0.001)
        self.statsd.flush()
        row = self.registry.collect(1.0)
        return {series.key: float(row[series.column]) for series in self.registry.series}


async def test_the_statsd_package_works() -> None:
    board = Board()
    async with listening(board.statsd) as listener:
        client = StatsClient("127.0.0.1", listener.port, prefix="shop")
        with client.pipeline() as pipe:
            pipe.incr("orders", 3)
            pipe.incr("orders", 2)
            pipe.gauge("queue", 12)
            pipe.gauge("queue", -2, delta=True)
            pipe.gauge("level", -7)
            pipe.timing("db.query", 320)
            pipe.set("users", "ann")
            pipe.set("users", "bob")
        client.incr("orders")
        # The client sends a negative gauge as 0 followed by a relative change.
        seen = await board.until(3 + 2 + 2 + 1)
        client.close()
    assert (seen["shop.orders"], seen["shop.queue"], seen["shop.level"], seen["shop.users"]) == (6, 10, -7, 2)
    assert seen["shop.db.query"] == 320
    assert board.source.malformed == 0


@pytest.mark.parametrize("unix", [False, True])
async def test_the_datadog_package_works(tmp_path: Path, unix: bool) -> None:
    board = Board()
    async with listening(board.statsd, tmp_path / "socket" if unix else None) as listener:
        client = DogStatsd(
            host=None if unix else "127.0.0.1",
            port=listener.port,
            socket_path=listener.address if unix else None,
            disable_telemetry=True,
            disable_buffering=False,
            constant_tags=["env:test"],
            container_id="ci-4f1",
        )
        for value in (5, 6):
            client.gauge("queue", value, tags=["worker:a"])
        client.increment("orders", 4, tags=["paid"])
        client.increment("orders", tags=["paid"])
        for value in (10, 20, 30):
            client.distribution("latency", value)
        client.histogram("size", 7)
        client.timing("took", 8)
        client.set("users", "ann")
        client.gauge_with_timestamp("cold", 3, 1_700_000_000)
        client.event("Deployed", "version 2", tags=["a:b"])
        client.service_check("db", DogStatsd.OK)
        client.flush_buffered_metrics()
        seen = await board.until(2 + 2 + 3 + 1 + 1 + 1)
        client.stop()
    assert seen['queue{env="test",worker="a"}'] == 6
    assert seen['orders{env="test",paid="true"}'] == 5
    assert (seen['latency{env="test"}'], seen['latency.p50{env="test"}']) == (20, 20)
    assert (seen['size{env="test"}'], seen['took{env="test"}']) == (7, 8)
    assert (seen['users{env="test"}'], seen['cold{env="test"}']) == (1, 3)
    assert board.source.malformed == 0


async def test_no_packets_are_read_before_the_previous_ones_are_processed() -> None:
    collector = Collector()
    collector.steps = 1_000
    async with listening(collector) as listener:
        to = sender(listener)
        to.send(b"first")
        await collector.until(lambda: len(collector.calls) == 1)
        to.send(b"second")
        for _ in range(500):
            await asyncio.sleep(0)
        assert collector.packets == [b"first"]
        await collector.until(lambda: len(collector.calls) == 2)
        assert collector.packets == [b"first", b"second"]
        to.send(b"third")
        await collector.until(lambda: len(collector.calls) == 3)
        to.close()


async def test_closing_finishes_packets_in_progress() -> None:
    done: list[bytes] = []

    class Slow(Collector):
        def receive(self, data: bytes) -> Iterator[None]:
            yield from super().receive(data)
            done.append(data)

    slow = Slow()
    slow.steps = 1_000_000
    async with listening(slow) as listener:
        to = sender(listener)
        to.send(b"first")
        await slow.until(lambda: len(slow.calls) == 1)
        slow.steps = 0
        to.send(b"second")
    to.close()
    assert done == [b"first", b"second"]
