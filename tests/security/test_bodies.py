"""Request bodies for a board that is mounted in an application: sizes, deadlines, codings, and a total limit."""

import contextlib
import gzip
import select
import socket
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from tests.raw import GUARD_S, statuses
from tests.serving import serve_app, wait_for

from tickboard import Board
from tickboard.server.requests import bodies


class Around(BaseHTTPMiddleware):
    """A third-party middleware with its own `receive`."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


@pytest.fixture(params=[False, True], ids=["alone", "in a middleware"])
def mounted(request: pytest.FixtureRequest) -> Iterator[tuple[Board, int]]:
    board = Board("Mounted", interval_ms=50)
    app = FastAPI(lifespan=board.lifespan)
    if request.param:
        app.add_middleware(Around)
    app.mount("/live", board)
    with serve_app(app) as port:
        yield board, port


def post(port: int, path: bytes, headers: bytes, *body: bytes, kind: bytes = b"application/json") -> bytes:
    """Send a request in parts and return its answer."""
    with socket.create_connection(("127.0.0.1", port), GUARD_S) as client:
        client.sendall(
            b"POST /live%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s\r\n" % (path, kind, headers)
        )
        with contextlib.suppress(ConnectionError):
            for part in body:
                client.sendall(part)
        answer = client.recv(65_536)
        # The head and the body arrive separately.
        while answer.endswith(b"\r\n\r\n") and (part := client.recv(65_536)):
            answer += part
        return answer


WRITES = [b"/api/metrics", b"/v1/metrics", b"/api/v1/write", b"/api/alerts/x/ack"]
KINDS = {b"/api/v1/write": b"application/x-protobuf"}


@pytest.mark.parametrize("path", WRITES)
def test_a_mounted_board_gives_up_on_a_slow_body(
    mounted: tuple[Board, int], path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "GRACE_S", 0.1)
    board, port = mounted
    answer = post(port, path, b"Content-Length: 99\r\n", b"x", kind=KINDS.get(path, b"application/json"))
    assert statuses(answer) == [408]
    assert b"too slowly" in answer
    assert board.hub.traffic.requests_refused["slow"] == 1


@pytest.mark.parametrize("path", WRITES)
def test_a_mounted_board_refuses_double_codings_and_endless_bodies(mounted: tuple[Board, int], path: bytes) -> None:
    _, port = mounted
    kind = KINDS.get(path, b"application/json")
    twice = b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n"
    assert statuses(post(port, path, twice, b"x", kind=kind)) == [415]
    assert statuses(post(port, path, b"Content-Length: 99999999\r\n", kind=kind)) == [413]
    chunk = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    assert statuses(post(port, path, b"Transfer-Encoding: chunked\r\n", *[chunk] * 40, kind=kind)) == [413]


def test_all_bodies_share_a_limit_of_which_one_address_gets_half(
    mounted: tuple[Board, int],
) -> None:
    board, port = mounted
    bomb = gzip.compress(bytes(15 << 20))
    head = b"POST /live/api/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 999999\r\n"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), GUARD_S)) for _ in range(20)]
        for client in clients:
            client.sendall(head + b"Content-Type: application/json\r\n\r\n" + bomb)
        wait_for(lambda: board.hub.traffic.requests_refused["bodies"] >= 18)
        assert bodies.BUDGET._total <= bodies.MAX_BODIES_BYTES // 2
        # Other clients are served meanwhile.
        another = b"X-Forwarded-For: 192.0.2.1\r\nContent-Length: 2\r\n"
        assert statuses(post(port, b"/api/metrics", another, b"[]")) == [200]
        refused, _, _ = select.select(clients, [], [], GUARD_S)
        answer = refused[0].recv(65_536)
        assert statuses(answer) == [503]
        assert b"\r\nretry-after: 5\r\n" in answer
    wait_for(lambda: not bodies.BUDGET._total)
    assert not bodies.BUDGET._taken


def test_two_addresses_may_use_the_whole_budget_and_return_it() -> None:
    budget = bodies.Budget(100)
    assert budget.take("a", 50)
    assert not budget.take("a", 1)
    assert budget.take("b", 50)
    assert not budget.take("c", 1)
    budget.give_back("a", 50)
    assert budget.take("c", 50)
    assert not budget.take("a", 1)
