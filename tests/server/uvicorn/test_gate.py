"""The gate alone: which connection is closed for a new one, and how connections count by address."""

import asyncio

import pytest

from tickboard.hub.traffic import Traffic
from tickboard.server.uvicorn.gate import Gate, Group, Refusal


class Connection:
    """A connection that only records whether it was closed."""

    def __init__(self, gate: Gate) -> None:
        self.group: Group | None = None
        self.gone = False
        self._gate = gate

    def look(self, now: float) -> None: ...

    def give_way(self) -> None:
        self.gone = True
        self._gate.release(self)


def test_ended_connections_and_then_the_longest_waiting_make_room() -> None:
    traffic = Traffic()
    gate = Gate(traffic=lambda: traffic)
    body, silent, answering, later, ended = (Connection(gate) for _ in range(5))
    gate.move(body, gate.waiting)
    gate.move(silent, gate.waiting)
    gate.move(answering, gate.waiting)
    gate.move(answering, None)
    gate.move(later, gate.receiving)
    gate.move(body, gate.receiving)
    gate.move(ended, gate.ended)
    for victim in (ended, silent, later, body):
        assert gate.make_room()
        assert victim.gone
    assert not gate.make_room()
    assert not answering.gone
    assert traffic.requests_refused["crowded"] == 3


class BrokenError(Exception):
    """An exception that nobody expects."""


class Broken(Connection):
    """A connection that fails when it is checked and when it is closed."""

    def look(self, now: float) -> None:
        raise BrokenError

    def give_way(self) -> None:
        super().give_way()
        raise BrokenError


class Looking(Connection):
    """A connection that counts how often it is checked."""

    looks = 0

    def look(self, now: float) -> None:
        self.looks += 1


async def test_a_connection_that_fails_is_closed_and_the_others_are_checked(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    broken, looking = [Broken(gate) for _ in range(3)], [Looking(gate) for _ in range(3)]
    for one in (*broken, *looking, *(more := [Broken(gate)])):
        gate.enter(one, None)
    for _ in range(2):
        gate.look(0.0)
    assert [one.gone for one in (*broken, *more)] == [True] * 4
    assert [(one.gone, one.looks) for one in looking] == [(False, 2)] * 3
    assert caplog.text.count("a connection failed and is cut") == 4


def test_connections_are_limited_per_address_except_on_loopback() -> None:
    async def scenario() -> None:
        gate = Gate(per_address=2)
        for _ in range(5):
            for here in ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"):
                assert gate.enter(Connection(gate), (here, 1)) == ""
            assert gate.enter(Connection(gate), None) == ""
        assert gate.enter(Connection(gate), ("192.0.2.1", 1)) == "192.0.2.1"
        assert gate.enter(Connection(gate), ("::ffff:192.0.2.1", 1)) == "192.0.2.1"
        with pytest.raises(Refusal, match="all 2 connections that 192") as refused:
            gate.enter(Connection(gate), ("192.0.2.1", 2))
        assert (refused.value.status, refused.value.reason) == (503, "address")
        for last in range(2):
            assert gate.enter(Connection(gate), (f"2001:db8:1:2::{last}", 1)) == "2001:db8:1:2::/64"
        with pytest.raises(Refusal):
            gate.enter(Connection(gate), ("2001:db8:1:2:ffff::", 1))
        gate.leave("192.0.2.1")
        assert gate.enter(Connection(gate), ("192.0.2.1", 3))
        gate.leave("")
        for address in ("192.0.2.1", "192.0.2.1", "2001:db8:1:2::/64", "2001:db8:1:2::/64"):
            gate.leave(address)
        assert not gate._addresses

    asyncio.run(scenario())
