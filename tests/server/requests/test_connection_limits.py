"""One connection too many is refused with Retry-After; a connection that closes makes room."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from tests.raw import GET, UPGRADE, talk
from tests.raw import refusal as refused
from tests.serving import Server, serve
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tickboard.hub.traffic import Traffic
from tickboard.server.requests.connection_limits import Limits, address_of, lasting, lasts
from tickboard.server.uvicorn.websocket import DIRECT


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("--max-connections", "4", "--max-per-address", "3", "--interval", "100", "--auth", "none") as running:
        yield running


def watch(server: Server, address: str = "") -> ClientConnection:
    headers = {"X-Forwarded-For": address} if address else None
    return connect(server.ws_url, additional_headers=headers)


def refusal(server: Server, address: str = "") -> tuple[int, str, str]:
    with pytest.raises(InvalidStatus) as refused:
        watch(server, address)
    response = refused.value.response
    why: str = json.loads(response.body)["error"]
    return response.status_code, response.headers["Retry-After"], why


def open_connections(server: Server) -> int:
    health = server.json("/api/health")
    return int(health["viewers"] + health["subscribers"])


def test_one_connection_too_many_from_an_address_is_refused_until_one_closes(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(watch(server))
        stack.enter_context(watch(server))
        stack.enter_context(httpx.stream("GET", f"{server.url}events/alerts"))
        server.wait_for(lambda: open_connections(server) == 3)
        status, after, why = refusal(server)
        assert (status, after) == (503, "5")
        assert "127.0.0.1" in why
        assert "--max-per-address" in why
        stream = httpx.get(f"{server.url}events/alerts")
        assert (stream.status_code, stream.headers["retry-after"]) == (503, "5")
        assert stream.json() == {"error": why}
        assert server.json("/api/health")["connections_refused"] == 2
        first.close()
        server.wait_for(lambda: open_connections(server) == 2)
        with watch(server) as viewer:
            viewer.recv(10)
    server.wait_for(lambda: open_connections(server) == 0)


def test_one_connection_too_many_in_total_is_refused_but_documents_are_served(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for last in range(4):
            # A proxy on this machine forwards the client's address.
            stack.enter_context(watch(server, f"192.0.2.{last}"))
        server.wait_for(lambda: open_connections(server) == 4)
        status, _, why = refusal(server, "192.0.2.99")
        assert status == 503
        assert "--max-connections" in why
        assert httpx.get(server.url).status_code == 200
    server.wait_for(lambda: open_connections(server) == 0)


def test_a_refused_connection_is_closed_after_the_answer(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(watch(server))
        for asked in (
            GET.replace(b"/api/health", b"/ws/metrics") + UPGRADE,
            GET.replace(b"/api/health", b"/events/alerts"),
        ):
            assert refused(talk(server.port, asked + b"\r\n"))[0] == 503


def test_a_stream_that_closes_makes_room(server: Server) -> None:
    url = f"{server.url}events/alerts"
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(httpx.stream("GET", url))
        with httpx.stream("GET", url):
            assert refusal(server)[0] == 503
        server.wait_for(lambda: open_connections(server) == 2)
        with httpx.stream("GET", url) as another:
            assert another.status_code == 200
    server.wait_for(lambda: open_connections(server) == 0)


def test_each_client_behind_a_local_proxy_has_its_own_limit(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for last in range(3):
            stack.enter_context(watch(server, f"2001:db8:1:2::{last}"))
        status, after, why = refusal(server, "2001:db8:1:2:ffff::1")
        assert (status, after) == (503, "5")
        assert "2001:db8:1:2::/64" in why
        assert "--max-per-address" in why
        stack.enter_context(watch(server, "2001:db8:1:3::1"))
    server.wait_for(lambda: open_connections(server) == 0)


def test_a_refused_handshake_does_not_count(server: Server) -> None:
    for _ in range(6):
        with pytest.raises(InvalidStatus):
            connect(f"ws://127.0.0.1:{server.port}/nothing/here")
    with watch(server) as viewer:
        viewer.recv(10)


class Application:
    """An application that ends when a test wants it to."""

    def __init__(self, direct: dict[str, Any] | None = None) -> None:
        self.calls = 0
        self.end = asyncio.Event()
        self.scope: Scope = {"type": "websocket", "path": "/ws/metrics", "client": ("192.0.2.1", 1), "extensions": {}}
        if direct is not None:
            self.scope["extensions"][DIRECT] = direct

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.calls += 1
        await self.end.wait()

    async def connect(self, limits: Limits) -> None:
        await limits(self.scope, asyncio.Event().wait, self._send)  # type: ignore[arg-type]

    @staticmethod
    async def _send(message: object) -> None:
        pass


@pytest.mark.parametrize("ended", [False, True])
def test_a_handed_over_connection_counts_until_it_ends(ended: bool) -> None:
    async def scenario() -> None:
        offer: dict[str, Any] = {"on_end": [], "handed_over": True, "ended": ended}
        app = Application(offer)
        limits = Limits(app, 1, 0, Traffic)
        app.end.set()
        await app.connect(limits)
        assert limits._total == (0 if ended else 1)
        for tell in offer["on_end"]:
            tell()
        assert limits._total == 0
        assert not limits._open

    asyncio.run(scenario())


@pytest.mark.parametrize("extensions", [None, {}, {DIRECT: {}}, {DIRECT: {"on_end": [], "handed_over": False}}])
def test_a_connection_not_handed_over_ends_with_the_application(extensions: dict[str, Any] | None) -> None:
    async def scenario() -> None:
        app = Application()
        app.scope["extensions"] = extensions
        app.end.set()
        limits = Limits(app, 1, 1, Traffic)
        await app.connect(limits)
        assert limits._total == 0
        assert not limits._open

    asyncio.run(scenario())


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_connection_whose_application_fails_counts_only_while_it_is_open(handed_over: bool) -> None:
    class Failing(Application):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise RuntimeError("no luck")

    async def scenario() -> None:
        offer: dict[str, Any] = {"on_end": [], "handed_over": handed_over}
        app = Failing(offer)
        limits = Limits(app, 1, 1, Traffic)
        with pytest.raises(RuntimeError, match="no luck"):
            await app.connect(limits)
        assert limits._total == len(offer["on_end"]) == int(handed_over)
        for tell in offer["on_end"]:
            tell()
        assert limits._total == 0
        assert not limits._open

    asyncio.run(scenario())


def test_a_cancelled_connection_does_not_count() -> None:
    async def scenario() -> None:
        app = Application()
        limits = Limits(app, 1, 1, Traffic)
        running = asyncio.create_task(app.connect(limits))
        await asyncio.sleep(0)
        assert limits._total == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert limits._total == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 5), "2001:db8:1:2::/64"),
        (("a socket", 0), "a socket"),
        (None, "an unknown address"),
    ],
)
def test_the_address_of_a_client_is_normalized(client: tuple[str, int] | None, address: str) -> None:
    assert address_of({"type": "http", "client": client}) == address


def test_only_lasting_connections_count() -> None:
    assert lasts({"type": "websocket", "path": "/x"})
    assert lasts({"type": "http", "path": "/live/events/alerts"})
    assert not lasts({"type": "http", "path": "/api/stats"})
    assert not lasts({"type": "lifespan"})


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit on open files that a process can raise")
def test_the_limit_on_open_files_is_raised_as_far_as_the_system_allows() -> None:
    raised = (
        "import resource; from tickboard.server.requests.connection_limits import raise_open_files; "
        "print(raise_open_files(), raise_open_files(), resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    limited = 'ulimit -Sn 100; ulimit -Hn 220; exec "$@"'
    said = subprocess.check_output(["sh", "-c", limited, "sh", sys.executable, "-c", raised], text=True, timeout=20)
    assert said == "92 92 (220, 220)\n"


@pytest.mark.parametrize(
    ("places", "asked", "most"),
    [
        (0, None, 0),
        (0, 7, 7),
        (0, 0, 0),
        (1, None, 1),
        (100, None, 75),
        (1_000, None, 936),
        (1_000, 0, 936),
        (1_000, 7, 7),
        (1_000, 5_000, 936),
    ],
)
def test_lasting_connections_leave_room_for_requests(places: int, asked: int | None, most: int) -> None:
    assert lasting(places, asked) == most


@pytest.mark.skipif(sys.platform == "win32", reason="it has no limit on open files")
def test_a_board_beside_a_program_uses_at_most_half_of_its_files() -> None:
    said = "from tickboard.running.background import places_beside; print(places_beside())"
    for files, places in ((200, 100), (5_000, 564)):
        limited = f'ulimit -n {files}; exec "$@"'
        command = ["sh", "-c", limited, "sh", sys.executable, "-c", said]
        assert subprocess.check_output(command, text=True, timeout=20) == f"{places}\n"
