"""Host: a server bound to loopback answers only to loopback names, however the address and the name are written."""

import asyncio
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.security.raw import exchange, handshake, request
from tests.serving import Server, serve

from tickboard import Board
from tickboard.errors import InputError
from tickboard.server.requests.allowed import FLAG, Allowed
from tickboard.server.requests.guard import Guard
from tickboard.server.uvicorn.listening import listen

EMPTY = str(Path(__file__).parents[1] / "boards" / "empty.py")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # With --auth none, since a header of a proxy would need a login.
    with serve("run", EMPTY, "--allow-host", "Board.Example", "--auth", "none") as running:
        yield running


def names_of_loopback() -> list[str]:
    """Return the names of loopback in this machine's hosts file."""
    names = []
    for line in Path("/etc/hosts").read_text().splitlines():
        address, *others = line.partition("#")[0].split() or [""]
        try:
            if ipaddress.ip_address(address).is_loopback:
                names += others
        except ValueError:
            continue
    return names


# --- the address that is bound ---


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def status(guard: Guard, host: str, server: tuple[str, int | None] | None = None) -> int:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"host", host.encode())]
    scope = {"type": "http", "http_version": "1.1", "method": "GET", "path": "/", "headers": headers, "server": server}

    async def call() -> None:
        await guard(scope, receive, send)

    asyncio.run(call())
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "127.0.0.9",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "localhost",
        "LocalHost",
        "localhost.",
        "::1",
        "[::1]",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
        "[::FFFF:7f00:1]",
        "::1%lo",
        *names_of_loopback(),
    ],
)
def test_a_server_on_loopback_is_guarded_however_it_is_written(host: str) -> None:
    try:
        listening = listen(host, 0)
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"this machine has no such address: {error}")
    with listening:
        guard = Guard(answer, listening.getsockname()[0], [host])
    assert status(guard, "evil.example") == 421
    assert status(guard, "localhost") == status(guard, "127.0.0.1") == status(guard, "[::1]") == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "0x0", "::", "[::]", "::ffff:0.0.0.0"])
def test_a_server_on_all_addresses_answers_to_any_host(host: str) -> None:
    with listen(host, 0) as listening:
        guard = Guard(answer, listening.getsockname()[0], [host])
    assert status(guard, "any.example") == 200


@pytest.mark.parametrize("server", [None, ("/run/board.sock", None), ("testserver", 80), ("192.0.2.1", 80)])
def test_a_server_that_reports_no_loopback_address_is_not_guarded(server: tuple[str, int | None] | None) -> None:
    assert status(Guard(answer), "any.example", server) == 200


@pytest.mark.parametrize("bind", ["127.0.0.1", "::1", "0.0.0.0"])
def test_the_bound_address_of_another_server_is_looked_up(bind: str) -> None:
    loopback = "::1" if ":" in bind else "127.0.0.1"
    with listen(bind, 0) as listening:
        port = listening.getsockname()[1]
        guard = Guard(answer)
        assert status(guard, "any.example", (loopback, port)) == (200 if bind == "0.0.0.0" else 421)
        # The result is remembered, not looked up for each request.
    assert status(guard, "any.example", (loopback, port)) == (200 if bind == "0.0.0.0" else 421)
    # Without that information, the connection's own address decides.
    assert status(Guard(answer), "any.example", (loopback, port)) == 421


# --- the Host of a request ---

ANSWERED = [
    "localhost",
    "LOCALHOST:3000",
    "localhost.",
    "localhost:",
    "localhost:65535",
    "127.0.0.1",
    "127.8.9.10:1",
    "[::1]",
    "[0:0::1]:80",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]:80",
    "board.example",
    "BOARD.example.:8080",
]

REFUSED: list[str | bytes] = [
    "",
    "evil.example",
    "localhost.evil.example",
    "evil.localhost.example",
    "localhost..",
    ".localhost",
    "xlocalhost",
    "127.0.0.1.nip.example",
    "sub.board.example",
    # Addresses are accepted as browsers write them.
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.256",
    "0.0.0.0",
    "0",
    "[::]",
    "[::ffff:0.0.0.0]",
    "[::ffff:192.0.2.1]",
    "192.0.2.1",
    "[fe80::1%lo]",
    "[::1%25lo]",
    "[::1",
    "::1",
    "[localhost]",
    # More than a name and a port.
    "localhost:0",
    "localhost:65536",
    "localhost:99999",
    "localhost:-1",
    "localhost:+80",
    "localhost:0x50",
    "localhost:80:80",
    "user@localhost",
    "localhost@evil.example",
    "evil.example@localhost",
    "user:secret@127.0.0.1",
    "http://localhost",
    "localhost/",
    "localhost/../evil.example",
    "localhost?evil.example",
    "localhost#evil.example",
    "localhost\\evil.example",
    "localhost,evil.example",
    "evil.example, localhost",
    "localhost evil.example",
    "localhost\tevil.example",
    "localhost;evil.example",
    "'localhost'",
    "*",
    # Unicode letters that other programs treat as these.
    "%6cocalhost",
    "l\u03bfcalhost",
    "\u24dbocalhost",
    "localho\u017ft",
    "localhost\uff0e",
    "localhost\u3002",
    "localhost:\uff18\uff10",
    "xn--lcalhost-54a",
    "b\u00fccher.example",
    b"localhost\xa0",
    b"\xfflocalhost",
    b"localhost\x00",
    b"localhost\x1b[31m",
]


