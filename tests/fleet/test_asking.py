"""Asking a host through its link: whole answers, answers chunk by chunk, and every way in which there is none."""

import asyncio

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.fleet.walls import GUARD_S, Host, answers, echoes, streams

from tickboard.errors import RefusedError
from tickboard.fleet.asking import fetch, stream
from tickboard.fleet.caller import CALLER, Caller
from tickboard.fleet.link import CutOffError


class Near:
    """A link to an application in this process."""

    address = "http://web-1:3000"
    kind = "http"

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise CutOffError("web-1 was lost")


async def ends(scope: Scope, receive: Receive, send: Send) -> None: ...


async def half(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise CutOffError("web-1 was lost")


async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.Event().wait()


async def test_an_answer_is_returned_as_a_whole() -> None:
    host = Host(echoes)
    answer = await fetch(
        Near(host),
        "POST",
        "/api/alerts/x/ack",
        [("a", "b c"), ("a", "&")],
        b"body",
        {"Accept": "application/json"},
        caller=Caller("operator", "anna"),
    )
    assert (answer.status, answer.headers) == (200, {"content-type": "application/json"})
    assert answer.body == b'{"method": "POST", "path": "/api/alerts/x/ack", "query": "a=b+c&a=%26", "body": "body"}'
    assert host.headers == {"accept": "application/json"}
    assert host.scopes[0][CALLER] == Caller("operator", "anna")


async def test_an_error_of_the_host_is_an_answer() -> None:
    answer = await fetch(Near(answers(b"no", status=404)), "GET", "/api/board")
    assert (answer.status, answer.body) == (404, b"no")


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (fails, "http://web-1:3000: there is no answer to /api/board: CutOffError: web-1 was lost"),
        (ends, "http://web-1:3000: there is no answer to /api/board"),
        (half, "http://web-1:3000: the answer to /api/board was cut off: CutOffError: web-1 was lost"),
        (answers(b"12345"), "http://web-1:3000: the answer to /api/board is longer than 4 bytes"),
    ],
)
async def test_without_a_whole_answer_there_is_an_error(app: ASGIApp, why: str) -> None:
    with pytest.raises(RefusedError) as error:
        await fetch(Near(app), "GET", "/api/board", most_bytes=4)
    assert str(error.value) == why


@pytest.mark.parametrize("app", [hangs, streams(b"x")])
async def test_an_answer_that_takes_too_long_is_an_error(app: ASGIApp) -> None:
    host = Host(app)
    with pytest.raises(RefusedError, match=r"the answer to /api/board takes over 0\.05 s"):
        await fetch(Near(host), "GET", "/api/board", timeout_s=0.05)
    assert host.ended == 1


async def test_chunks_are_taken_one_by_one_and_leaving_ends_the_request() -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"%d" % sent, "more_body": True})
            sent += 1

    host = Host(app)
    async with asyncio.timeout(GUARD_S), stream(Near(host), "/events/alerts") as answer:
        assert answer.status == 200
        chunks = []
        async for chunk in answer:
            chunks.append(chunk)
            assert sent <= len(chunks) + 2, "the host does not run ahead"
            if len(chunks) == 5:
                break
        assert host.ended == 0
    assert chunks == [b"0", b"1", b"2", b"3", b"4"]
    assert host.ended == 1


async def test_a_host_hears_that_nobody_waits_anymore() -> None:
    heard = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            assert (await receive())["type"] == "http.disconnect"
        except asyncio.CancelledError:
            # It is cancelled as well, in case that it does not listen.
            assert (await receive())["type"] == "http.disconnect"
            heard.set()

    async with asyncio.timeout(GUARD_S):
        async with stream(Near(app), "/events/alerts"):
            pass
        await heard.wait()


async def test_a_stream_whose_host_is_lost_ends_with_an_error() -> None:
    async with stream(Near(half), "/events/alerts") as answer:
        with pytest.raises(RefusedError, match="cut off"):
            assert [chunk async for chunk in answer] == [b"half"]
