"""The connection to NATS against a real nats-server: which is killed, frozen, refuses, restricts and asks for TLS."""

import asyncio
import contextlib
import itertools
import os
import pty
import re
import socket
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from fcntl import ioctl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from tests.nats_servers import NatsServer, nats_server
from tests.servers import free_port

from tickboard.errors import InputError
from tickboard.fleet import nats_attempts
from tickboard.fleet import nats_connection as module
from tickboard.fleet.nats_connection import NatsConnection, Subscription
from tickboard.fleet.nats_options import NatsAddress, NatsOptions, read_servers
from tickboard.problems import Problems

GUARD_S = 30.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask and try again soon."""
    monkeypatch.setattr(module, "PING_S", 0.05)
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.1)


class Link:
    """A connection that runs, and what it has received."""

    def __init__(self, url: str, options: dict[str, Path] | None = None, *, echo: bool = True) -> None:
        self.problems = Problems()
        self.states: list[bool] = []
        self.got: list[tuple[str, bytes, str]] = []
        self.nats = NatsConnection(
            NatsOptions(read_servers(url, {}), **(options or {})),
            "test",
            self.problems,
            "nothing is published",
            echo=echo,
        )
        self.nats.watch(self.states.append)

    def take(self, subject: str) -> Subscription:
        return self.nats.subscribe(subject, lambda *message: self.got.append(message))

    def problem(self, source: str = "NATS") -> str:
        return self.problems[source].message if source in self.problems else ""


async def true(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GUARD_S):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(*links: Link, connect: bool = True) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(link.nats.run()) for link in links]
    try:
        if connect:
            for link in links:
                await true(lambda link=link: link.nats.connected)  # type: ignore[misc]
        yield
    finally:
        for task in tasks:
            task.cancel()
        done, left = await asyncio.wait(tasks, timeout=GUARD_S)
        assert not left
        assert all(task.cancelled() for task in done)


async def test_messages_arrive_in_order_with_their_reply_subject(server: NatsServer) -> None:
    link = Link(server.url)
    link.take("a.*")
    async with running(link):
        assert link.nats.publish("a.1", b"one", "back")
        assert link.nats.publish("a.2", b"two")
        await true(lambda: len(link.got) == 2)
        assert await link.nats.flush(GUARD_S)
    assert link.got == [("a.1", b"one", "back"), ("a.2", b"two", "")]
    assert (link.nats.counts.sent, link.nats.counts.received) == (2, 2)
    assert link.states == [True, False]
    assert not link.problems


async def test_the_server_has_the_subscriptions_when_a_connection_begins_and_the_messages_after_a_flush() -> None:
    with nats_server("trace: true") as server:
        link = Link(server.url)
        link.take("a")
        async with running(link):
            link.nats.publish("b", b"")
            assert await link.nats.flush(GUARD_S)
            traced = re.findall(r"<<- \[(SUB|PUB|PING)", server.output())
    # The client asks once for itself.
    assert [each for each, _ in itertools.groupby(traced)][:5] == ["PING", "SUB", "PING", "PUB", "PING"]


async def test_a_connection_without_echo_receives_what_others_send(server: NatsServer) -> None:
    link, other = Link(server.url, echo=False), Link(server.url)
    link.take("a")
    other.take("a")
    async with running(link, other):
        link.nats.publish("a", b"own")
        await true(lambda: other.got)
        other.nats.publish("a", b"other")
        await true(lambda: link.got)
    assert [content for _, content, _ in link.got] == [b"other"]


async def test_a_cancelled_subscription_receives_nothing_more(server: NatsServer) -> None:
    link, other = Link(server.url), Link(server.url)
    first, other_first = link.take("a"), other.take("a")
    async with running(link, other):
        first.cancel()
        first.cancel()
        link.nats.publish("a", b"1")
        await true(lambda: other.got)
        other_first.cancel()
        link.take("a")
        await link.nats.flush(GUARD_S)
        await other.nats.flush(GUARD_S)
        link.nats.publish("a", b"2")
        await true(lambda: link.got)
    assert [content for _, content, _ in link.got] == [b"2"]
    assert [content for _, content, _ in other.got] == [b"1"]


async def test_it_connects_once_a_server_that_is_not_there_yet_comes() -> None:
    port = free_port()
    link = Link(f"nats://127.0.0.1:{port}")
    async with running(link, connect=False):
        await true(link.problem)
        assert link.problem().startswith(f"nats://127.0.0.1:{port} cannot be reached: ")
        assert link.problem().endswith("until it can be reached, nothing is published")
        assert not link.nats.publish("a", b"")
        assert link.nats.counts.dropped == 1
        assert not await link.nats.flush(0.1)
    with nats_server() as server:
        link = Link(server.url)
        server.kill()
        async with running(link, connect=False):
            await true(link.problem)
            server.start()
            await true(lambda: link.nats.connected)
            assert not link.problems


@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_subscriptions_last_over_a_restart_and_nothing_old_is_sent(server: NatsServer, end: str) -> None:
    link = Link(server.url)
    link.take("a")
    async with running(link):
        getattr(server, end)()
        await true(lambda: not link.nats.connected)
        assert not link.nats.publish("a", b"old")
        later = link.take("b")
        assert later.made is None
        await true(link.problem)
        server.start()
        await true(lambda: link.nats.connected)
        link.nats.publish("a", b"new")
        link.nats.publish("b", b"new")
        await true(lambda: len(link.got) == 2)
    assert [content for _, content, _ in link.got] == [b"new", b"new"]
    assert link.states == [True, False, True, False]
    assert link.nats.counts.connections == 2


async def test_a_server_that_hangs_is_given_up_and_used_again_when_it_answers(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.3)
    monkeypatch.setattr(nats_attempts, "CONNECT_S", 0.3)
    monkeypatch.setattr(nats_attempts, "CLOSE_S", 0.2)
    link = Link(server.url)
    async with running(link):
        server.freeze()
        # More than the sockets take, so that sending waits, too.
        for _ in range(50):
            link.nats.publish("a", bytes(500_000))
        await true(lambda: "has not answered for 0.3 s" in link.problem())
        assert not link.nats.connected
        await true(lambda: "has not answered within 0.3 s" in link.problem())
        monkeypatch.setattr(nats_attempts, "CONNECT_S", 5.0)
        server.thaw()
        await true(lambda: link.nats.connected)
        assert not link.problems
        monkeypatch.setattr(module, "ANSWER_S", 4.0)


async def test_a_server_that_accepts_and_says_nothing_or_nonsense_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_attempts, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(f"nats://127.0.0.1:{silent.getsockname()[1]}")
        async with running(link, connect=False):
            await true(lambda: "has not answered within 0.3 s" in link.problem())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as nonsense:
        link = Link(f"nats://127.0.0.1:{nonsense.sockets[0].getsockname()[1]}")
        async with running(link, connect=False):
            await true(lambda: "expecting INFO" in link.problem())


async def test_of_several_servers_one_that_works_is_used_without_a_problem(server: NatsServer) -> None:
    link = Link(f"nats://127.0.0.1:{free_port()},{server.url}")
    async with running(link):
        assert link.nats.address == server.url
        assert not link.problems


async def test_it_goes_on_with_another_server_of_the_cluster(tmp_path: Path) -> None:
    routes = free_port()
    config = 'cluster {{ name: c, listen: "127.0.0.1:{}", routes: ["nats://127.0.0.1:{}"] }}'
    one, two = tmp_path / "1", tmp_path / "2"
    one.mkdir()
    two.mkdir()
    with (
        nats_server(config.format(routes, routes), one) as first,
        nats_server(config.format(free_port(), routes), two) as second,
    ):
        link = Link(first.url)
        async with running(link):
            # A client learns the others when it connects, or later; at the latest when it connects again.
            while link.nats._found != [] or link.nats.address != second.url:
                first.kill()
                await true(lambda: not link.nats.connected)
                if not link.nats._found:
                    first.start()
                await true(lambda: link.nats.connected)
                if link.nats.address == second.url:
                    break
            assert not link.problems


@pytest.mark.parametrize(
    ("config", "login"),
    [
        ('authorization { user: "u@b", password: "p/w:d" }', "u%40b:p%2Fw%3Ad@"),
        ('authorization { token: "s3cret" }', "s3cret@"),
    ],
)
async def test_a_login_in_the_url(config: str, login: str) -> None:
    with nats_server(config) as server:
        good = Link(server.url.replace("//", f"//{login}"))
        async with running(good):
            assert good.nats.address == server.url
        for wrong in ("", "wrong@", "u:wrong@"):
            link = Link(server.url.replace("//", f"//{wrong}"))
            async with running(link, connect=False):
                await true(link.problem)
                assert "refuses the login (Authorization Violation): check the user and password" in link.problem()
                assert "wrong" not in link.problem()


async def test_a_server_that_has_no_room_for_another_connection() -> None:
    with nats_server("max_connections: 1") as server:
        first, second = Link(server.url), Link(server.url)
        async with running(first), running(second, connect=False):
            await true(lambda: "max_connections" in second.problem())


async def test_files_that_are_no_credentials_or_cannot_be_read_in_time(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.creds"
    link = Link(server.url, {"credentials": file})
    async with running(link, connect=False):
        await true(lambda: f"{file} cannot be used: " in link.problem())
        file.write_text("nonsense")
        await true(lambda: f"{file} is not a credentials file" in link.problem())
    monkeypatch.setattr(nats_attempts, "CONNECT_S", 0.1)
    file.unlink()
    os.mkfifo(file)
    link = Link(server.url, {"credentials": file})
    async with running(link, connect=False):
        await true(lambda: "reading the files for it takes more than 0.1 s" in link.problem())
    # The thread ends.
    with file.open("w") as pipe:
        pipe.write("nonsense")


async def test_a_login_that_is_withdrawn_and_given_again(server: NatsServer) -> None:
    server.configure('authorization { user: u, password: "one" }')
    server.restart()
    link = Link(server.url.replace("//", "//u:one@"))
    async with running(link):
        server.configure('authorization { user: u, password: "two" }')
        server.reload()
        await true(lambda: "refuses the login" in link.problem())
        server.configure('authorization { user: u, password: "one" }')
        server.reload()
        await true(lambda: link.nats.connected)
        assert not link.problems


async def test_permissions_that_are_missing_are_reported_and_used_when_they_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.1)
    user = "{{ user: u, password: pass1, permissions: {{ publish: [a, b], subscribe: [{}] }} }}"
    config = f"authorization {{{{ users: [{user}] }}}}"
    with nats_server(config.format("a")) as server:
        link = Link(server.url.replace("//", "//u:pass1@"))
        link.take("a")
        link.take("b")
        async with running(link):
            await true(lambda: link.problem("NATS: permissions"))
            assert 'for subscription to "b"' in link.problem("NATS: permissions").lower()
            assert link.problem("NATS: permissions").endswith("allow it in the configuration of the NATS server")
            link.nats.publish("forbidden", b"")
            link.nats.publish("a", b"1")
            await true(lambda: link.got)
            assert link.nats.connected
            # It is tried again and again, and nothing is left of earlier attempts.
            client = link.nats._client
            assert client is not None
            newest = client._sid
            await true(lambda: client._sid > newest + 3)
            assert len(client._subs) <= 2
            server.configure(config.format("a, b"))
            server.reload()

            def arrives() -> bool:
                link.nats.publish("b", b"2")
                return ("b", b"2", "") in link.got

            await true(arrives)


async def test_a_message_that_the_server_would_refuse_is_reported_and_the_connection_stays() -> None:
    with nats_server("max_payload: 1000") as server:
        link = Link(server.url)
        link.take("a")
        async with running(link):
            assert link.nats.max_payload == 1000
            assert not link.nats.publish("a", bytes(1001))
            assert link.problem("NATS: large messages") == (
                f"a message of 1001 bytes for a is larger than {server.url} takes (1000): "
                "raise max_payload in the configuration of the NATS server"
            )
            assert link.nats.publish("a", bytes(1000))
            await true(lambda: link.got)
            assert link.nats.counts.dropped == 1


async def test_more_than_may_wait_is_dropped_and_counted(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 1000)
    link = Link(server.url)
    link.take("a")
    async with running(link):
        sent = [link.nats.publish("a", bytes(200)) for _ in range(4)]
        assert sent == [True, True, False, False]
        await true(lambda: len(link.got) == 2)
        assert link.nats.counts.dropped == 2
        assert link.nats.publish("a", bytes(200))


async def test_a_receiver_that_raises_is_reported_and_receives_the_next_message(server: NatsServer) -> None:
    link = Link(server.url)

    def take(subject: str, content: bytes, reply: str) -> None:
        link.got.append((subject, content, reply))
        if content == b"bad":
            raise ValueError("not mine")

    def watch(connected: bool) -> None:
        raise ValueError("nor mine")

    link.nats.subscribe("a", take)
    link.nats.watch(watch)
    async with running(link):
        assert "nor mine" in link.problem("NATS: messages")
        link.nats.publish("a", b"bad")
        link.nats.publish("a", b"good")
        await true(lambda: len(link.got) == 2)
        assert "ValueError" in link.problem("NATS: messages")
        # It is over when nothing has failed for a while.
        link.nats._look_again(time.monotonic() + 61)
        assert not link.problems


async def test_messages_that_arrive_faster_than_they_are_handled_are_counted_and_reported(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_RECEIVED_BYTES", 1000)
    link = Link(server.url)
    link.take("a")
    async with running(link):
        for _ in range(100):
            link.nats.publish("a", bytes(500))
        await true(lambda: link.nats.counts.lost)
        assert "arrive faster than they are handled" in link.problem("NATS: slow")
        assert link.nats.connected


class Certificates:
    """Files of a CA, of a server and of a client."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca, self.server, self.client = (folder / name for name in ("ca.pem", "server.pem", "client.pem"))
        authority.cert_pem.write_to_path(str(self.ca))
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(self.server))
        authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(str(self.client))


