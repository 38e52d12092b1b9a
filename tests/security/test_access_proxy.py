"""A trusted proxy names people: from its own address only, and nobody else can."""

from collections.abc import Iterator

import httpx
import pytest
from tests.security.access import INCLUDES, READ, WRITE, Accounts, allowed
from tests.security.raw import exchange, handshake
from tests.security.test_access_routes import BOARD, request
from tests.serving import Server, serve

from tickboard.access.roles import PEOPLE_ROLES
from tickboard.errors import InputError
from tickboard.server.access.trusted_proxy import TrustedProxy
from tickboard.server.requests.proxied import PEER

HEADER = "Remote-User"

FROM_HERE = ("--trusted-proxy", "127.0.0.1", "--proxy-user-header", HEADER)
FROM_ELSEWHERE = ("--trusted-proxy", "192.0.2.0/24", "--proxy-user-header", HEADER)


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    for role in PEOPLE_ROLES:
        accounts.person(f"the {role}", role)
    return accounts


@pytest.fixture(scope="module")
def server(accounts: Accounts) -> Iterator[Server]:
    with serve("run", BOARD, *FROM_HERE, *accounts.flags) as running:
        yield running


def status(server: Server, path: str, method: str = "GET", **headers: str) -> int:
    return exchange(server.port, request(method, path, **headers)).status


@pytest.mark.parametrize("role", [each for each in INCLUDES if each != "sender"])
def test_every_route_needs_its_role(server: Server, role: str) -> None:
    headers = {} if role == "nobody" else {HEADER: f"the {role}"}
    refused = 401 if role == "nobody" else 403
    for method, table in (("GET", READ), ("POST", WRITE)):
        for path, needed in table.items():
            got = status(server, path, method, **headers)
            assert (got == refused) is (not allowed(role, needed)), (role, method, path, got)
    opened = exchange(server.port, handshake(**headers)).status
    assert opened == (101 if allowed(role, "viewer") else refused)


def test_somebody_who_is_not_known_is_a_viewer(server: Server) -> None:
    new = {HEADER: "new@example.com"}
    assert httpx.get(f"{server.url}api/me", headers=new).json() == {"name": "new@example.com", "role": "viewer"}
    assert status(server, "/api/marks", "POST", **new) == 403


def test_a_name_may_be_in_utf_8(server: Server) -> None:
    sent = {HEADER.encode(): "J\u00fcrgen".encode()}
    assert httpx.get(f"{server.url}api/me", headers=sent).json()["name"] == "J\u00fcrgen"


@pytest.mark.parametrize("name", ["", " ", "a\tb", "x" * 201, "\x1b[31m"])
def test_something_that_is_no_name_is_nobody(server: Server, name: str) -> None:
    assert status(server, "/api/board", **{HEADER: name}) in {400, 401}


def test_two_names_are_nobody(server: Server) -> None:
    assert status(server, "/api/board", **{"Remote-User": "the admin", "remote-user": "ann"}) == 401


def test_a_token_counts_for_more_than_the_name(server: Server, accounts: Accounts) -> None:
    token = {"Authorization": f"Bearer {accounts.token('sender')}"}
    server.wait_for(lambda: status(server, "/api/board", **token) == 403)
    assert status(server, "/api/board", **token, **{HEADER: "the admin"}) == 403
    assert status(server, "/api/board", Authorization="Bearer x", **{HEADER: "the admin"}) == 401


def test_a_change_is_signed_with_the_name(server: Server) -> None:
    made = httpx.post(f"{server.url}api/marks", json={"text": "x", "by": "m"}, headers={HEADER: "the operator"})
    assert made.json()["by"] == "the operator"


def test_another_site_cannot_write_with_the_name_that_the_proxy_adds(server: Server) -> None:
    assert status(server, "/api/marks", "POST", Origin="http://evil.example", **{HEADER: "the admin"}) == 403


