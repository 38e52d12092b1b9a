"""Compressed bodies: whole, in several members, truncated, followed by junk, and too large."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.errors import PayloadError
from tickboard.sources.unfolding import TURN_BYTES, Unfolding, unfold

LIMIT = 100_000


def unfolded(body: bytes, coding: str = "gzip", *, chunk: int = 1_000, limit: int = LIMIT) -> bytes:
    unfolding = Unfolding(coding, limit)
    parts = [part for at in range(0, len(body), chunk) for part in unfolding.feed(body[at : at + chunk])]
    unfolding.end()
    return b"".join(parts)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=30), st.integers(1, 200))
def test_all_members_are_decompressed_however_the_body_is_split(contents: list[bytes], chunk: int) -> None:
    body = b"".join(gzip.compress(content) for content in contents)
    assert unfolded(body, chunk=chunk) == b"".join(contents) == gzip.decompress(body)


@pytest.mark.parametrize("size", [TURN_BYTES - 1, TURN_BYTES, TURN_BYTES + 1, 3 * TURN_BYTES, 5 * TURN_BYTES + 7])
@pytest.mark.parametrize("chunk", [1, 1_000, 1 << 20])
def test_a_large_result_is_decompressed_in_parts(size: int, chunk: int) -> None:
    body = gzip.compress(bytes(size)) + gzip.compress(b"end")
    unfolding = Unfolding("gzip", size + 3)
    parts = [part for at in range(0, len(body), chunk) for part in unfolding.feed(body[at : at + chunk])]
    unfolding.end()
    assert b"".join(parts) == bytes(size) + b"end"
    assert max(map(len, parts)) <= TURN_BYTES


async def test_a_plain_body_is_unchanged() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"ab", b"", b"c"):
            yield chunk

    assert await unfold(chunks(), "identity", 3) == b"abc"
    with pytest.raises(PayloadError, match="more than 2 bytes"):
        await unfold(chunks(), "identity", 2)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_every_coding_is_decompressed(coding: str) -> None:
    packed = zlib.compress(b"line") if coding == "deflate" else gzip.compress(b"line")
    assert unfolded(packed, coding) == b"line"


@pytest.mark.parametrize("chunk", [1, 7, 4_096, 10_000])
@pytest.mark.parametrize(
    ("body", "coding", "wrong"),
    [
        (gzip.compress(b"line", mtime=0) + b"xx", "gzip", "continues after the end of its gzip data"),
        (gzip.compress(b"line", mtime=0) * 3 + b"xx", "gzip", "continues after the end of its gzip data"),
        (gzip.compress(b"line", mtime=0) + bytes(512), "gzip", "continues after the end of its gzip data"),
        (gzip.compress(b"line", mtime=0) + zlib.compress(b"more"), "gzip", "continues after the end of its gzip data"),
        (
            gzip.compress(b"line", mtime=0) + gzip.compress(b"more", mtime=0)[:-1],
            "gzip",
            "ends in the middle of its gzip",
        ),
        (gzip.compress(b"line", mtime=0) + b"\x1f", "gzip", "ends in the middle of its gzip"),
        (gzip.compress(b"line", mtime=0)[:-9], "gzip", "ends in the middle of its gzip"),
        (b"", "gzip", "ends in the middle of its gzip"),
        (b"plain text", "gzip", "is not gzip"),
        (zlib.compress(b"line") + b"x", "deflate", "continues after the end of its deflate data"),
        (zlib.compress(b"line") * 2, "deflate", "continues after the end of its deflate data"),
        (zlib.compress(b"line")[:-1], "deflate", "ends in the middle of its deflate"),
    ],
)
def test_a_truncated_body_or_one_with_junk_after_it_is_an_error(
    body: bytes, coding: str, wrong: str, chunk: int
) -> None:
    with pytest.raises(PayloadError, match=wrong) as raised:
        unfolded(body, coding, chunk=chunk)
    assert raised.value.status == 400


def test_a_damaged_member_is_an_error() -> None:
    body = bytearray(gzip.compress(b"line" * 100))
    body[-6] ^= 1  # in the checksum
    with pytest.raises(PayloadError, match="is not gzip"):
        unfolded(bytes(body))


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(bytes(LIMIT + 1)), "gzip"),
        (zlib.compress(bytes(LIMIT + 1)), "deflate"),
        (gzip.compress(bytes(LIMIT // 2)) * 3, "gzip"),
        # A body that never ends and decompresses to nothing.
        (gzip.compress(b"") * (LIMIT // 20 + 1), "gzip"),
    ],
)
def test_the_size_of_a_body_is_bounded_compressed_and_decompressed(body: bytes, coding: str) -> None:
    with pytest.raises(PayloadError, match=f"more than {LIMIT} bytes") as raised:
        unfolded(body, coding)
    assert raised.value.status == 413


def test_content_is_returned_without_waiting_for_more_members() -> None:
    unfolding = Unfolding("gzip", LIMIT)
    assert b"".join(unfolding.feed(gzip.compress(b"line"))) == b"line"
    with pytest.raises(PayloadError, match="continues after the end"):
        list(unfolding.feed(b"xx"))


def test_the_amount_decompressed_at_once_is_bounded() -> None:
    largest = max(len(part) for part in Unfolding("gzip", 2**26).feed(gzip.compress(bytes(2**26))))
    assert largest <= 2**22 + 2**16


async def test_other_tasks_run_while_a_body_of_many_members_is_read() -> None:
    turns = 0

    async def chunks() -> AsyncIterator[bytes]:
        yield gzip.compress(b"") * 99_999 + gzip.compress(b"a")

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    assert await unfold(chunks(), "gzip", 2**24) == b"a"
    counting.cancel()
    assert turns >= 20


async def test_only_one_body_is_decompressed_in_each_turn_of_the_loop() -> None:
    bomb = gzip.compress(bytes(5 * TURN_BYTES))

    async def chunks() -> AsyncIterator[bytes]:
        yield bomb

    bodies = [asyncio.create_task(unfold(chunks(), "gzip", 6 * TURN_BYTES)) for _ in range(20)]
    turns = 0
    while not all(body.done() for body in bodies):
        turns += 1
        await asyncio.sleep(0)
    assert [len(await body) for body in bodies] == [5 * TURN_BYTES] * 20
    # Each takes at least five turns, and no two share one.
    assert turns >= 100


async def test_other_tasks_run_between_chunks_of_one_byte() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(5_000):
            yield b"a"

    reading = asyncio.create_task(unfold(chunks(), "identity", LIMIT))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(await reading) == 5_000
    assert turns >= 50
