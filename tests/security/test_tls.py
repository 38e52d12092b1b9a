"""TLS: everything goes through it, for every role, and renewed files are used without a restart."""

import asyncio
import contextlib
import functools
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from tests.security.access import INCLUDES, PASSWORD, READ, WRITE, Accounts, allowed
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve, wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import tickboard
from tickboard.errors import InputError, RefusedError
from tickboard.problems import Problems
from tickboard.server.uvicorn import tls as module
from tickboard.server.uvicorn.tls import PATIENCE_S, Tls

CA = trustme.CA()
OTHER = trustme.CA()


def write(folder: Path, ca: trustme.CA = CA, name: str = "localhost") -> tuple[Path, Path]:
    """Write a new certificate and its key, and return the files."""
    made = ca.issue_cert(name, "127.0.0.1")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    for file, content in (
        (certificate, b"".join(each.bytes() for each in made.cert_chain_pems)),
        (key, made.private_key_pem.bytes()),
    ):
        (folder / "new").write_bytes(content)
        (folder / "new").replace(file)
    return certificate, key


@functools.cache
def trusting(ca: trustme.CA = CA) -> ssl.SSLContext:
    """Return what trusts an authority; reading all others takes 25 ms."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


class Tapped:
    """Passes connections on to a server, and keeps every byte that it sends back."""

    def __init__(self, port: int) -> None:
        self.seen = bytearray()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._to = port
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open += (client, server)
                for here, there, keeps in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pump, args=(here, there, keeps), daemon=True).start()

    def _pump(self, here: socket.socket, there: socket.socket, keeps: bool) -> None:
        with contextlib.suppress(OSError):
            while data := here.recv(65_536):
                if keeps:
                    self.seen += data
                there.sendall(data)
            there.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in (self._listening, *self._open):
            each.close()


class Secure:
    """A server that speaks TLS, and clients that trust its certificate."""

    def __init__(self, server: Server, accounts: Accounts) -> None:
        self.server, self.accounts = server, accounts
        self.url = f"https://localhost:{server.port}/"
        self.ws = f"wss://localhost:{server.port}/ws/metrics"
        self.roles = {role: accounts.headers(role) for role in INCLUDES}

    def get(self, path: str, headers: dict[str, str], method: str = "GET") -> int:
        with httpx.Client(verify=trusting(), trust_env=False, timeout=30) as client:
            if path == "/events/alerts":
                with client.stream(method, self.url[:-1] + path, headers=headers) as answer:
                    return answer.status_code
            return client.request(method, self.url[:-1] + path, headers=headers).status_code


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    folder = tmp_path_factory.mktemp("tls")
    accounts = Accounts(folder / "access.json")
    accounts.person("Ann", "operator")
    certificate, key = write(folder)
    flags = ("--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key), "--hsts", "30")
    with serve("run", BOARD, *flags, *accounts.flags) as server:
        secure = Secure(server, accounts)
        known = [headers for headers in secure.roles.values() if headers]
        server.wait_for(lambda: all(secure.get("/api/board", headers) != 401 for headers in known))
        yield secure


@pytest.mark.parametrize("role", INCLUDES)
def test_every_route_needs_its_role(secure: Secure, role: str) -> None:
    headers, refused = secure.roles[role], 401 if role == "nobody" else 403
    for method, table in (("GET", READ), ("POST", WRITE)):
        for path, needed in table.items():
            if path.startswith("//") or ".." in path or (method == "GET" and path == "/"):
                continue
            status = secure.get(path, headers, method)
            assert (status == refused) is (not allowed(role, needed)), (role, method, path, status)
    opened = False
    with (
        contextlib.suppress(InvalidStatus),
        connect(secure.ws, ssl=trusting(), additional_headers=headers, open_timeout=60) as viewer,
    ):
        opened = json.loads(viewer.recv())["type"] == "initial"
    assert opened is allowed(role, "viewer")


def test_the_link_and_the_cookie_are_for_https(secure: Secure) -> None:
    assert "https://" in secure.server.output()
    assert "clear text" not in secure.server.output()
    with httpx.Client(base_url=secure.url, verify=trusting(), trust_env=False) as browser:
        answer = browser.post("login", data={"name": "Ann", "password": PASSWORD}, headers={"Origin": secure.url[:-1]})
        assert answer.status_code == 303
        assert "Secure" in answer.headers["set-cookie"].split("; ")
        assert answer.headers["set-cookie"].startswith("__Host-tickboard_")
        assert browser.get("api/me").json()["name"] == "Ann"
        assert answer.headers["strict-transport-security"] == "max-age=2592000"


def test_no_byte_is_written_around_tls(secure: Secure) -> None:
    """Frames and events to many viewers, some of them slow: every record on the wire is one of TLS."""
    tap = Tapped(secure.server.port)
    headers = secure.roles["viewer"]
    try:
        with contextlib.ExitStack() as stack:
            url = f"wss://localhost:{tap.port}/ws/metrics"
            viewers = [
                stack.enter_context(connect(url, ssl=trusting(), additional_headers=headers, open_timeout=60))
                for _ in range(5)
            ]
            stream = stack.enter_context(httpx.Client(verify=trusting(), trust_env=False, timeout=30))
            alerts = stack.enter_context(
                stream.stream("GET", f"https://localhost:{tap.port}/events/alerts", headers=headers)
            )
            lines = alerts.iter_lines()
            while "data:" not in next(lines):
                pass
            for _ in range(4):
                for viewer in viewers:
                    viewer.recv()
            viewers[0].send(json.dumps({"type": "ping"}))
            while "pong" not in viewers[0].recv():
                pass
    finally:
        tap.close()
    assert tap.seen
    for plain in (b"HTTP/1.1", b'"type"', b"metrics", b"cpu", b"heartbeat"):
        assert plain not in tap.seen, plain


def test_clients_and_plain_http(secure: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", secure.server.port), 20) as client:
        client.sendall(b"GET /api/board HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert b"HTTP/1.1 200" not in client.recv(100)
    authority = tmp_path / "ca.pem"
    authority.write_bytes(CA.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))

    async def first() -> tickboard.Tick:
        token = secure.roles["viewer"]["Authorization"].partition(" ")[2]
        async with tickboard.connect(secure.url, token=token) as ticks:
            return await anext(ticks)

    assert asyncio.run(first()).position
    operator = secure.roles["operator"]["Authorization"].partition(" ")[2]
    assert tickboard.mark(secure.url, "released", token=operator).text == "released"
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(RefusedError, match="CERTIFICATE_VERIFY_FAILED"):
        tickboard.mark(secure.url, "released", token=operator)


def test_a_client_that_never_finishes_its_handshake_is_cut(secure: Secure) -> None:
    with socket.create_connection(("127.0.0.1", secure.server.port), 30) as client:
        client.sendall(b"\x16\x03\x01")
        client.settimeout(40)
        with contextlib.suppress(ConnectionError):
            assert client.recv(100) == b""
        assert secure.get("/api/health", {}) == 200


def test_renewed_files_are_used_and_open_streams_go_on(tmp_path: Path) -> None:
    certificate, key = write(tmp_path)
    flags = ("--tls-cert", str(certificate), "--tls-key", str(key))
    with serve("run", BOARD, *flags) as server:

        def trusts(ca: trustme.CA) -> bool:
            try:
                with httpx.Client(verify=trusting(ca), trust_env=False) as client:
                    return client.get(f"https://localhost:{server.port}/api/health").status_code == 200
            except httpx.ConnectError:
                return False

        assert trusts(CA)
        assert not trusts(OTHER)
        with connect(f"wss://localhost:{server.port}/ws/metrics", ssl=trusting(), open_timeout=60) as viewer:
            viewer.recv()
            write(tmp_path, OTHER)
            wait_for(lambda: trusts(OTHER))
            assert not trusts(CA)
            for _ in range(3):
                viewer.recv()
            # A file that cannot be used changes nothing.
            key.write_text("junk")
            os.utime(key)
            for _ in range(4):
                viewer.recv()
            assert trusts(OTHER)


def test_an_unusable_renewal_is_reported_only_if_it_lasts(tmp_path: Path) -> None:
    certificate, key = write(tmp_path)
    tls = Tls(certificate, key)
    before = tls.context
    assert tls.renew(0.0) is None
    key.write_text("junk")
    assert tls.renew(1.0) is None
    assert "are not a certificate and its key" in str(tls.renew(1.0 + PATIENCE_S))
    assert tls.context is before
    write(tmp_path)
    assert tls.renew(2.0 + PATIENCE_S) is None
    assert tls.context is not before
    certificate.unlink()
    assert tls.renew(3.0 + PATIENCE_S) is None
    assert "cannot be read: No such file" in str(tls.renew(4.0 + 2 * PATIENCE_S))


async def test_a_disk_that_hangs_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    tls, problems, release = Tls(*write(tmp_path)), Problems(), threading.Event()
    monkeypatch.setattr(tls, "renew", lambda _: None if release.wait(60) else "it was not released")
    watching = asyncio.create_task(tls.watch(lambda: problems))

    async def until(reported: bool) -> None:
        async with asyncio.timeout(60):
            while (module.SOURCE in problems) is not reported:
                await asyncio.sleep(0.005)

    await until(True)
    assert "its disk does not answer" in problems[module.SOURCE].message
    release.set()
    await until(False)
    watching.cancel()
    await asyncio.wait([watching])


def test_one_file_may_have_both(tmp_path: Path) -> None:
    certificate, key = write(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    assert Tls(both, None).context.get_ciphers()


def test_files_that_are_no_pair_are_refused(tmp_path: Path) -> None:
    certificate, _ = write(tmp_path)
    kept = tmp_path / "kept.pem"
    kept.write_bytes(certificate.read_bytes())
    _, key = write(tmp_path)
    for one, other in ((kept, key), (key, key), (certificate, None), (tmp_path / "none", key), (tmp_path, key)):
        with pytest.raises(InputError, match=r"PEM|cannot be read"):
            Tls(one, other)
