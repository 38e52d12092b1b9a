"""Pieces end where a head or a body ends, and what a server may not guess the meaning of is refused."""

import pytest

from tickboard.server.uvicorn.framing import HEAD_END, MOST_PIECE_BYTES, PIECE_BYTES, Framing
from tickboard.server.uvicorn.gate import MAX_HEAD_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES, Refusal

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def began(*headers: tuple[bytes, bytes]) -> Framing:
    """Return a framing in the head of a request with these headers."""
    framing = Framing()
    framing.begin_piece(100)
    framing.begin_message()
    for place, (name, value) in enumerate(headers):
        assert framing.take_header(name, value, place)
    return framing


def in_body(*headers: tuple[bytes, bytes]) -> Framing:
    framing = began(*headers)
    assert framing.end_head(b"POST", b"/", "1.1", upgrades=False) == b"/"
    assert framing.has_body
    framing.begin_body()
    framing.end_piece(100)
    return framing


def test_a_piece_has_one_head_however_many_come_at_once() -> None:
    framing = Framing()
    assert framing.is_idle
    assert framing.end_of_piece(2 * HEAD, 0) == len(HEAD)
    assert framing.end_of_piece(2 * HEAD, len(HEAD)) == 2 * len(HEAD)
    assert framing.end_of_piece(HEAD[:9], 0) == 9


def test_a_piece_of_a_body_ends_with_it() -> None:
    framing = in_body((b"content-length", b"10"))
    assert framing.in_body
    assert framing.end_of_piece(b"a" * 4, 0) == 4
    framing.content = 4
    assert framing.end_of_piece(b"a" * 6 + HEAD, 0) == 6
    framing.end_message()
    assert framing.is_idle


def test_a_piece_of_a_chunked_body_is_small_or_ends_with_a_possible_end() -> None:
    framing = in_body((b"transfer-encoding", b"Chunked"))
    assert framing.end_of_piece(b"a" * 10**6, 0) == MOST_PIECE_BYTES
    assert framing.end_of_piece(b"a" * PIECE_BYTES + HEAD_END + b"a" * 999, 0) == PIECE_BYTES + len(HEAD_END)


def test_a_head_may_come_in_pieces_but_not_be_too_large() -> None:
    framing = began()
    framing.end_piece(100)
    framing.begin_piece(MAX_HEAD_BYTES - 100)
    framing.end_piece(MAX_HEAD_BYTES - 100)
    assert framing.end_of_piece(b"a" * 99, 0) == 1
    framing.begin_piece(1)
    with pytest.raises(Refusal, match="the head of the request has more than 65536 bytes"):
        framing.end_piece(1)


def test_the_address_and_the_headers_are_bounded() -> None:
    framing = began()
    framing.take_url(b"/" * MAX_URL_BYTES)
    with pytest.raises(Refusal, match="the URL has more than 16384 bytes"):
        framing.take_url(b"/" * (MAX_URL_BYTES + 1))
    with pytest.raises(Refusal, match="a header has more than 16384 bytes"):
        framing.take_header(b"a", b"b" * MAX_HEADER_BYTES, 0)
    with pytest.raises(Refusal, match="more than 100 headers"):
        framing.take_header(b"a", b"b", MAX_HEADERS)


@pytest.mark.parametrize(
    ("headers", "version", "upgrades", "message"),
    [
        ([], "2.0", False, "this port speaks HTTP/1.1"),
        ([(b"host", b"a")], "1.1", False, "name different hosts"),
        ([(b"transfer-encoding", b"gzip")], "1.1", False, "send only chunked"),
        ([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], "1.1", False, "send only chunked"),
        ([(b"transfer-encoding", b"chunked")], "1.0", False, "send only chunked"),
        ([(b"content-length", b"1")], "1.1", True, "cannot use Upgrade"),
    ],
)
def test_a_head_that_could_mean_two_things_is_refused(
    headers: list[tuple[bytes, bytes]], version: str, upgrades: bool, message: str
) -> None:
    framing = began(*headers)
    with pytest.raises(Refusal, match=message):
        framing.end_head(b"GET", b"http://b/" if (b"host", b"a") in headers else b"/", version, upgrades=upgrades)
    # A parser says only that a callback has failed.
    assert message in framing.refusal(HEAD, ValueError("callback")).message


def test_a_header_after_a_body_is_dropped() -> None:
    framing = in_body((b"transfer-encoding", b"chunked"))
    assert not framing.take_header(b"host", b"other", 1)


def test_chunks_that_are_mostly_not_content_are_refused() -> None:
    framing = in_body((b"transfer-encoding", b"chunked"))
    for _ in range(8):
        framing.begin_piece(MAX_HEAD_BYTES)
        framing.content += MAX_HEAD_BYTES // 2
        framing.end_piece(MAX_HEAD_BYTES)
    framing.begin_piece(MAX_HEAD_BYTES + 1)
    with pytest.raises(Refusal, match="the chunks of the body are mostly not content"):
        framing.end_piece(MAX_HEAD_BYTES + 1)


@pytest.mark.parametrize(
    ("piece", "error", "message"),
    [
        (b"\x16\x03\x01", "Invalid method", "this port speaks HTTP, not TLS"),
        (b"PRI * HTTP/2.0", "PRI/SM", "not HTTP/2"),
        (b"nonsense", "Invalid method", "this is not an HTTP/1.1 request: Invalid method"),
    ],
)
def test_bytes_that_are_not_a_request_are_refused_with_the_reason(piece: bytes, error: str, message: str) -> None:
    framing = Framing()
    framing.begin_piece(len(piece))
    assert message in framing.refusal(piece, ValueError(error)).message
