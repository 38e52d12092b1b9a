"""The chunks of a body: one deadline for all of them, and cancellation of the request by others."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Scope

from tickboard.errors import PayloadError
from tickboard.hub.traffic import Traffic
from tickboard.server.requests import bodies
from tickboard.server.requests.bodies import BUDGET, LEASE, Lease, chunks
from tickboard.server.requests.client_clock import CLOCK, ClientClock

LIMIT = 1_000
LONG_S = 60.0


class Sending:
    """A client that sends these messages, each after a number of seconds."""

    def __init__(self, *messages: tuple[float, Message]) -> None:
        self.traffic = Traffic()
        self.clock = ClientClock()
        self._messages = list(messages)
        scope: Scope = {"type": "http", "headers": [], LEASE: Lease(BUDGET, "a", self.traffic), CLOCK: self.clock}
        self.body = chunks(Request(scope, self._receive), LIMIT)

    async def _receive(self) -> Message:
        seconds, message = self._messages.pop(0)
        await asyncio.sleep(seconds)
        return message


def part(content: bytes, *, more: bool = True) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


@pytest.fixture(autouse=True)
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "GRACE_S", 0.2)
    monkeypatch.setattr(bodies, "LEAST_LEFT_S", 0.01)


async def read_all(body: AsyncIterator[bytes]) -> bytes:
    found = b""
    async for chunk in body:
        found += chunk
    return found


async def test_a_body_that_arrives_at_once_is_read_whole() -> None:
    sending = Sending((0, part(b"a")), (0, part(b"")), (0, part(b"b", more=False)))
    assert await read_all(sending.body) == b"ab"


async def test_all_chunks_share_one_deadline() -> None:
    sending = Sending(*((0.07, part(b"a")) for _ in range(100)))
    with pytest.raises(PayloadError, match="too slowly") as raised:
        await read_all(sending.body)
    assert raised.value.status == 408
    assert sending.traffic.requests_refused["slow"] == 1


async def test_time_the_server_spends_between_two_chunks_does_not_count() -> None:
    sending = Sending((0, part(b"a")), (0, part(b"b", more=False)))
    found = [await anext(sending.body)]
    await asyncio.sleep(1.5 * bodies.GRACE_S)
    found += [chunk async for chunk in sending.body]
    assert found == [b"a", b"b"]


async def test_time_while_the_clients_clock_is_stopped_does_not_count() -> None:
    sending = Sending(*((0.07, part(b"a")) for _ in range(10)), (LONG_S, part(b"b")))
    sending.clock.stop()
    found = [await anext(sending.body) for _ in range(10)]
    assert found == [b"a"] * 10
    sending.clock.resume()
    with pytest.raises(PayloadError, match="too slowly"):
        await anext(sending.body)


async def test_cancelling_the_request_is_not_mistaken_for_the_deadline() -> None:
    task = asyncio.create_task(read_all(Sending((LONG_S, part(b"a"))).body))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_error_of_the_server_is_not_mistaken_for_the_deadline() -> None:
    async def receive() -> Message:
        raise TimeoutError("of its own")

    scope: Scope = {"type": "http", "headers": [], LEASE: Lease(BUDGET, "a", Traffic())}
    with pytest.raises(TimeoutError, match="of its own"):
        await read_all(chunks(Request(scope, receive), LIMIT))


async def test_a_client_that_disconnects_ends_the_body() -> None:
    with pytest.raises(ClientDisconnect):
        await read_all(Sending((0, part(b"a")), (0, {"type": "http.disconnect"})).body)