@pytest.mark.parametrize("host", ANSWERED)
def test_loopback_names_and_allowed_hosts_are_answered(server: Server, host: str) -> None:
    assert exchange(server.port, request(host=host)).status == 200
    assert exchange(server.port, handshake(host=host)).status == 101


@pytest.mark.parametrize("host", REFUSED)
def test_any_other_host_is_refused(server: Server, host: str | bytes) -> None:
    for asked in (
        request(host=host),
        handshake(host=host),
        request("POST", "/api/metrics", host, b'{"name": "pushed", "value": 1}'),
    ):
        assert exchange(server.port, asked).status in {400, 421}
    assert "pushed" not in server.json("/api/stats")


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host",
        "X-Host",
        "X-Original-Host",
        "X-Forwarded-Server",
        "X-HTTP-Host-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
    ],
)
def test_no_other_header_replaces_the_host(server: Server, header: str) -> None:
    asked: list[dict[str, Any]] = [{header.replace("-", "_"): name} for name in ("localhost", "evil.example")]
    assert exchange(server.port, request(host="evil.example", **asked[0])).status == 421
    assert exchange(server.port, request(host="localhost", **asked[1])).status == 200


def test_the_forwarded_header_does_not_replace_the_host(server: Server) -> None:
    assert exchange(server.port, request(host="evil.example", Forwarded="host=localhost")).status == 421


def test_a_request_must_have_exactly_one_host(server: Server) -> None:
    twice = request(host="localhost").replace(b"Host:", b"Host: evil.example\r\nHost:", 1)
    assert exchange(server.port, twice).status == 400
    same = request(host="localhost").replace(b"Host:", b"Host: localhost\r\nHost:", 1)
    assert exchange(server.port, same).status == 400
    assert exchange(server.port, request(host=None)).status == 400
    assert exchange(server.port, request(host=None, version="1.0")).status == 200
    assert exchange(server.port, request(host="evil.example", version="1.0")).status == 421


def test_an_absolute_url_in_the_request_does_not_replace_the_host(server: Server) -> None:
    here = f"localhost:{server.port}"
    for name, host in ((here, "evil.example"), ("evil.example", here), ("evil.example", "evil.example")):
        assert exchange(server.port, request(target=f"http://{name}/api/stats", host=host)).status in {400, 421}
    assert exchange(server.port, request(target=f"http://{here}/api/stats", host=here)).status == 200


def test_off_loopback_any_valid_host_is_answered() -> None:
    with serve("run", EMPTY, "--host", "0.0.0.0", "--auth", "none") as running:
        for host in ("evil.example", "192.0.2.1", "my_board:80", "", "b\u00fccher.example"):
            assert exchange(running.port, request(host=host)).status == 200, host
        for host in ("a b", "evil.example/x?y", "a@b", "[", "a:0", "a:65536", "a:b"):
            assert exchange(running.port, request(host=host)).status == 421, host


# --- allowed hosts ---


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("host", "*", "give each name; there are no wildcards"),
        ("host", "*.example.com", "give each name; there are no wildcards"),
        ("host", "", "give only a name, such as board.example.com"),
        ("host", "http://a.example", "give only a name, such as board.example.com"),
        ("host", "a.example/x", "give only a name"),
        ("host", "a b", "give only a name"),
        ("host", "a;b", "give only a name"),
        ("host", "a:65536", "give only a name"),
        ("host", "b\u00fc..cher", "give only a name"),
        ("host", "b\u00fccher.example", "write the name as browsers send it, xn--bcher-kva.example"),
        ("origin", "*", "give each origin; there are no wildcards"),
        ("origin", "https://*.example.com", "give each origin; there are no wildcards"),
        ("origin", "null", "every sandboxed page has this origin"),
        ("origin", "a.example", "give a scheme, a name and a port, as in https://wiki.example.com"),
        ("origin", "https://a.example/", "give a scheme, a name and a port"),
        ("origin", "https://a.example/x", "give a scheme, a name and a port"),
        ("origin", "https://u@a.example", "give a scheme, a name and a port"),
        ("origin", "https://", "give a scheme, a name and a port"),
        ("origin", "", "give a scheme, a name and a port"),
        ("origin", "file://", "give a scheme, a name and a port"),
        ("origin", "https://b\u00fccher.example", "write the name as browsers send it, xn--bcher-kva.example"),
        ("origin", "https://a;b", "this is not a valid site name"),
        ("frame", "*", "give each origin; there are no wildcards"),
        ("frame", "https://a.example; script-src x", "give a scheme, a name and a port"),
        ("frame", "https://a.example;x", "this is not a valid site name"),
        ("frame", "https://a.example,x", "this is not a valid site name"),
        ("frame", "none", "give a scheme, a name and a port"),
        ("frame", "http://[::1]:8080", "a policy for frames cannot contain IPv6 addresses: give a name"),
    ],
)
def test_an_invalid_allowed_value_is_refused_with_an_error_that_names_it(flag: str, value: str, said: str) -> None:
    given = {f"{kind}s": [value] if kind == flag else [] for kind in ("host", "origin", "frame")}
    with pytest.raises(InputError) as refused:
        Allowed.read(**given, named=FLAG)
    assert str(refused.value).startswith(f"--allow-{flag}={value}: {said}")
    with pytest.raises(InputError) as refused:
        Board(**{f"allow_{flag}s": [value]})  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"Board(allow_{flag}s=[{value!r}]): {said}")
