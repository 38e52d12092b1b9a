"""What a wall does with the viewer's side of a connection that it passes on, whichever way the host is reached."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from tickboard.fleet.passing import answer_refusal

MAX_BODY_BYTES = 2**20
"""The longest body of a request that reaches a host; those that a board reads are much shorter."""

REQUEST_S = 10.0
"""How many seconds a viewer has to send the body of a request."""


async def body_of(scope: Scope, receive: Receive, send: Send) -> bytes | None:
    """Return the body of a request; None: it was refused here, or the viewer has gone."""
    body = bytearray()
    try:
        async with asyncio.timeout(REQUEST_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES or not message.get("more_body", False):
                    break
    except TimeoutError:
        await answer_refusal(scope, send, 408, "the body arrived too slowly: send it at once")
        return None
    if len(body) > MAX_BODY_BYTES:
        await answer_refusal(scope, send, 413, f"the body has more than {MAX_BODY_BYTES} bytes: send less")
        return None
    return bytes(body)


async def until_gone(receive: Receive) -> None:
    """Wait until the viewer has gone."""
    while (await receive())["type"] != "http.disconnect":
        # A middleware may repeat the request.
        await asyncio.sleep(0.1)


async def first_of(*calls: Callable[[], Awaitable[None]]) -> None:
    """Run both directions of a connection until one of them ends, and then neither.

    Raises:
        Exception: from the one that ended first.
    """
    tasks = [asyncio.ensure_future(call()) for call in calls]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


def why_useless(address: str, status: int) -> str:
    """Return why an answer is one to the wall, and not to its viewer; empty: it is for the viewer.

    Args:
        address: the host's, for people.
        status: the HTTP status of its answer.
    """
    if status == 401:
        return f"{address} does not accept the wall's token: give the wall a valid one"
    if 300 <= status < 400 and status != 304:
        return f"{address} redirects: give the wall the address that it redirects to"
    return ""
