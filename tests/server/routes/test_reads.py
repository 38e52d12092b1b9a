"""Answers in pieces whose ``send`` fails."""

import asyncio
import errno

import pytest
from starlette.requests import Request
from starlette.types import Message, Scope

from tickboard.server.routes.reads import WHOLE_BYTES, encoded

SCOPE: Scope = {"type": "http", "method": "GET", "headers": []}


def answer_with_failing_content(error: OSError) -> None:
    """Send an answer in pieces through a ``send`` that raises an error once there is content."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("nothing sets it")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise error

    async def answer() -> None:
        pieces = iter([b"x" * WHOLE_BYTES] * 3)
        response = await encoded(Request(SCOPE, receive), pieces, "text/plain", "accept")
        await response(SCOPE, receive, send)

    asyncio.run(answer())


def test_a_failure_while_an_answer_is_sent_is_raised() -> None:
    with pytest.raises(OSError, match="No space left"):
        answer_with_failing_content(OSError(errno.ENOSPC, "No space left on device"))


@pytest.mark.parametrize("error", [ConnectionResetError(), OSError()], ids=["reset", "without a number"])
def test_a_client_that_disconnects_while_an_answer_is_sent_is_no_failure(error: OSError) -> None:
    answer_with_failing_content(error)