TLS = 'tls {{ cert_file: "{0}", key_file: "{0}", {1} }}'


async def test_tls_with_a_ca_and_a_client_certificate(tmp_path: Path) -> None:
    files = Certificates(tmp_path)
    with nats_server(TLS.format(files.server, f'ca_file: "{files.ca}", verify: true')) as server:
        link = Link(server.url, {"ca": files.ca, "certificate": files.client})
        link.take("a")
        async with running(link):
            link.nats.publish("a", b"1")
            await true(lambda: link.got)
        refused = Link(server.url, {"ca": files.ca})
        async with running(refused, connect=False):
            await true(refused.problem)
        unreadable = Link(server.url, {"ca": tmp_path / "none.pem"})
        async with running(unreadable, connect=False):
            await true(unreadable.problem)
            assert f"is not tried: {tmp_path / 'none.pem'} cannot be used: " in unreadable.problem()
            assert "No such file" in unreadable.problem()
        for files_given in ({"ca": files.client}, {"ca": files.ca, "certificate": files.ca}):
            useless = Link(server.url, files_given)
            async with running(useless, connect=False):
                await true(useless.problem)


async def test_a_certificate_of_an_unknown_ca_is_refused_even_without_tls_in_the_url(tmp_path: Path) -> None:
    files = Certificates(tmp_path)
    with nats_server(TLS.format(files.server, "")) as server:
        for scheme in ("nats", "tls"):
            link = Link(server.url.replace("nats:", f"{scheme}:"))
            async with running(link, connect=False):
                await true(link.problem)
                assert "give the CA that has signed it with --nats-ca" in link.problem()


