"""X-Forwarded-For: trusted only from a proxy on this machine, and harmless whatever it contains."""

import contextlib
import socket
from typing import Any

import psutil
import pytest
from tests.security.raw import exchange, handshake, request
from tests.serving import RawStream, serve

from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.proxied import LONGEST_LIST


def scope(peer: str | None, *lists: str, **more: Any) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", text.encode("latin-1")) for text in lists]
    return {"type": "http", "client": None if peer is None else (peer, 5), "headers": headers, **more}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    ("lists", "address"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
        (["198.51.100.1,192.0.2.7:4711"], "192.0.2.7"),
        (["192.0.2.7, 127.0.0.1"], "192.0.2.7"),
        (["192.0.2.7, unknown"], "192.0.2.7"),
        (["192.0.2.7, , "], "192.0.2.7"),
        (["192.0.2.7,\x1b[31m,_hidden,300.1.1.1,192.0.2"], "192.0.2.7"),
        (["192.0.2.7," + "9" * 10_000], "192.0.2.7"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        (["[2001:db8:1:2:3:4:5:6]:4711"], "2001:db8:1:2::/64"),
        (["2001:db8:1:2::1%\x1b[31m"], "2001:db8:1:2::/64"),
    ],
)
def test_behind_a_local_proxy_the_last_address_of_the_list_counts(peer: str, lists: list[str], address: str) -> None:
    assert address_of(scope(peer, *lists)) == address


@pytest.mark.parametrize(
    "said", ["", "unknown", "evil.example", "127.0.0.1", "::1", "\x1b]0;x\x07", "1", "0x7f.1", ","]
)
def test_a_list_without_an_address_falls_back_to_the_peer(said: str) -> None:
    assert address_of(scope("127.0.0.1", said)) == "127.0.0.1"


def test_only_the_last_entries_of_a_list_are_read() -> None:
    assert address_of(scope("127.0.0.1", "192.0.2.7" + ",x" * (LONGEST_LIST - 1))) == "192.0.2.7"
    assert address_of(scope("127.0.0.1", "192.0.2.7" + ",x" * LONGEST_LIST)) == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("128.0.0.1", "128.0.0.1"),
        (None, "an unknown address"),
        ("", "an unknown address"),
        ("testclient", "testclient"),
        ("/run/a socket", "/run/a socket"),
        ("\x1b[31m\r\nforged", r"\x1b[31m  forged"),
    ],
)
def test_the_header_of_any_other_peer_is_ignored(peer: str | None, address: str) -> None:
    assert address_of(scope(peer, "203.0.113.9")) == address


def test_limits_and_the_log_use_the_forwarded_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # uvicorn's own setting, with which it would trust any peer.
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    flags = ("--auth", "none", "--max-per-address", "1", "--log-level", "info")
    with serve(*flags) as server, contextlib.ExitStack() as streams:
        for said in ("198.51.100.1, 192.0.2.1", "198.51.100.1, 192.0.2.2", "192.0.2.3, \x9b31m"):
            asked = request(target="/events/alerts", X_Forwarded_For=said).decode("latin-1")
            streams.enter_context(RawStream(server.port, asked))
        answer = exchange(server.port, handshake(X_Forwarded_For="203.0.113.9, 192.0.2.1"))
        assert answer.status == 503
        assert b"192.0.2.1" in answer.body
        server.wait_for(lambda: "connected from 192.0.2.3" in server.output())
        for said in ("192.0.2.1", "192.0.2.2"):
            assert f"alert stream connected from {said}\n" in server.output()
        assert "\x9b" not in server.output()


def outside() -> str | None:
    """Return an address of this machine other than loopback, or None."""
    found = [each.address for all_ in psutil.net_if_addrs().values() for each in all_ if each.family == socket.AF_INET]
    return next((address for address in found if not address.startswith("127.")), None)


def test_a_peer_off_loopback_cannot_forward_for_others() -> None:
    address = outside()
    if address is None:
        pytest.skip("this machine has no address but loopback's")
    with serve("--host", "0.0.0.0", "--auth", "none", "--max-per-address", "1") as server, RawStream(server.port):
        stream = socket.create_connection((address, server.port), 10)
        with stream:
            stream.sendall(request(target="/events/alerts", host=address, X_Forwarded_For="192.0.2.1"))
            assert b"200" in stream.recv(1_000)
            answer = exchange(server.port, handshake(X_Forwarded_For="192.0.2.2"), address)
            assert answer.status == 503
            assert address.encode() in answer.body


def test_a_redirect_uses_the_scheme_forwarded_by_a_local_proxy() -> None:
    with serve("--auth", "none") as server:
        for said, scheme in {"https": "https", "HTTPS ": "https", "http": "http", "wss": "https"}.items():
            answer = exchange(server.port, request(target="/api/stats/", X_Forwarded_Proto=said))
            assert answer.headers["location"] == f"{scheme}://localhost/api/stats"
        for said in ("javascript", "https, http", "", "file"):
            answer = exchange(server.port, request(target="/api/stats/", X_Forwarded_Proto=said))
            assert answer.headers["location"] == "http://localhost/api/stats"
