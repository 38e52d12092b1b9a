"""A handshake is refused under every server: with a status if the server supports it, otherwise by closing."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from tickboard import Board
from tickboard.server.requests.refusal import POLICY_VIOLATION


def handshake(extensions: dict[str, Any] | None) -> list[Message]:
    """Request a WebSocket path that does not exist, and return the messages that the board sends."""
    board = Board("Mounted", interval_ms=50)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def ask() -> None:
        scope = {"type": "websocket", "path": "/nothing", "query_string": b"\xff", "headers": [(b"host", b"localhost")]}
        async with board.lifespan():
            await board({**scope, "extensions": extensions}, receive, send)

    asyncio.run(ask())
    return sent


@pytest.mark.parametrize("extensions", [None, {}, {"tls": {}}])
def test_a_server_without_denial_responses_closes_the_handshake(extensions: dict[str, Any] | None) -> None:
    assert handshake(extensions) == [{"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""}]


def test_a_server_with_denial_responses_sends_the_reason() -> None:
    start, body = handshake({"websocket.http.response": {}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert body["body"] == b'{"error":"no WebSocket at /nothing: use ws/metrics"}'
