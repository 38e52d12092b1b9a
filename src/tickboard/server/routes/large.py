"""Large documents: made and compressed in turns, once for all clients that ask for the same, and bounded in memory.

Each is kept in pieces, which are sent one by one as the client reads them. It counts in `DOCUMENTS` from its beginning
until the last client has it, however many clients there are and however slowly they read.
"""

import asyncio
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Hashable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tickboard.errors import BusyError, PayloadError
from tickboard.loop.turns import Shared
from tickboard.server.requests.bodies import SHARE, Budget
from tickboard.server.requests.connection_limits import RETRY_AFTER_S, address_of
from tickboard.server.routes.documents import MINIMUM_BYTES, wants_gzip

PIECE_BYTES = 2**16
"""The size of a piece that is compressed in one step, in some 3 ms, and sent at once."""

VALUE_BYTES = 160
"""The memory that one series, or one value of the window, takes while a document is made."""

MAX_DOCUMENTS_BYTES = 2**28
"""The most bytes of all large documents in this process's memory; half of it for one address."""

DOCUMENTS = Budget(MAX_DOCUMENTS_BYTES)

LEVEL = 6
"""The compression level."""

Steps = Generator[None, None, list[bytes]]
"""Makes the pieces of a document, in steps."""


class Large:
    """One large document in its current version."""

    def __init__(self) -> None:
        self._shared = Shared[_Made]()

    async def answer(self, request: Request, key: Hashable, values: int, make: Callable[[], Steps]) -> Response:
        """Return the response to a request.

        Args:
            request: the request; its headers say whether the client accepts gzip.
            key: identifies the contents of the document.
            values: the most series or values that it has.
            make: starts making it.

        Raises:
            PayloadError: it would be too large even if nothing else were in memory.
            BusyError: there are too many large documents in memory.
        """
        if values > (most := MAX_DOCUMENTS_BYTES // SHARE // VALUE_BYTES):
            raise PayloadError(
                f"the document would have {values} values: ask for {most} at most, for example with count={most}"
            )
        gzip, address = wants_gzip(request.headers), address_of(request.scope)
        made = await self._shared.get((key, gzip), lambda: _made(address, values, make, gzip=gzip))
        headers = {"cache-control": "no-store"}
        if made.is_compressed:
            headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        if made.size <= PIECE_BYTES:
            return Response(b"".join(made.pieces), media_type="application/json", headers=headers)
        headers["content-length"] = str(made.size)
        return StreamingResponse(_sent(made), media_type="application/json", headers=headers)


def count_document(document: object, address: str, size: int, less: str) -> None:
    """Count a document towards the limits of `DOCUMENTS` until it is freed. Up to `PIECE_BYTES` are not counted.

    Args:
        document: the object that holds it in memory.
        address: the client that asked for it first.
        size: the bytes that it takes, approximately.
        less: an example of asking for less, for the message.

    Raises:
        BusyError: there are too many large documents in memory.
    """
    if size <= PIECE_BYTES:
        return
    if not DOCUMENTS.take(address, size):
        raise BusyError(
            f"documents of more than {MAX_DOCUMENTS_BYTES} bytes are being made and sent: "
            f"try again in a few seconds, or ask for less, for example with {less}",
            RETRY_AFTER_S,
        )
    weakref.finalize(document, DOCUMENTS.give_back, address, size)


class _Made:
    """A document in memory.

    Args:
        address: the client that asked for it first.
        bytes_: its approximate size in memory.

    Attributes:
        pieces: the pieces of its content.
        is_compressed: whether they are compressed with gzip.
    """

    def __init__(self, address: str, bytes_: int) -> None:
        self.pieces: list[bytes] = []
        self.is_compressed = False
        count_document(self, address, bytes_, "count=1000")

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(map(len, self.pieces))


def _made(address: str, values: int, make: Callable[[], Steps], *, gzip: bool) -> Generator[None, None, _Made]:
    made = _Made(address, values * VALUE_BYTES)
    made.pieces = yield from make()
    if gzip and made.size >= MINIMUM_BYTES:
        made.pieces = yield from _compressed(made.pieces)
        made.is_compressed = True
    return made


def _compressed(pieces: list[bytes]) -> Steps:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    found: list[bytes] = []
    for piece in _cut(pieces):
        found.append(compressor.compress(piece))
        yield
    return [*filter(None, found), compressor.flush()]


def _cut(pieces: list[bytes]) -> Generator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]


async def _sent(made: _Made) -> AsyncIterator[bytes]:
    for piece in _cut(made.pieces):
        yield piece
        await asyncio.sleep(0)
