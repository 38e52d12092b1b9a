"""A board that is served with a history whose ticks are known."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
from tests.raw import GUARD_S
from tests.security.raw import request
from tests.serving import serve_app

from tickboard import Board
from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Answer, ChangesQuestion, FoundChanges, Question
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.http import HttpConnection
from tickboard.server.uvicorn.websocket import Connection


class Waiting(History):
    """A history that reads its file for each answer, and holds answers back while `holds` is set."""

    holds = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, Retention(), lambda _: None, commit_s=0.01)
        self.asked = self.given_up = 0

    def answer_from_memory(self, question: Question) -> None:
        return None

    async def ask(self, question: Question) -> Answer:
        await self._hold()
        return await super().ask(question)

    async def ask_changes(self, asked: ChangesQuestion) -> FoundChanges:
        await self._hold()
        return await super().ask_changes(asked)

    async def _hold(self) -> None:
        self.asked += 1
        try:
            while self.holds:
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.given_up += 1
            raise


class Past:
    """A board that is served, and its history.

    Attributes:
        board: the board.
        history: its history.
        port: where it is served.
        url: the same, as a URL.
        path: what is asked.
        query: and for what, unless a test says otherwise.
    """

    def __init__(self, history: Waiting, port: int, board: Board, path: str, query: str) -> None:
        self.board = board
        self.history = history
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.path = path
        self.query = query

    def get(self, query: str | None = None, **headers: str) -> httpx.Response:
        query = self.query if query is None else query
        return httpx.get(f"{self.url}{self.path}?{query}", headers=headers, timeout=GUARD_S)


def board_of(history: History | None) -> Board:
    board = Board("Past", interval_ms=3_600_000)
    board.prepare()
    board._require_live().history = history
    return board


@contextlib.contextmanager
def served(folder: Path, start_s: int, layout: Layout, rows: Floats, path: str, query: str) -> Iterator[Past]:
    """Serve a board whose history has a tick a second for each row, float64 [ticks, series]."""
    with contextlib.closing(Waiting(folder / "history")) as history:
        history.begin("first", 1_000, 60)
        for number, row in enumerate(rows):
            history.append(number + 1, start_s + number, layout, row)
        history.flush()
        board = board_of(history)
        with serve_app(board, Connection, partial(HttpConnection, gate=Gate())) as port:
            yield Past(history, port, board, path, query)


@contextlib.contextmanager
def held(past: Past) -> Iterator[None]:
    """Hold all answers back while the context is open."""
    past.history.holds = True
    try:
        yield
    finally:
        past.history.holds = False


@contextlib.contextmanager
def asking(past: Past, query: str | None = None, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """Send a question from an address, and do not read the answer."""
    with socket.create_connection(("127.0.0.1", past.port), GUARD_S, (source, 0)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(request(target=f"{past.path}?{past.query if query is None else query}"))
        yield client
