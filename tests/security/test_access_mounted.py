"""A mounted board with `authorize=`: the application says who may do what, and whatever its function does, closed."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import ANY

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Scope
from tests.security.access import INCLUDES, READ, WRITE, allowed
from tests.security.raw import exchange, handshake
from tests.security.test_access_routes import request
from tests.serving import RawStream, serve_app, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tickboard import Board
from tickboard.errors import InputError
from tickboard.server.access import authorized


def role_in_header(scope: Scope) -> Any:
    return dict(scope["headers"]).get(b"x-role", b"").decode() or None


async def role_in_header_later(scope: Scope) -> Any:
    await asyncio.sleep(0)
    return role_in_header(scope)


@contextlib.contextmanager
def mounted(authorize: Callable[[Scope], Any]) -> Iterator[tuple[int, Board]]:
    board = Board("Mounted", authorize=authorize)
    board.gauge("cpu")
    with serve_app(Starlette(routes=[Mount("/live", board)], lifespan=board.lifespan)) as port:
        yield port, board


@pytest.fixture(scope="module", params=[role_in_header, role_in_header_later])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with mounted(request.param) as (port, _):
        yield port


@pytest.mark.parametrize("role", INCLUDES)
def test_every_route_needs_its_role(port: int, role: str) -> None:
    headers = {} if role == "nobody" else {"X-Role": role}
    refused = 401 if role == "nobody" else 403
    for method, table in (("GET", READ), ("POST", WRITE), ("DELETE", WRITE)):
        for path, needed in table.items():
            if path.startswith("//") or path == "/login":
                continue
            status = exchange(port, request(method, f"/live{path}", **headers)).status
            assert (status == refused) is (not allowed(role, needed)), (role, method, path, status)
    status = exchange(port, handshake("/live/ws/metrics", **headers)).status
    assert status == (101 if allowed(role, "viewer") else refused)


def test_without_it_a_board_is_as_open_as_its_application() -> None:
    board = Board("Open")
    with serve_app(Starlette(routes=[Mount("/live", board)], lifespan=board.lifespan)) as port:
        for path in ("/live/api/board", "/live/metrics"):
            assert exchange(port, request(target=path)).status == 200
        assert exchange(port, handshake("/live/ws/metrics")).status == 101


def test_a_change_is_signed_with_the_name_that_it_returns() -> None:
    with mounted(lambda _: ("operator", "ann")) as (port, _):
        made = httpx.post(f"http://127.0.0.1:{port}/live/api/marks", json={"text": "x", "by": "mallory"})
        assert made.json()["by"] == "ann"
        assert httpx.get(f"http://127.0.0.1:{port}/live/api/me").json() == {"name": "ann", "role": "operator"}


def fails(_: Scope) -> None:
    raise ValueError("secret text")


def exits(_: Scope) -> None:
    raise SystemExit(3)


def interrupts(_: Scope) -> None:
    raise KeyboardInterrupt


async def is_cancelled(_: Scope) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def hangs(_: Scope) -> None:
    await asyncio.Event().wait()


BAD: list[Callable[[Scope], Any]] = [
    fails,
    exits,
    interrupts,
    is_cancelled,
    hangs,
    lambda _: True,
    lambda _: 1,
    lambda _: "root",
    lambda _: "",
    lambda _: ("admin",),
    lambda _: ("admin", 5),
    lambda _: ["admin"],
    lambda _: b"admin",
    lambda _: {"admin": 1},
    lambda _: object,
]


@pytest.mark.parametrize("authorize", BAD, ids=lambda each: each.__name__)
def test_whatever_it_does_nobody_gets_in_and_a_problem_says_so(
    authorize: Callable[[Scope], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorized, "ANSWER_S", 0.1)
    with mounted(authorize) as (port, board):
        for _ in range(2):
            assert exchange(port, request(target="/live/api/board")).status == 503
            assert exchange(port, handshake("/live/ws/metrics")).status == 503
            assert exchange(port, request(target="/live/api/health")).status == 200
        wait_for(lambda: "authorize" in board.hub.problems)
        assert "nobody gets in" in board.hub.problems["authorize"].message


class EqualToNothing:
    """Cannot be compared, as an array of numpy."""

    def __eq__(self, _: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("answer", [ANY, (ANY, "ann"), EqualToNothing(), b"admin", ("viewer", 1), True])
def test_answers_that_are_no_texts_are_nobody(answer: Any) -> None:
    assert authorized.identity_in(answer) is None


def test_a_name_can_be_shown_whatever_it_is() -> None:
    names = [authorized.identity_in(("viewer", name)) for name in ("\ud800", "a\x1b[31m\nb", "x" * 1_000_000)]
    shown = [each.name for each in names if each is not None]
    assert shown[0] == "?"
    assert shown[1].isprintable()
    assert len(shown[2]) == authorized.MAX_NAME


def test_the_problem_is_over_when_it_has_worked_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = ["nonsense", "viewer", "viewer"]
    with mounted(lambda _: answers.pop(0)) as (port, board):
        assert exchange(port, request(target="/live/api/board")).status == 503
        assert "authorize" in board.hub.problems
        # It works for one request, and may fail again for the next.
        assert exchange(port, request(target="/live/api/board")).status == 200
        assert "authorize" in board.hub.problems
        monkeypatch.setattr("tickboard.problems.QUIET_S", 0.0)
        assert exchange(port, request(target="/live/api/board")).status == 200
        assert "authorize" not in board.hub.problems


def test_it_cannot_change_the_scope_of_the_board() -> None:
    def changes(scope: Scope) -> str:
        scope["path"] = "/api/health"
        return "sender"

    with mounted(changes) as (port, _):
        assert exchange(port, request(target="/live/api/board")).status == 403


def test_details_of_problems_are_for_admins() -> None:
    board = Board("Mounted", interval_ms=100, authorize=role_in_header)

    @board.every("100ms")
    def fail() -> None:
        raise ValueError("the text of an exception")

    with serve_app(Starlette(routes=[Mount("/live", board)], lifespan=board.lifespan)) as port:
        wait_for(lambda: board.hub.problems)
        shown = [
            exchange(port, request(target="/live/api/board", **{"X-Role": role})).body for role in ("viewer", "admin")
        ]
    assert all(b"ValueError" in each for each in shown)
    assert [b"the text of an exception" in each for each in shown] == [False, True]


def test_a_plain_function_that_blocks_delays_nobody_else() -> None:
    release = threading.Event()

    def blocks(scope: Scope) -> str:
        if b"x-slow" in dict(scope["headers"]):
            release.wait(60)
        return "viewer"

    with mounted(blocks) as (port, _), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(exchange, port, request(target="/live/api/board", **{"X-Slow": "1"}))
        assert exchange(port, request(target="/live/api/board")).status == 200
        assert not slow.done()
        release.set()
        assert slow.result(60).status == 200


def test_plain_functions_that_hang_take_a_few_threads_and_not_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorized, "ANSWER_S", 0.1)
    release, slow = threading.Event(), True

    def hangs_for_now(_: Scope) -> str:
        if slow:
            release.wait(60)
        return "viewer"

    with mounted(hangs_for_now) as (port, board):
        for _ in range(authorized.MOST_THREADS + 2):
            assert exchange(port, request(target="/live/api/board")).status == 503
        assert "no answer within" in board.hub.problems["authorize"].message
        assert exchange(port, request(target="/live/api/health")).status == 200
        slow = False
        release.set()
        wait_for(lambda: exchange(port, request(target="/live/api/board")).status == 200)


def test_it_is_not_asked_for_what_anyone_may_see() -> None:
    calls: list[str] = []

    def noting(scope: Scope) -> str:
        calls.append(scope["path"])
        return "admin"

    with mounted(noting) as (port, _):
        health = exchange(port, request(target="/live/api/health"))
        assert (health.status, json.loads(health.body).keys()) == (200, {"status"})
        assert calls == []


@contextlib.contextmanager
def watching(port: int) -> Iterator[tuple[Callable[[], int], RawStream]]:
    """Open a WebSocket and an alert stream; yield a function that waits for the close code, and the stream."""

    def close_code() -> int:
        try:
            while True:
                viewer.recv(60)
        except ConnectionClosed as error:
            return 0 if error.rcvd is None else error.rcvd.code

    with (
        connect(f"ws://127.0.0.1:{port}/live/ws/metrics") as viewer,
        RawStream(port, path="/live/events/alerts") as stream,
    ):
        stream.socket.settimeout(60)
        yield close_code, stream


@pytest.mark.parametrize("later", [None, "sender", "admin"])
@pytest.mark.parametrize("is_async", [False, True])
def test_open_streams_end_when_the_application_gives_no_longer_the_same_role(
    later: str | None, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorized, "AGAIN_S", 0.05)
    role: str | None = "viewer"

    def now(_: Scope) -> str | None:
        return role

    async def now_async(_: Scope) -> str | None:
        return role

    with mounted(now_async if is_async else now) as (port, _), watching(port) as (close_code, stream):
        role = later
        assert close_code() == 4401
        assert stream.ends()


def test_open_streams_go_on_while_it_fails_for_a_moment_and_then_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorized, "AGAIN_S", 0.01)
    failed, is_well = 0, True

    async def fails_later(_: Scope) -> str:
        nonlocal failed
        if is_well:
            return "viewer"
        failed += 1
        raise ValueError("no database")

    with mounted(fails_later) as (port, _), watching(port) as (close_code, stream):
        is_well = False
        wait_for(lambda: failed > 6)
        is_well = True
        with connect(f"ws://127.0.0.1:{port}/live/ws/metrics") as another:
            another.recv(60)
        is_well = False
        monkeypatch.setattr(authorized, "FAILED_S", 0.0)
        assert close_code() == 4401
        assert stream.ends()


def test_something_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(InputError, match="give a function of the ASGI scope"):
        Board(authorize="admin")  # type: ignore[arg-type]
