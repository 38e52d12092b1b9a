"""Tokens of the clients: sent to the board that they are for, and to nobody else; errors name the missing role."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from tests.hostile import answering, body, redirect
from tests.security.access import Accounts
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

import tickboard
from tickboard.access.roles import Role
from tickboard.client import connection
from tickboard.client.authorization import authorized, may_follow
from tickboard.client.fetch import _server
from tickboard.errors import InputError, RefusedError
from tickboard.output.secrets import redacted

TOKEN = "tickboard_0123456789012345678901234567890123456789012"


class Board:
    """A board that needs a login, and a token of each role."""

    def __init__(self, server: Server, tokens: dict[str, str]) -> None:
        self.server, self.url = server, server.url
        self.viewer, self.sender, self.operator = (tokens[role] for role in ("viewer", "sender", "operator"))


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    roles: tuple[Role, ...] = ("viewer", "sender", "operator")
    tokens: dict[str, str] = {role: accounts.token(role) for role in roles}
    history = accounts.file.path.parent / "history.sqlite"
    with serve("run", BOARD, "--auth", "required", *accounts.flags, "--history", str(history)) as server:
        yield Board(server, tokens)


async def first_tick(url: str, token: str | None = None) -> tickboard.Tick:
    async with tickboard.connect(url, token=token) as ticks:
        return await anext(ticks)


def pushed(url: str, token: str | None = None) -> tickboard.Push:
    client = tickboard.push(url, interval="20ms", token=token)
    client.gauge("pushed").set(1)
    client.flush(20)
    client.close()
    return client


def read(url: str, token: str | None = None) -> object:
    return tickboard.history(url, "cpu", start="-1m", token=token)


def test_each_client_sends_its_token(board: Board) -> None:
    assert asyncio.run(first_tick(board.url, board.viewer)).position
    assert pushed(board.url, board.sender).sent == 1
    assert read(board.url, board.viewer) is not None
    assert tickboard.changes(board.url, start="-10s", token=board.viewer) is not None
    assert tickboard.mark(board.url, "released", by="me", token=board.operator).by == "a operator"


def test_the_environment_has_a_token_for_all_of_them(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKBOARD_TOKEN", board.operator)
    assert asyncio.run(first_tick(board.url)).position
    assert read(board.url) is not None
    assert tickboard.mark(board.url, "deployed").by == "a operator"
    monkeypatch.setenv("TICKBOARD_TOKEN", board.sender)
    assert pushed(board.url).sent == 1
    # The argument wins.
    assert read(board.url, board.viewer) is not None


@pytest.mark.parametrize(
    ("call", "needed"),
    [
        (lambda url, token: asyncio.run(first_tick(url, token)), "viewer"),
        (read, "viewer"),
        (lambda url, token: tickboard.changes(url, start="-10s", token=token), "viewer"),
        (lambda url, token: tickboard.mark(url, "x", token=token), "operator"),
    ],
    ids=["connect", "history", "changes", "mark"],
)
def test_an_error_names_the_role_that_is_missing(
    board: Board, call: Callable[[str, str | None], object], needed: str
) -> None:
    for token, status in ((None, "401"), (TOKEN, "401"), (board.sender, "403")):
        with pytest.raises(RefusedError, match=f"{status}.*this needs the role {needed}"):
            call(board.url, token)


def test_push_logs_the_role_that_is_missing(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    assert pushed(board.url, board.viewer).refused == 1
    assert "this needs the role sender, and a viewer is a viewer" in caplog.text
    assert pushed(board.url).refused == 1


@pytest.mark.parametrize(
    ("url", "headers", "token"),
    [
        ("http://a", {"authorization": "Basic x"}, TOKEN),
        ("http://me:word@a", {}, TOKEN),
        ("http://a", {}, ""),
        ("http://a", {}, "a b"),
        ("http://a", {}, "a\nb"),
        ("http://a", {}, "ü"),
        ("http://a", {}, 5),
    ],
)
def test_a_token_that_cannot_be_sent_is_refused(url: str, headers: dict[str, str], token: Any) -> None:
    with pytest.raises(InputError, match="token="):
        authorized(url, headers, token)


def test_another_credential_is_sent_instead_of_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKBOARD_TOKEN", TOKEN)
    assert authorized("http://a", {"X": "y"}, None) == {"X": "y", "Authorization": f"Bearer {TOKEN}"}
    assert authorized("http://a", {"AUTHORIZATION": "Basic x"}, None) == {"AUTHORIZATION": "Basic x"}
    assert authorized("http://me:word@a", {}, None) == {}
    assert TOKEN not in redacted(f"it said {TOKEN}")
    monkeypatch.setenv("TICKBOARD_TOKEN", " ")
    assert authorized("http://a", {}, None) == {}


CALLS: dict[str, Callable[[str, str | None], object]] = {
    "connect": lambda url, token: asyncio.run(first_tick(url, token)),
    "history": read,
    "mark": lambda url, token: tickboard.mark(url, "x", token=token),
    "push": pushed,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_no_redirect_carries_a_token_to_another_host_or_port(call: str, status: str) -> None:
    there: list[bytes] = []
    with answering(body(b"{}"), there) as other:
        for host in ("127.0.0.1", "localhost"):
            target = f"http://{host}:{other}/elsewhere"
            here: list[bytes] = []
            answers = body(b"", f"Location: {target}", status=status)
            with answering(answers, here) as port, contextlib.suppress(RefusedError):
                CALLS[call](f"http://127.0.0.1:{port}", TOKEN)
            assert here
            assert f"Bearer {TOKEN}".encode() in here[0]
    assert all(TOKEN.encode() not in each for each in there)


@pytest.mark.parametrize(
    ("here", "there", "carries"),
    [
        ("ws://board/ws/metrics", "wss://board/ws/metrics", True),
        ("ws://board:80/", "wss://board:443/", True),
        ("ws://board/", "ws://board/elsewhere", True),
        ("wss://board:8443/", "wss://board:8443/elsewhere", True),
        ("ws://board/", "wss://board:8443/", False),
        ("ws://board:3000/", "wss://board/", False),
        ("ws://board:3000/", "wss://board:3000/", False),
        ("ws://board:3000/", "ws://board:3001/", False),
        ("wss://board/", "wss://board:444/", False),
    ],
)
async def test_a_redirect_to_another_port_carries_it_from_http_to_https_alone(
    here: str, there: str, carries: bool
) -> None:
    opening = connection._Opening(here, additional_headers={"Authorization": f"Bearer {TOKEN}"})
    redirects = InvalidStatus(Response(302, "Found", Headers({"Location": there})))
    assert opening.process_redirect(redirects) == there
    assert opening.additional_headers is not None
    assert ("Authorization" in Headers(opening.additional_headers)) is carries
    # Documents are fetched by the same rule.
    servers = [_server(httpx.URL(each.replace("ws", "http", 1))) for each in (here, there)]
    assert may_follow(*servers) is carries


def test_a_redirect_within_the_server_carries_it() -> None:
    asked: list[bytes] = []
    with answering(redirect("/elsewhere"), asked) as port, pytest.raises(RefusedError):
        read(f"http://127.0.0.1:{port}", TOKEN)
    assert len(asked) > 1
    assert all(f"Bearer {TOKEN}".encode() in each for each in asked)


def test_an_opentelemetry_exporter_sends_it_in_a_header(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{board.sender}")
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{board.url}v1/metrics"), 60_000)
    provider = MeterProvider([reader])
    provider.get_meter("test").create_gauge("exported").set(3)
    assert provider.force_flush(20_000)
    provider.shutdown()
    recent = {"Authorization": f"Bearer {board.viewer}"}

    def names() -> set[str]:
        return {each["name"] for each in httpx.get(f"{board.url}api/metrics/recent", headers=recent).json()}

    board.server.wait_for(lambda: "exported" in names())


@pytest.mark.parametrize(
    ("command", "role"), [(("health",), "viewer"), (("mark", "released", "--url"), "operator")], ids=["health", "mark"]
)
def test_a_command_takes_it_from_the_environment(board: Board, command: tuple[str, ...], role: str) -> None:
    for token, shows in ((getattr(board, role), True), ("", False)):
        ran = subprocess.run(
            [sys.executable, "-m", "tickboard", *command, board.url],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"TICKBOARD_TOKEN": token},
            check=False,
        )
        assert ("sampler fail" in ran.stdout or "released" in ran.stdout) is shows, ran
        # Health in brief is for anyone.
        assert ran.returncode == (0 if shows or command == ("health",) else 1)