@pytest.mark.parametrize(
    "forwarded", [{}, {"X-Forwarded-For": "192.0.2.7"}, {"Forwarded": "for=192.0.2.7"}, {"X-Real-IP": "192.0.2.7"}]
)
def test_from_another_address_the_header_says_nothing(accounts: Accounts, forwarded: dict[str, str]) -> None:
    with serve("run", BOARD, *FROM_ELSEWHERE, *accounts.flags) as running:
        for name in ("the admin", "new"):
            assert status(running, "/api/board", **{HEADER: name}, **forwarded) == 401
            assert exchange(running.port, handshake(**{HEADER: name}, **forwarded)).status == 401


def test_a_page_with_a_rebound_name_cannot_say_who_it_is(accounts: Accounts) -> None:
    admin = {HEADER: "the admin"}
    flags = ("--host", "0.0.0.0", "--allow-host", "board.example.com", *FROM_HERE, *accounts.flags)
    with serve("run", BOARD, *flags) as running:

        def statuses(host: str) -> set[int]:
            origin = {"Origin": f"http://{host}"}
            asked = (
                request(host=host, **admin),
                request("POST", "/api/alerts/ack", host=host, **admin, **origin),
                handshake(host=host, **admin, **origin),
            )
            return {exchange(running.port, each).status for each in asked}

        for host in ("evil.example", f"evil.example:{running.port}", "board.example.com.evil.example"):
            assert statuses(host) == {401}, host
        for host in ("localhost", f"127.0.0.1:{running.port}", "board.example.com", "Board.Example.com:8080"):
            assert 401 not in statuses(host), host
        running.wait_for(lambda: "is not believed" in running.output())
        assert running.output().count("is not believed") == 1


def from_proxy(peer: str, server: str, *hosts: str) -> bool:
    proxy = TrustedProxy.read(["127.0.0.1", "10.0.0.0/24", "::1"], HEADER, "viewer")
    return proxy.sends({PEER: peer, "server": (server, 3000)}, {"host": hosts}, lambda: {"board.example.com"})


def test_only_beside_a_browser_the_host_matters() -> None:
    for peer, server in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("10.0.0.5", "10.0.0.5")):
        assert not from_proxy(peer, server, "evil.example")
        assert not from_proxy(peer, server)
        assert not from_proxy(peer, server, "localhost", "localhost")
        assert from_proxy(peer, server, "10.0.0.5:3000")
        assert from_proxy(peer, server, "[::1]:3000")
        assert from_proxy(peer, server, "board.example.com")
    assert from_proxy("10.0.0.2", "10.0.0.5", "any.example")
    assert not from_proxy("192.0.2.1", "10.0.0.5", "board.example.com")


def test_without_a_role_for_strangers_only_users_get_in(accounts: Accounts) -> None:
    with serve("run", BOARD, *FROM_HERE, *accounts.flags, "--proxy-role", "none") as running:
        assert status(running, "/api/board", **{HEADER: "new"}) == 401
        assert status(running, "/api/board", **{HEADER: "the viewer"}) == 200


@pytest.mark.parametrize(
    ("networks", "header", "why"),
    [
        ([], "Remote-User", "give the proxy's address"),
        (["10.0.0.1"], None, "give its name"),
        (["10.0.0.1"], "a b", "--proxy-user-header=a b: give the name of a header"),
        (["10.0.0.1/8"], "Remote-User", "give an address or a network"),
        (["proxy.example"], "Remote-User", "give an address or a network"),
        (["0.0.0.0/0"], "Remote-User", "that is everyone"),
        (["::/0"], "Remote-User", "that is everyone"),
    ],
)
def test_a_bad_proxy_is_refused(networks: list[str], header: str | None, why: str) -> None:
    with pytest.raises(InputError, match=why):
        TrustedProxy.read(networks, header, "viewer")


@pytest.mark.parametrize(
    ("peer", "is_one"),
    [
        ("10.0.0.7", True),
        ("::ffff:10.0.0.7", True),
        ("10.0.1.7", False),
        ("fd00::1", True),
        ("fd00::2", False),
        ("", False),
        ("/run/proxy.sock", False),
        ("10.0.0.7, 192.0.2.1", False),
    ],
)
def test_addresses_of_the_proxy(peer: str, is_one: bool) -> None:
    assert TrustedProxy.read(["10.0.0.0/24", "fd00::1"], "X", "viewer").includes(peer) is is_one
