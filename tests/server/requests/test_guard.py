"""Which requests are allowed, by their Host and the Origin of the page that makes them."""

import asyncio
import json
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tickboard.server.requests.guard import MAX_LOGGED, Guard, is_foreign
from tickboard.server.requests.places import split_host


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"passed"})


def ask(guard: Guard, method: str = "GET", version: str = "1.1", **headers: str) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "http_version": version, "path": "/", "headers": raw}

    async def call() -> None:
        await guard(scope, receive, send)

    asyncio.run(call())
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:3000", "localhost:3000"),
        ("http://LOCALHOST:3000", "LocalHost:3000"),
        ("http://board.example", "board.example"),
        ("http://board.example", "board.example:80"),
        ("http://board.example:80", "board.example"),
        ("https://board.example", "board.example:443"),
        ("https://board.example", "board.example"),
        ("https://board.example:443", "board.example"),
        ("https://board.example.", "board.example:"),
        ("http://[::1]:3000", "[::1]:3000"),
        ("http://[::1]:3000", "[0:0:0:0:0:0:0:1]:3000"),
    ],
)
def test_a_page_of_the_same_origin_is_not_foreign(origin: str, host: str) -> None:
    assert not is_foreign({"origin": [origin], "host": [host]})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:5173", "localhost:3000"),
        ("http://localhost:8080", "localhost"),
        ("https://board.example", "board.example:80"),
        ("http://board.example", "board.example:443"),
        ("https://board.example:8443", "board.example:443"),
        ("http://evil.example", "board.example"),
        ("http://board.example.evil.example", "board.example"),
        ("http://evil.example@board.example", "board.example"),
        ("http://board.example/", "board.example"),
        ("http://board.example", "evil.example@board.example"),
        ("file://", ""),
        ("null", "null"),
        ("", ""),
        ("http://", ""),
        ("http://[", "["),
        ("http://[::1", "[::1"),
        ("moz-extension://board.example", "board.example"),
        ("http://board.example:0x50", "board.example"),
    ],
)
def test_a_page_of_another_origin_is_foreign(origin: str, host: str) -> None:
    assert is_foreign({"origin": [origin], "host": [host]})


def test_x_forwarded_host_is_ignored() -> None:
    """A page of another site may send it if an application allows all pages to."""
    assert is_foreign(
        {"origin": ["http://evil.example"], "host": ["board.example"], "x-forwarded-host": ["evil.example"]}
    )


@pytest.mark.parametrize(
    ("origin", "host", "said"),
    [
        ("http://localhost:8080", "localhost", "a proxy that passes Host on without its port has to pass it on"),
        ("http://localhost:8080", "localhost:80", "a proxy that passes Host on with another port has to pass it on"),
        ("https://board.example", "127.0.0.1:3000", "configure the proxy to pass Host on"),
    ],
)
def test_a_refusal_names_the_proxy_setting_to_change(
    origin: str, host: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard(app, "127.0.0.1")
    for _ in range(3):
        status, body = ask(guard, "POST", host=host, origin=origin)
        assert status == 403
        assert said in body.decode()
        assert "proxy_set_header Host $http_host;" in body.decode()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert said in caplog.text


def test_the_refusal_of_a_host_names_it_and_the_flag(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(app, "127.0.0.1")
    for host in ("board.example:8080", "board.example"):
        status, body = ask(guard, host=host)
        assert status == 421
        assert "start it with --allow-host board.example" in body.decode()
    assert len(caplog.records) == 1
    assert "--allow-host NAME" in ask(guard, host="a';rm")[1].decode()


def test_many_invented_hosts_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(app, "127.0.0.1")
    for number in range(MAX_LOGGED + 30):
        assert ask(guard, host=f"n{number}.example")[0] == 421
    assert len(caplog.records) == MAX_LOGGED


@pytest.mark.parametrize("bound", ["127.0.0.1", "127.0.1.1", "::1", "::ffff:127.0.0.1"])
def test_on_loopback_only_hosts_of_this_machine_are_answered(bound: str) -> None:
    guard = Guard(app, bound, ["My-Machine", "[fd00::1]", "Dash.example:8080"])
    for host in (
        "localhost",
        "localhost.:3000",
        "127.0.0.1:3000",
        "127.0.1.1",
        "[::1]:3000",
        "[::ffff:127.0.0.1]",
        "my-machine:3000",
        "[fd00::1]:3000",
        "dash.example",
    ):
        assert ask(guard, host=host) == (200, b"passed"), host
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", "[", "", "a b"):
        assert ask(guard, host=host)[0] == 421, host


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])  # nothing is bound
@pytest.mark.parametrize("host", ["a b", "user@localhost", "localhost:0", "[", "a" * 300 + "@"])
def test_a_malformed_host_is_refused_with_an_error_that_names_it(bound: str, host: str) -> None:
    status, body = ask(Guard(app, bound), host=host)
    assert status == 421
    said = f"Host '{host[:200]}' is not a name and port: send it as board.example.com:3000"
    assert json.loads(body) == {"error": said}


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "192.0.2.1", "fd00::1"])  # nothing is bound
def test_off_loopback_any_host_is_answered_and_foreign_origins_are_refused(bound: str) -> None:
    guard = Guard(app, bound)
    assert ask(guard, host="any.example")[0] == 200
    assert ask(guard, "POST", host="any.example", origin="http://evil.example")[0] == 403


def test_http_1_1_requires_a_host_and_http_1_0_does_not() -> None:
    for bound in ("127.0.0.1", "0.0.0.0"):  # nothing is bound
        guard = Guard(app, bound)
        assert ask(guard)[0] == 400
        assert ask(guard, version="1.0")[0] == 200
    assert ask(Guard(app, "127.0.0.1"), version="1.0", host="evil.example")[0] == 421
    assert ask(Guard(app, "127.0.0.1"), "POST", version="1.0", origin="http://evil.example")[0] == 403


def test_a_host_is_split_and_normalized() -> None:
    assert split_host("Board.Example.:08080") == ("board.example", 8080)
    assert split_host("[FD00::0001]") == ("fd00::1", None)
    assert split_host("a:b") is None
