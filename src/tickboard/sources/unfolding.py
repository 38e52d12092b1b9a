"""Decompresses bodies piece by piece: requests with samples, and responses to scrapes.

It takes bytes as they arrive and returns the decompressed bytes, up to a limit; it knows no connections. A gzip body
may have several concatenated members, which decompress to all their contents (RFC 1952, section 2.2). Trailing bytes
that are not a member make the body unusable, and the first of them suffices to know.
"""

import asyncio
import zlib
from collections.abc import AsyncIterable, Callable, Iterator

from tickboard.errors import PayloadError
from tickboard.loop.turns import in_turns

PIECE_BYTES = 4_096
"""How many bytes are passed to zlib at once, since it copies what follows the end of a member."""

TURN_BYTES = 2**20
"""How many bytes are decompressed in one step before others may run: about 3 ms. No part is larger."""

TURN_CHUNKS = 100
"""How many chunks of an uncompressed body are read before others may run: ten thousand chunks of one byte may arrive at
once, and the HTTP parser takes 5 ms for a hundred."""

PART_BYTES = 256
"""The cost of a part in addition to its bytes: a body may have a million empty parts."""

# zlib's window bits: for gzip's header and trailer; for gzip or zlib, detected.
_GZIP, _EITHER = 16 + zlib.MAX_WBITS, 32 + zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _EITHER}

CODINGS = frozenset({"identity", *_WINDOWS})
"""The supported content codings."""


async def unfold(
    chunks: AsyncIterable[bytes], coding: str, limit: int, grow: Callable[[int], object] = lambda _: None
) -> bytes:
    """Return a whole body. In each turn of the loop, one megabyte of all bodies in progress is decompressed.

    Args:
        chunks: the body's chunks as sent.
        coding: one of `CODINGS`.
        limit: the most bytes of the body, both compressed and decompressed.
        grow: called with the size of each part before it is kept; an exception ends the reading.

    Raises:
        PayloadError: the body is too large (413), or does not match its coding (400).
    """
    if coding not in _WINDOWS:
        return await _plain(chunks, limit, grow)
    unfolding = Unfolding(coding, limit)
    parts: list[bytes] = []
    async for chunk in chunks:
        await in_turns(_keep(unfolding.feed(chunk), parts, grow))
    unfolding.end()
    return b"".join(parts)


async def _plain(chunks: AsyncIterable[bytes], limit: int, grow: Callable[[int], object]) -> bytes:
    """Return a whole body that is not compressed."""
    parts: list[bytes] = []
    size = count = 0
    async for chunk in chunks:
        size += len(chunk)
        _require_size(size, limit)
        if chunk:
            grow(len(chunk))
            parts.append(chunk)
        count += 1
        if not count % TURN_CHUNKS:
            await asyncio.sleep(0)
    return b"".join(parts)


def _require_size(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadError(f"the body has more than {limit} bytes: send less at a time", 413)


def _keep(fed: Iterator[bytes], parts: list[bytes], grow: Callable[[int], object]) -> Iterator[None]:
    """Append the parts of a body to a list; yield where others may run."""
    cost = 0
    for part in fed:
        if part:
            grow(len(part))
            parts.append(part)
        cost += PART_BYTES + len(part)
        if cost >= TURN_BYTES:
            cost = 0
            yield


class Unfolding:
    """Decompresses one body: call `feed` with each chunk, then `end`.

    Args:
        coding: one of `CODINGS`, but not ``identity``.
        limit: the most bytes of the body, both compressed and decompressed.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self._coding = coding
        self._limit = limit
        self._sent = 0
        self._size = 0
        self._members = 0
        self._member = self._begin()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decompressed parts of a chunk; iterate over all of them before the next chunk.

        Raises:
            PayloadError: the body is too large (413), or does not match its coding (400).
        """
        self._sent += len(chunk)
        _require_size(self._sent, self._limit)
        for start in range(0, len(chunk), PIECE_BYTES):
            yield from self._unfold(chunk[start : start + PIECE_BYTES])

    def end(self) -> None:
        """Check that the body is complete.

        Raises:
            PayloadError: it is not (400).
        """
        if not self._member.eof:
            raise PayloadError(f"the body ends in the middle of its {self._coding} data: send all of it", 400)

    def _unfold(self, piece: bytes) -> Iterator[bytes]:
        # Output cut off by a full part comes with the next call, even without further input.
        full = False
        while piece or (full and not self._member.eof):
            if self._member.eof:
                if _WINDOWS[self._coding] != _GZIP:
                    raise self._not_ended()
                self._member = self._begin()
            try:
                # One byte more than fits suffices to know that it does not fit.
                part = self._member.decompress(piece, min(TURN_BYTES, self._limit - self._size + 1))
            except zlib.error as error:
                if self._members > 1:
                    raise self._not_ended() from error
                raise PayloadError(f"the body is not {self._coding}: {error}", 400) from error
            piece = self._member.unconsumed_tail or self._member.unused_data
            full = len(part) == TURN_BYTES
            self._size += len(part)
            _require_size(self._size, self._limit)
            yield part

    def _begin(self) -> "zlib._Decompress":
        self._members += 1
        return zlib.decompressobj(_WINDOWS[self._coding])

    def _not_ended(self) -> PayloadError:
        return PayloadError(f"the body continues after the end of its {self._coding} data: send nothing after it", 400)
