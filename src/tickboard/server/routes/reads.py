"""Reads from disk for requests: a limited number at a time, with answers that are encoded while they are sent.

If the client disconnects, reading and encoding stop.
"""

import asyncio
import zlib
from collections.abc import Coroutine, Generator, Iterator
from itertools import chain, islice
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tickboard.errors import BusyError, HistoryError, JournalError
from tickboard.loop.turns import in_turns, made_in_turns
from tickboard.server.requests.bodies import SHARE, Budget
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.detail_access import sees_details
from tickboard.server.routes.documents import MINIMUM_BYTES, qualities
from tickboard.server.streams.asgi import is_disconnect

MAX_READS = 16
"""The most questions that this process handles at a time; half of them from one address."""

READS = Budget(MAX_READS)

RETRY_AFTER_S = 1
"""When to ask again: most reads take some milliseconds."""

QUICK_S = 0.05
"""Whether the client has disconnected is watched only after this: it costs more than most reads."""

WHOLE_BYTES = 2**16
"""A smaller content is encoded whole before it is sent."""

LEVEL = 1
"""The level of compression: the client is waiting, and nobody else gets the same answer."""

_TURNS: WeakValueDictionary[tuple[str, int], asyncio.Lock] = WeakValueDictionary()
"""By address and event loop; each exists as long as a question from its address."""

T = TypeVar("T")


async def bounded(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the answer to a question. If the client disconnects, the work is cancelled.

    Args:
        request: the request.
        work: reads the answer.

    Raises:
        BusyError: too many questions are being read.
        HistoryError: the file cannot be read. Its path is shown only to clients that may see details.
        JournalError: likewise.
        ClientDisconnect: the client has disconnected.
    """
    address = address_of(request.scope)
    if not READS.take(address, 1):
        work.close()
        raise BusyError(
            f"{MAX_READS // SHARE} questions from one address, or {MAX_READS} in total, are waiting: ask again later",
            RETRY_AFTER_S,
        )
    try:
        return await _unless_gone(request, _in_turn(address, work))
    except HistoryError as error:
        if sees_details(request.scope):
            raise
        raise HistoryError("the history cannot be read: the board's problems and its log say why") from error
    except JournalError as error:
        if sees_details(request.scope):
            raise
        raise JournalError("older alerts cannot be read: the board's problems and its log say why") from error
    finally:
        work.close()  # its turn may not have come
        READS.give_back(address, 1)


async def encoded(request: Request, pieces: Iterator[bytes], media_type: str, vary: str) -> Response:
    """Return a response whose content is encoded in pieces, compressed if the client accepts that.

    A small content is sent whole. A larger one is encoded as fast as the client reads it.

    Args:
        request: the request.
        pieces: the pieces of the content; each takes about a millisecond to make.
        media_type: the media type of the content.
        vary: the request headers that the answer depends on.
    """
    headers = {"cache-control": "no-store", "vary": vary}
    content: list[bytes] = []
    await in_turns(_begin(pieces, content))
    size = len(content[0])
    gzip, identity = qualities(request.headers.getlist("accept-encoding"))
    compressed = gzip > 0 and gzip >= identity and (size >= MINIMUM_BYTES or len(content) > 1 or not identity)
    if compressed:
        headers["content-encoding"] = "gzip"
    if len(content) == 1 and size < WHOLE_BYTES:
        body = b"".join(_compressed(iter(content))) if compressed else content[0]
        return Response(body, media_type=media_type, headers=headers)
    pieces = chain(content, pieces) if request.method == "GET" else iter(())
    return _InPieces(request, _compressed(pieces) if compressed else pieces, media_type, headers)


class _InPieces(Response):
    """A response that encodes one piece in each turn of the loop, once the client has read the one before.

    It takes a tenth of the time of Starlette's own stream, which needs a task for the client's disconnection.

    Args:
        request: the request.
        pieces: the pieces of the content.
        media_type: the media type of the content.
        headers: the headers of the response.
    """

    def __init__(self, request: Request, pieces: Iterator[bytes], media_type: str, headers: dict[str, str]) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self._request = request
        self._pieces = pieces
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, or as much of it as the client wants."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await _unless_gone(self._request, self._send(send))
        except ClientDisconnect:
            return
        except OSError as error:
            # Anything else, such as a middleware's full disk, must not truncate the answer in silence.
            if not is_disconnect(error):
                raise

    async def _send(self, send: Send) -> None:
        # The last piece is sent with the end of the content.
        last = b""
        while (piece := await made_in_turns(_next(self._pieces))) is not None:
            if last and piece:
                await send({"type": "http.response.body", "body": last, "more_body": True})
            last = piece or last
        await send({"type": "http.response.body", "body": last, "more_body": False})


def _begin(pieces: Iterator[bytes], content: list[bytes]) -> Iterator[None]:
    """Make the first piece, and the second if there is one, unless the first is large."""
    content.append(next(pieces, b""))
    if len(content[0]) < WHOLE_BYTES:
        content.extend(islice(pieces, 1))
    yield from ()


async def _in_turn(address: str, work: Coroutine[Any, Any, T]) -> T:
    """Await work once no other question from the address is being answered.

    Each address has one question at a time, so a question never waits for more than one of each other address.
    """
    place = address, id(asyncio.get_running_loop())
    turn = _TURNS.get(place)
    if turn is None:
        turn = _TURNS[place] = asyncio.Lock()
    async with turn:
        return await work


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Await work, but cancel it if the client disconnects. Work that is over within `QUICK_S` is not watched.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    loop = asyncio.get_running_loop()
    leaving: asyncio.Task[None] | None = None
    until_gone = asyncio.timeout(None)

    def watch() -> None:
        nonlocal leaving
        leaving = loop.create_task(_gone(request))
        leaving.add_done_callback(lambda task: None if task.cancelled() else until_gone.reschedule(0))

    timer = loop.call_later(QUICK_S, watch)
    try:
        async with until_gone:
            try:
                return await work
            finally:
                timer.cancel()
                if leaving is not None:
                    leaving.cancel()
                    await asyncio.wait((leaving,))
    except TimeoutError as error:
        if leaving is None or not until_gone.expired():
            raise
        leaving.result()  # raises if it failed for another reason
        raise ClientDisconnect from error


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


def _next(pieces: Iterator[bytes]) -> Generator[None, None, bytes | None]:
    yield from ()
    return next(pieces, None)
