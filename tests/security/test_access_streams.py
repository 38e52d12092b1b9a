"""Open streams end within seconds when their credential does, and those of others go on."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.security.access import Accounts
from tests.security.test_access_login import Board, log_in
from tests.security.test_access_routes import BOARD
from tests.serving import RawStream, serve, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tickboard.access.records import Records
from tickboard.access.roles import Identity
from tickboard.server.access.open_streams import STREAMS, OpenStreams, until_logged_out

LOGGED_OUT = 4401


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    with serve("run", BOARD, "--auth", "required", *accounts.flags) as server:
        yield Board(server, accounts, "/")


class Watching:
    """A viewer's WebSocket and alert stream."""

    def __init__(self, board: Board, headers: dict[str, str], stack: ExitStack) -> None:
        def opens() -> bool:
            with board.browser() as browser:
                return browser.get("api/board", headers=headers).status_code == 200

        board.server.wait_for(opens)
        self.socket = stack.enter_context(connect(board.server.ws_url, additional_headers=headers))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        asked = f"GET /events/alerts HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"
        self.stream = stack.enter_context(RawStream(board.server.port, asked))
        self.code: int | None = None
        self.ended = False
        for each in (self._watch, self._read):
            threading.Thread(target=each, daemon=True).start()

    def _watch(self) -> None:
        try:
            while True:
                self.socket.recv()
        except ConnectionClosed as error:
            self.code = error.rcvd.code if error.rcvd is not None else 0

    def _read(self) -> None:
        # Its last chunk shows that the server has ended it.
        self.stream.socket.settimeout(60)
        with suppress(OSError):
            self.ended = self.stream.ends()

    @property
    def is_over(self) -> bool:
        return self.code is not None and self.ended


@contextmanager
def watching(board: Board, *headers: dict[str, str]) -> Iterator[list[Watching]]:
    with ExitStack() as stack:
        yield [Watching(board, each, stack) for each in headers]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def change(board: Board, function: Callable[[Records], Records]) -> None:
    board.accounts.file.change(function)


def test_revoking_a_token_ends_its_streams_and_no_others(board: Board) -> None:
    one, other = board.accounts.token("viewer", name="one"), board.accounts.token("viewer", name="other")
    with watching(board, bearer(one), bearer(one), bearer(other)) as (first, second, third):
        change(board, lambda records: records.without_token("one"))
        wait_for(lambda: first.is_over and second.is_over)
        assert first.code == second.code == LOGGED_OUT
        assert not third.is_over
        third.socket.send(json.dumps({"type": "ping"}))
        assert third.code is None


def test_a_token_that_expires_ends_its_streams(board: Board) -> None:
    token = board.accounts.token("viewer")
    with watching(board, bearer(token)) as (viewer,):
        board.accounts.expire(token)
        wait_for(lambda: viewer.is_over)
        assert viewer.code == LOGGED_OUT


@pytest.mark.parametrize(
    "ends",
    [
        lambda records: records.with_password("Eve", "x"),
        lambda records: records.without_person("Eve"),
        lambda records: records.without_sessions_of("eve"),
        lambda _: Records(),
    ],
    ids=["password", "removed", "logout", "empty"],
)
def test_what_ends_a_persons_sessions_ends_their_streams(board: Board, ends: Callable[[Records], Records]) -> None:
    board.accounts.person("Eve", "viewer")
    try:
        with watching(board, {"Cookie": board.accounts.session("Eve")}) as (viewer,):
            change(board, ends)
            wait_for(lambda: viewer.is_over)
            assert viewer.code == LOGGED_OUT
    finally:
        change(board, lambda records: records.without_person("Eve") if records.person("Eve") else records)


def test_logging_out_ends_the_streams_of_that_browser_alone(board: Board) -> None:
    board.accounts.person("Ann", "viewer")
    with board.browser() as browser, board.browser() as other:
        board.server.wait_for(lambda: log_in(browser).status_code == 303)
        log_in(other)
        cookies = [
            {"Cookie": "; ".join(f"{name}={value}" for name, value in each.cookies.items())}
            for each in (browser, other)
        ]
        with watching(board, *cookies) as (first, second):
            browser.post("logout")
            wait_for(lambda: first.is_over)
            assert first.code == LOGGED_OUT
            assert not second.is_over


def test_another_role_ends_streams_so_that_they_open_with_it(board: Board) -> None:
    board.accounts.person("Bob", "admin")
    with watching(board, {"Cookie": board.accounts.session("Bob")}) as (viewer,):
        person = board.accounts.file.read().person("Bob")
        assert person is not None

        def demote(records: Records) -> Records:
            people = tuple(replace(each, role="viewer") if each.name == "Bob" else each for each in records.people)
            return replace(records, people=people)

        change(board, demote)
        wait_for(lambda: viewer.is_over)


def test_a_file_that_cannot_be_read_is_a_problem_and_nobody_is_logged_out(board: Board) -> None:
    token = bearer(board.accounts.token("viewer"))
    with watching(board, token) as (viewer,), board.browser() as browser:
        path = board.accounts.file.path
        content = path.read_bytes()
        path.write_bytes(b"junk")

        def problems() -> str:
            return browser.get("api/health", headers=token).text

        try:
            board.server.wait_for(lambda: "access file" in problems())
            assert browser.get("api/board", headers=token).status_code == 200
            assert not viewer.is_over
        finally:
            path.write_bytes(content)
        board.server.wait_for(lambda: "access file" not in problems())


def test_a_stream_that_ended_by_itself_is_forgotten() -> None:
    streams, identity = OpenStreams(), Identity("ann", "viewer", "session x")
    ends = [until_logged_out({STREAMS: (streams, identity)}, print) for _ in range(3)]
    assert len(streams) == 3
    for end in ends:
        end()
        end()
    assert len(streams) == 0
    assert not streams._ends


def test_a_stream_that_cannot_be_ended_does_not_keep_the_others_open() -> None:
    streams, identity, ended = OpenStreams(), Identity("ann", "viewer", "session x"), []

    def fail() -> None:
        raise ValueError

    streams.add(identity, fail)
    remove = streams.add(identity, lambda: ended.append(1))
    assert streams.end_unless(lambda _: False) == 2
    assert ended == [1]
    remove()
    assert len(streams) == 0


def test_without_a_gate_nothing_is_registered() -> None:
    until_logged_out({}, print)()


def test_a_last_look_is_kept_when_the_file_is_replaced(board: Board, tmp_path: Path) -> None:
    """An editor or a backup may replace the file by one of the same size and time."""
    token = board.accounts.token("viewer")
    with watching(board, bearer(token)) as (viewer,):
        path = board.accounts.file.path
        other = tmp_path / "other.json"
        other.write_bytes(path.read_bytes().replace(b'"viewer"', b'"sender"'))
        other.chmod(0o600)
        other.replace(path)
        wait_for(lambda: viewer.is_over)