def save(authority: trustme.CA, file: Path, identity: str = "127.0.0.1", days: int = 1) -> Path:
    """Write a certificate that is valid until in so many days, and its key."""
    end = datetime.now(UTC) + timedelta(days)
    made = authority.issue_cert(identity, not_before=end - timedelta(9), not_after=end)
    made.private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


def lock(pem: Path, file: Path) -> Path:
    """Write the key in a file to another one, with a passphrase."""
    key = serialization.load_pem_private_key(pem.read_bytes(), None)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return file


async def test_each_mistake_with_certificates_is_said_in_one_clear_sentence(tmp_path: Path) -> None:
    authority, other = trustme.CA(), trustme.CA()
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    good = save(authority, tmp_path / "good.pem")
    others_name = save(authority, tmp_path / "name.pem", "nats.example.com")
    expired = save(authority, tmp_path / "expired.pem", days=-1)
    unknown = save(other, tmp_path / "unknown.pem")
    locked, none = lock(good, tmp_path / "locked.pem"), tmp_path / "none.pem"
    trusts: dict[str, Path] = {"ca": ca}
    verify, asks = TLS.format(good, ""), TLS.format(good, f'ca_file: "{ca}", verify: true')
    no_pair = "are not a certificate and its key in PEM, without a passphrase ("
    cases: list[tuple[str, dict[str, Path], str]] = [
        ("", trusts, "has no TLS: configure it there, or give its URL with nats:// and no certificates"),
        (
            TLS.format(others_name, ""),
            trusts,
            "certificate is not valid for '127.0.0.1'",
        ),
        (TLS.format(expired, ""), trusts, "has a certificate that is not accepted: certificate has expired"),
        (TLS.format(unknown, ""), trusts, "local issuer certificate: give the CA that has signed it with --nats-ca"),
        # With TLS 1.3, the reason may be lost with the connection.
        (asks, trusts, "--nats-cert"),
        (asks, trusts | {"certificate": unknown}, "--nats-cert"),
        (asks, trusts | {"certificate": expired}, "--nats-cert"),
        (verify, {"ca": good.parent}, f"{good.parent} cannot be used: Is a directory"),
        (verify, trusts | {"certificate": good, "key": none}, f"{none} cannot be used: No such file or directory"),
        (verify, trusts | {"certificate": good, "key": unknown}, f"{good} and {unknown} {no_pair}key values mismatch)"),
        (verify, trusts | {"certificate": good, "key": locked}, f"{good} and {locked} {no_pair}"),
        (verify, trusts | {"certificate": ca}, f"{ca} and the key in it {no_pair}"),
    ]
    for config, files, why in cases:
        with nats_server(config) as server:
            link = Link(server.url, files)
            async with running(link, connect=False):
                await true(link.problem)
                assert why in link.problem()
                assert "_ssl.c" not in link.problem()


