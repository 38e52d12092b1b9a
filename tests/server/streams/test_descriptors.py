"""The same bytes are written to many sockets, with one call each or one for all, and short writes are returned."""

import ctypes
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tickboard.hub.connections import WriteAll
from tickboard.server.streams import descriptors
from tickboard.server.streams.descriptors import FEW, write_all, write_each
from tickboard.server.streams.uring import Ring

WIRE = bytes(range(256)) * 4


def make_ring() -> Ring | None:
    try:
        return Ring(16)
    except OSError:
        return None


ring = make_ring()
needs_ring = pytest.mark.skipif(ring is None, reason="this system has no io_uring, or doesn't let us")


def by_ring(chosen: Any, wire: bytes) -> list[tuple[int, int]]:
    assert ring is not None
    return ring.write_all(chosen, wire)


@pytest.fixture(params=[write_each, write_all, pytest.param(by_ring, marks=needs_ring)])
def write(request: pytest.FixtureRequest) -> WriteAll:
    chosen: WriteAll = request.param
    return chosen


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        made = [socket.socketpair() for _ in range(FEW + 6)]
        for one in (end for pair in made for end in pair):
            stack.enter_context(one)
            one.setblocking(False)
        yield made


def received(end: socket.socket) -> bytes:
    data = b""
    try:
        while chunk := end.recv(1 << 20):
            data += chunk
    except BlockingIOError:
        pass
    return data


def test_every_socket_gets_all_bytes_in_order(
    write: WriteAll, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    ends = [near.fileno() for near, _ in pairs]
    for number in range(200):
        assert write(ends, b"%d," % number) == []
    wanted = b"".join(b"%d," % number for number in range(200))
    assert [received(far) for _, far in pairs] == [wanted] * len(pairs)


def test_negative_descriptors_are_skipped(write: WriteAll, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    assert write([-1, pairs[0][0].fileno(), -1, -1] * 3, b"x") == []
    assert received(pairs[0][1]) == b"xxx"
    assert write([-1] * 20, b"x") == []
    assert write([], b"x") == []


def test_short_writes_are_returned_with_the_bytes_written(
    write: WriteAll, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    ends = [near.fileno() for near, _ in pairs]
    pairs[40][1].close()
    full, wire = pairs[7][0], b"x" * 100_000
    filled = 0
    try:
        while True:
            filled += full.send(wire)
    except BlockingIOError:
        pass
    told = dict(write(ends, wire))
    assert told.pop(40) == -1
    written = told.pop(7, 0)
    assert written < len(wire)
    assert len(received(pairs[7][1])) == filled + written
    # The others took everything, or as much as they report.
    for index, (_, far) in enumerate(pairs):
        if index not in {7, 40}:
            assert len(received(far)) == told.get(index, len(wire))


def test_a_few_writes_do_not_use_the_ring(
    pairs: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "_rings", None)
    assert write_all([near.fileno() for near, _ in pairs[: FEW - 1]], b"x") == []
    assert received(pairs[0][1]) == b"x"


def test_without_a_ring_each_socket_is_written_separately(
    pairs: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Ring, size: int) -> None:
        ctypes.set_errno(errno.EPERM)
        raise OSError(errno.EPERM, "io_uring can't be set up")

    monkeypatch.setattr(Ring, "_set_up", refuse)
    monkeypatch.setattr(descriptors, "_rings", descriptors._Rings())
    assert write_all([near.fileno() for near, _ in pairs], b"x") == []
    assert received(pairs[-1][1]) == b"x"


@needs_ring
def test_a_failing_ring_reports_every_socket_and_is_not_used_again(
    pairs: list[tuple[socket.socket, socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Ring(16)

    def refuse(*arguments: object) -> int:
        ctypes.set_errno(errno.ENOSYS)
        return -1

    failing._call = refuse  # type: ignore[assignment]
    monkeypatch.setattr(descriptors._rings, "ring", failing)
    ends = [near.fileno() for near, _ in pairs]
    assert write_all(ends, b"x") == [(index, -1) for index in range(len(ends))]
    assert not failing.works
    assert write_all(ends, b"y") == []
    assert received(pairs[0][1]) == b"y"
