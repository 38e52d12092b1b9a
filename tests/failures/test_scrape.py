"""Whatever a scrape target does, it is reported, its values end, it is retried, and other targets are unaffected."""

import asyncio
import gzip
import math
import socket
import struct
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from tests.raw_server import Answer, hangs, raw_server, says, trickles
from tests.serving import serve_app, wait_for

from tickboard import Board
from tickboard.server.uvicorn.websocket import Connection
from tickboard.sources.prometheus.scrape import Scrape

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
SAID = b"value 5\n"


def good(body: bytes = SAID, *headers: bytes) -> Answer:
    fields = b"".join(b"%b\r\n" % header for header in headers)
    return says(OK, fields, b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body), body)


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def gzipped(data: bytes, coding: bytes = b"gzip") -> Answer:
    return good(data, b"Content-Encoding: " + coding)


FAILURES: dict[str, tuple[Answer, str]] = {
    "raises: closes at once": (says(), "cannot be scraped"),
    "raises: resets": (resets, "cannot be scraped"),
    "raises: answers 500": (says(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), "it answers 500 Oh"),
    "raises: does not answer HTTP": (says(b"220 smtp ready\r\n"), "cannot be scraped"),
    "raises: redirects": (
        says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/m\r\nContent-Length: 0\r\n\r\n"),
        "use the address that it redirects to, http://127.0.0.1:9/m",
    ),
    "raises: redirects to itself": (
        says(b"HTTP/1.1 301 Moved\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n"),
        "use the address that it redirects to",
    ),
    "raises: endless headers": (
        says(OK, b"X: " + b"x" * 200_000),
        "the head of its answer has more than 65536 bytes",
    ),
    "hangs: sends nothing": (hangs(), "did not answer within 0.5 s"),
    "hangs: in its headers": (hangs(OK), "did not answer within 0.5 s"),
    "hangs: in its body": (hangs(OK, b"Content-Length: 100\r\n\r\nvalue 5\n"), "did not answer within 0.5 s"),
    "hangs: trickles": (trickles(OK + b"Content-Length: 1000000\r\n\r\n"), "did not answer within 0.5 s"),
    "wrong type: a page": (
        says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>\n</html>\n"),
        "it answers with text/html that has no metrics",
    ),
    "wrong type: protobuf": (
        says(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.google.protobuf\r\nContent-Length: 2\r\n\r\n\x0a\x00"),
        "that has no metrics",
    ),
    "wrong type: JSON": (
        says(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"),
        "that has no metrics",
    ),
    "wrong type: nulls": (good(b"\x00" * 1000), "that has no metrics"),
    "wrong type: not gzip": (gzipped(SAID), "cannot be scraped: the body is not gzip"),
    "wrong type: gzip twice": (
        gzipped(gzip.compress(gzip.compress(SAID)), b"gzip, gzip"),
        "it answers with Content-Encoding 'gzip, gzip'",
    ),
    "wrong type: another coding": (gzipped(SAID, b"br"), "it answers with Content-Encoding 'br'"),
    "ends: before its size": (says(OK, b"Content-Length: 100\r\n\r\n", SAID), "cannot be scraped"),
    "ends: in a chunk": (says(OK, b"Transfer-Encoding: chunked\r\n\r\n40\r\n", SAID), "cannot be scraped"),
    "ends: before the last chunk": (
        says(OK, b"Transfer-Encoding: chunked\r\n\r\n8\r\n", SAID, b"\r\n"),
        "cannot be scraped",
    ),
    "ends: in its gzip": (gzipped(gzip.compress(SAID * 100)[:-12]), "cannot be scraped: the body ends in the middle"),
}
"""Answers of a target, and the expected report."""


def last(board: Board) -> dict[str, float]:
    """Return the newest value of each series that has one, by metric and job."""
    engine = board.hub.engine
    if not engine.window.seq:
        return {}
    row = engine.window.row(engine.window.seq)
    return {
        f"{one.metric.name} {dict(one.labels)['job']}": float(row[one.column])
        for one in list(engine.registry.series)
        if one.column < len(row) and not math.isnan(row[one.column])
    }


def problems(board: Board) -> dict[str, str]:
    return {source: board.hub.problems[source].message for source in list(board.hub.problems)}


@pytest.mark.parametrize("failure", FAILURES)
def test_only_a_failing_target_is_reported_and_recovers(failure: str) -> None:
    answer, why = FAILURES[failure]
    with raw_server(good()) as suspect, raw_server(good()) as witness:
        board = Board(interval_ms=50)
        board.scrape(suspect.url, every="100ms", timeout="500ms", job="suspect")
        board.scrape(witness.url, every="100ms", job="witness")
        with serve_app(board, Connection):
            wait_for(lambda: last(board).keys() >= {"value suspect", "value witness"})
            suspect.answer = answer
            wait_for(lambda: why in problems(board).get(f"scrape {suspect.url}", ""))
            wait_for(lambda: last(board).get("scrape_up suspect") == 0)
            found = last(board)
            assert "value suspect" not in found
            assert (found["value witness"], found["scrape_up witness"]) == (5, 1)
            assert list(problems(board)) == [f"scrape {suspect.url}"]
            suspect.answer = good(b"value 7\n")
            wait_for(lambda: last(board).get("value suspect") == 7)
            wait_for(lambda: not problems(board))
            wait_for(lambda: last(board).get("scrape_up suspect") == 1)


def cancels(self: Scrape) -> NoReturn:
    raise asyncio.CancelledError


def exits(self: Scrape) -> NoReturn:
    raise SystemExit(3)


def unforeseen(self: Scrape) -> NoReturn:
    raise AttributeError("unforeseen")


async def awaits_a_task_that_is_cancelled(self: Scrape) -> tuple[bytes, str]:
    other = asyncio.ensure_future(asyncio.sleep(30, (b"", "")))
    asyncio.get_running_loop().call_soon(other.cancel)
    return await other


@pytest.mark.parametrize("get", [cancels, exits, unforeseen, awaits_a_task_that_is_cancelled])
def test_no_failure_of_the_http_library_ends_a_scrape(get: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(good()) as suspect, raw_server(good()) as witness:
        board = Board(interval_ms=50)
        board.scrape(suspect.url, every="100ms", job="suspect")
        board.scrape(witness.url, every="100ms", job="witness")
        as_it_is = Scrape._get

        def both(self: Scrape) -> Any:
            return get(self) if suspect.url in self.name else as_it_is(self)

        with serve_app(board, Connection):
            wait_for(lambda: last(board).keys() >= {"value suspect", "value witness"})
            with monkeypatch.context() as broken:
                broken.setattr(Scrape, "_get", both)
                wait_for(lambda: last(board).get("scrape_up suspect") == 0)
                wait_for(lambda: problems(board) != {})
                assert all(suspect.url in source for source in problems(board))
                found = last(board)
                assert "value suspect" not in found
                assert (found["value witness"], found["scrape_up witness"]) == (5, 1)
            wait_for(lambda: last(board).get("value suspect") == 5)
            wait_for(lambda: not problems(board))


def test_a_line_truncated_by_the_end_of_the_connection_is_ignored() -> None:
    with raw_server(says(OK, b"\r\nvalue 5\nother 12")) as suspect:
        board = Board(interval_ms=50)
        board.scrape(suspect.url, every="100ms", job="it")
        with serve_app(board, Connection):
            wait_for(lambda: "ends in the middle of a line" in problems(board).get(f"scrape {suspect.url}", ""))
            wait_for(lambda: last(board).get("value it") == 5)
            assert "other it" not in last(board)
            suspect.answer = says(OK, b"\r\nvalue 5\nother 1234\n")
            wait_for(lambda: last(board).get("other it") == 1234)
            wait_for(lambda: not problems(board))


def test_a_target_that_does_not_exist_yet_is_retried_until_it_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    board = Board(interval_ms=50)
    board.scrape(f"http://127.0.0.1:{free}/metrics", every="100ms", job="it")
    with serve_app(board, Connection):
        wait_for(lambda: any("cannot be scraped" in message for message in problems(board).values()))
        wait_for(lambda: last(board).get("scrape_up it") == 0)
