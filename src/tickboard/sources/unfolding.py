"""Compressed bodies, unfolded piece by piece: of requests that bring samples, and of answers to scrapes.

It takes bytes as they come and gives what they unfold to, never more than a bound, and knows no connection. A body in
gzip may have several members, one behind the other, which unfold to all their contents (RFC 1952, section 2.2). Bytes
behind the end that are no member make the body unusable, and the first of them is enough to know.
"""

import asyncio
import zlib
from collections.abc import AsyncIterable, Callable, Iterator

from tickboard.errors import PayloadError
from tickboard.loop.turns import in_turns

PIECE_BYTES = 4_096
"""What is given to zlib at once: it copies what is behind the end of a member."""

TURN_BYTES = 2**20
"""So much is unfolded before others have their turn: about 3 ms. No part is larger."""

TURN_CHUNKS = 100
"""So many chunks of a plain body are taken before others have their turn: ten thousand of one byte may have come at
once, and what reads HTTP takes 5 ms for a hundred."""

PART_BYTES = 256
"""What a part costs beside its bytes: a body may have a million of nothing."""

# zlib's windows: gzip's header and trailer; either of gzip's and zlib's.
_GZIP, _EITHER = 16 + zlib.MAX_WBITS, 32 + zlib.MAX_WBITS
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _EITHER}

CODINGS = frozenset({"identity", *_WINDOWS})
"""The content codings that there are."""


async def unfold(
    chunks: AsyncIterable[bytes], coding: str, limit: int, grow: Callable[[int], object] = lambda _: None
) -> bytes:
    """Return a whole body; one megabyte of all that are unfolded at the same time is in each turn of the loop.

    Args:
        chunks: of the body, as they were sent.
        coding: one of `CODINGS`.
        limit: bytes that it may have, as sent and as unfolded.
        grow: called with the size of each part before it is kept; what it raises ends the reading.

    Raises:
        PayloadError: the body is too large (413), or isn't what its coding says (400).
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
    """Return a whole body that needs no unfolding."""
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
        raise PayloadError(f"the body is more than {limit} bytes: send less at a time", 413)


def _keep(fed: Iterator[bytes], parts: list[bytes], grow: Callable[[int], object]) -> Iterator[None]:
    """Put the parts of a body into a list, and yield where others may have their turn."""
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
    """One compressed body on its way: `feed` it chunk by chunk, then `end` it.

    Args:
        coding: one of `CODINGS`, but not ``identity``.
        limit: bytes that it may have, as sent and as unfolded.
    """

    def __init__(self, coding: str, limit: int) -> None:
        self._coding = coding
        self._limit = limit
        self._sent = 0
        self._size = 0
        self._members = 0
        self._member = self._begin()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk unfolds to, part by part; it is counted only when all parts are taken.

        Raises:
            PayloadError: the body is too large (413), or isn't what its coding says (400).
        """
        self._sent += len(chunk)
        _require_size(self._sent, self._limit)
        for start in range(0, len(chunk), PIECE_BYTES):
            yield from self._unfold(chunk[start : start + PIECE_BYTES])

    def end(self) -> None:
        """Check that the body is complete.

        Raises:
            PayloadError: it isn't (400).
        """
        if not self._member.eof:
            raise PayloadError(f"the body ends in the middle of its {self._coding}: send it whole", 400)

    def _unfold(self, piece: bytes) -> Iterator[bytes]:
        # What is cut off where a part is full comes with the next call, even if nothing is left to give to it.
        full = False
        while piece or (full and not self._member.eof):
            if self._member.eof:
                if _WINDOWS[self._coding] != _GZIP:
                    raise self._not_ended()
                self._member = self._begin()
            try:
                # One byte more than fits is enough to know that it doesn't.
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
        return PayloadError(
            f"the body goes on after its {self._coding} has ended, with something else: send nothing after it", 400
        )
