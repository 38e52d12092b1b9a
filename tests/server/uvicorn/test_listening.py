"""Whether a server is on loopback depends on the address of its socket, however the host was written."""

import socket
from typing import Any

import pytest
from tests.serving import has_ipv6

from tickboard.errors import InputError
from tickboard.server.uvicorn.listening import is_loopback, listen, url_of


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Resolve every name to these addresses, as a hosts file may."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("host", "bound", "loopback", "shown"),
    [
        ("127.0.0.1", "127.0.0.1", True, "127.0.0.1"),
        ("localhost", None, True, "localhost"),
        ("[::1]", "::1", True, "[::1]"),
        ("::1", "::1", True, "[::1]"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", True, "127.0.0.1"),
        ("127.1", "127.0.0.1", True, "127.1"),
        ("0", "0.0.0.0", False, "127.0.0.1"),  # only briefly
        ("0.0.0.0", "0.0.0.0", False, "127.0.0.1"),  # only briefly
        ("[::]", "::", False, "[::1]"),
    ],
)
def test_the_bound_address_decides_who_can_reach_the_server(
    host: str, bound: str | None, loopback: bool, shown: str
) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen(host, 0) as listening:
        address, port = listening.getsockname()[:2]
        assert address == bound or bound is None
        assert is_loopback(address) == loopback
        assert url_of(host, listening) == f"http://{shown}:{port}"


def test_the_name_of_this_machine_may_resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "127.0.1.1")
    with listen("my-machine", 0) as listening:
        address, port = listening.getsockname()
        assert address == "127.0.1.1"
        assert is_loopback(address)
        assert url_of("my-machine", listening) == f"http://my-machine:{port}"


def test_a_name_is_bound_to_its_first_address_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve(monkeypatch, "192.0.2.1", "127.0.0.1")
    with listen("localhost", 0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_an_error_even_if_another_address_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        resolve(monkeypatch, "127.0.0.1", "127.0.0.2")
        with pytest.raises(InputError, match=f"port {port} is taken: .* --port=N$"):
            listen("localhost", port)


@pytest.mark.parametrize("host", ["", "[]", "256.1.1.1", "192.0.2.1", "a" * 300, "a..b", "[::1", "no.such.invalid"])
def test_a_host_that_cannot_be_bound_is_named_in_the_error(host: str) -> None:
    with pytest.raises(InputError, match="--host=") as raised:
        listen(host, 0)
    assert "\n" not in str(raised.value)