def test_a_key_with_a_passphrase_asks_for_nothing_in_the_terminal(tmp_path: Path) -> None:
    good = save(trustme.CA(), tmp_path / "good.pem")
    locked = lock(good, tmp_path / "locked.pem")
    main, terminal = pty.openpty()
    files = ["--nats-cert", str(good), "--nats-key", str(locked)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tickboard", "--port", "0", "--nats", "tls://127.0.0.1:1", *files],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        # It becomes the terminal of the process, which OpenSSL would ask in.
        preexec_fn=lambda: ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  # nothing else runs in it
    )
    os.close(terminal)
    shown = b""
    try:
        while b"without a passphrase" not in shown.replace(b"\r\n", b" "):
            shown += os.read(main, 4096)
            assert b"pass phrase" not in shown, shown
    finally:
        process.kill()
        process.wait()
        os.close(main)


async def test_no_login_is_sent_in_clear_text_to_a_server_without_the_tls_that_is_wanted() -> None:
    said: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"a","auth_required":true,"max_payload":1000}\r\n')
        said.append(await reader.read())
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as plain:
        link = Link(f"tls://user:secret@127.0.0.1:{plain.sockets[0].getsockname()[1]}")
        async with running(link, connect=False):
            await true(link.problem)
            assert "has no TLS: " in link.problem()
        await true(lambda: said)
    assert not any(said)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://a:4222", "is not the URL of a NATS server: give one such as nats://nats.example.com:4222"),
        ("a:4222", "is not the URL of a NATS server"),
        ("nats://", "is not the URL of a NATS server"),
        ("nats://a:0", "is not the URL of a NATS server"),
        ("nats://a:99999", "is not the URL of a NATS server"),
        ("nats://a/path", "is not the URL of a NATS server"),
        ("nats://a b", "is not the URL of a NATS server"),
        ("nats://a?x=secret", "'nats://a' is not the URL of a NATS server"),
        ("nats://\udce4", "is not the URL of a NATS server"),
        ("nats://a,", "'' is not the URL of a NATS server"),
        ("ws://a:80", "NATS over WebSocket is not supported"),
        ("nats://${NOT_SET}@a", "NOT_SET"),
        (",".join(["nats://a"] * 33), "33 NATS servers: give up to 32"),
    ],
)
def test_urls_that_cannot_be_used(url: str, why: str) -> None:
    with pytest.raises(InputError) as raised:
        read_servers(url, {})
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


def revealed(server: NatsAddress) -> tuple[str | None, ...]:
    return tuple(None if secret is None else secret.reveal() for secret in (server.user, server.password))


def test_urls() -> None:
    environ = {"PASSWORD": "p@ss,word/", "ALL": "nats://t@a,tls://[::1]:4333"}
    one, two = read_servers("nats://u:${PASSWORD}@a,tls://b:1/", environ)
    assert (one.host, one.port, one.tls, str(one)) == ("a", 4222, False, "nats://a:4222")
    assert revealed(one) == ("u", "p@ss,word/")
    assert (two.host, two.port, two.tls, two.user, str(two)) == ("b", 1, True, None, "tls://b:1")
    three, four = read_servers("$ALL", environ)
    assert revealed(three) == ("t", None)
    assert str(four) == "tls://[::1]:4333"
