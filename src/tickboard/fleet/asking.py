"""Asking a host through its link: one request, and its answer as a whole or chunk by chunk.

An answer is limited in size and time, and one that is incomplete is an error.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from urllib.parse import urlencode

from msgspec import Struct
from starlette.types import Message, Scope

from tickboard.errors import RefusedError
from tickboard.fleet.caller import CALLER, WALL, Caller
from tickboard.fleet.link import Link
from tickboard.problems import described

TIMEOUT_S = 30.0
"""How many seconds an answer may take."""

MAX_ANSWER_BYTES = 2**26
"""The most bytes of an answer that are read, 64 MiB."""

NOTHING: Mapping[str, str] = MappingProxyType({})


class HostAnswer(Struct, frozen=True):
    """A host's answer.

    Attributes:
        status: the HTTP status.
        headers: by their names in lower case.
        body: the content.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Answering(Struct, frozen=True, eq=False):
    """A host's answer as it arrives: iterate over its chunks once, with ``async for``.

    The host waits while nobody takes the next chunk. Iterating raises `RefusedError` if the host is lost.

    Attributes:
        status: the HTTP status.
        headers: by their names in lower case.
        chunks: the content.
    """

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.chunks


async def fetch(
    link: Link,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    headers: Mapping[str, str] = NOTHING,
    *,
    caller: Caller = WALL,
    timeout_s: float = TIMEOUT_S,
    most_bytes: int = MAX_ANSWER_BYTES,
) -> HostAnswer:
    """Ask a host, and return its whole answer. If the host cannot be reached, its link answers, with 502, 503 or 504.

    Args:
        link: the host's.
        method: such as ``GET``.
        path: on the host, not encoded.
        query: names and values.
        body: sent with the request.
        headers: sent with the request; only those that say what is asked for reach the host.
        caller: who asks; by default the wall itself.
        timeout_s: how many seconds the whole answer may take.
        most_bytes: the most bytes of content.

    Raises:
        RefusedError: there is no whole answer.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with (
            asyncio.timeout(timeout_s),
            stream(link, path, query, headers, method=method, body=body, caller=caller) as answer,
        ):
            async for chunk in answer:
                chunks.append(chunk)
                if (size := size + len(chunk)) > most_bytes:
                    raise RefusedError(f"{link.address}: the answer to {path} is longer than {most_bytes} bytes")
    except TimeoutError:
        raise RefusedError(f"{link.address}: the answer to {path} takes over {timeout_s:g} s") from None
    return HostAnswer(answer.status, answer.headers, b"".join(chunks))


@asynccontextmanager
async def stream(
    link: Link,
    path: str,
    query: Iterable[tuple[str, str]] = (),
    headers: Mapping[str, str] = NOTHING,
    *,
    method: str = "GET",
    body: bytes = b"",
    caller: Caller = WALL,
) -> AsyncIterator[Answering]:
    """Ask a host, and return its answer as soon as it begins; leaving the context ends the request.

    The arguments are those of `fetch`. The caller sets time limits.

    Raises:
        RefusedError: there is no answer.
    """
    exchange = _Exchange(body)
    sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": b"",
        "root_path": "",
        "query_string": urlencode(list(query)).encode(),
        "headers": sent,
        "client": None,
        "server": None,
        CALLER: caller,
    }

    async def ask() -> None:
        try:
            await link.asgi(scope, exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001  # raised below, in the task of who asks
            exchange.error = error
        finally:
            exchange.ended()

    task = asyncio.create_task(ask())
    try:
        await exchange.begun.wait()
        if exchange.start is None:
            raise _incomplete(exchange, f"{link.address}: there is no answer to {path}")
        yield Answering(
            exchange.start["status"],
            {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.start.get("headers", ())},
            _chunks(exchange, f"{link.address}: the answer to {path} was cut off"),
        )
    finally:
        exchange.left.set()
        task.cancel()
        await asyncio.wait([task])


async def _chunks(exchange: "_Exchange", cut_off: str) -> AsyncIterator[bytes]:
    while (chunk := await exchange.next_chunk()) is not None:
        yield chunk
    if not exchange.complete:
        raise _incomplete(exchange, cut_off)


def _incomplete(exchange: "_Exchange", what: str) -> RefusedError:
    error = RefusedError(f"{what}{'' if exchange.error is None else f': {described(exchange.error)}'}")
    error.__cause__ = exchange.error
    return error


class _Exchange:
    """The two sides of one request in this process: ASGI's for the link, and chunks for who asks.

    Attributes:
        start: the beginning of the answer; None: there is none yet.
        begun: set when the answer has begun, or the link has given up.
        complete: whether the whole answer has come.
        left: set when nobody waits for the answer anymore.
        error: what the link raised.
    """

    def __init__(self, body: bytes) -> None:
        self.start: Message | None = None
        self.begun = asyncio.Event()
        self.complete = False
        self.left = asyncio.Event()
        self.error: Exception | None = None
        self._body: bytes | None = body
        # One chunk waits here at most, so that the host is as slow as who asks.
        self._chunk: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._over = False

    async def receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            self.begun.set()
            return
        if chunk := message.get("body", b""):
            await self._chunk.put(bytes(chunk))
        self.complete = self.complete or not message.get("more_body", False)

    async def next_chunk(self) -> bytes | None:
        """Return the next chunk; None: there is none."""
        if self._over and self._chunk.empty():
            return None
        return await self._chunk.get()

    def ended(self) -> None:
        """Note that the link has returned."""
        self._over = True
        self.begun.set()
        if self._chunk.empty():
            self._chunk.put_nowait(None)
