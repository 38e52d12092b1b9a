"""Following a host over HTTP: real boards, lost connections, and servers that hang or answer nonsense."""

import asyncio
import contextlib
import json
import math
import signal
import struct
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import trustme
from tests.e2e.proxy import Proxy
from tests.fleet.listening import Listener, until
from tests.fleet.walls import OverHttp, wall
from tests.hostile import answering, body, endless, redirect
from tests.raw_server import hangs, raw_server, says, trickles
from tests.security.access import Accounts
from tests.servers import free_port
from tests.serving import SUBPROTOCOL, Server, serve
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.http11 import Request, Response

import tickboard
from tickboard.client import connection
from tickboard.errors import InputError
from tickboard.fleet import http_link, http_passing
from tickboard.fleet.asking import fetch
from tickboard.fleet.http_link import FEWER, HttpLink
from tickboard.fleet.link import Link
from tickboard.wire import About, MetricInfo, encode

BOARDS = Path(__file__).parents[1] / "boards"
RISING, EMPTY = str(BOARDS / "rising.py"), str(BOARDS / "empty.py")
FAST = {"METRIC_INTERVAL_MS": "100"}


@contextlib.asynccontextmanager
async def following(url: str, token: str | None = None) -> AsyncIterator[Listener]:
    """Follow a host while the context is open."""
    listener = Listener()
    task = asyncio.create_task(HttpLink(url, token, listener).run())
    try:
        yield listener
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(connection, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture(scope="module")
def rising() -> Iterator[Server]:
    with serve("run", RISING, env=FAST) as server:
        yield server


async def post(url: str, body: object) -> None:
    """Post JSON, which has to be accepted."""
    async with httpx.AsyncClient() as client:
        (await client.post(url, json=body)).raise_for_status()


def has(listener: Listener, count: int) -> bool:
    return len(listener.ticks) >= count


def shows(listener: Listener, name: str, value: float) -> bool:
    return listener.ticks[-1].get(name) == value


def in_order(listener: Listener) -> bool:
    """Return whether each tick has come once and in order, with the values of its seq."""
    ticks = listener.ticks
    steps = {(after.seq - before.seq, after["first.a"] - before["first.a"]) for before, after in pairwise(ticks)}
    return steps == {(1, 1.0)} and not any(tick.missed for tick in ticks[1:])


# --- real boards ---


async def test_a_host_is_introduced_and_then_ticks(rising: Server) -> None:
    async with following(rising.url) as listener:
        await until(lambda: len(listener.ticks) >= 10 and any(not math.isnan(clock) for *_, clock in listener.beats))
    assert listener.events[:2] == ["introduced", "ticked"]
    [about] = listener.abouts
    assert (about.title, [each.name for each in about.metrics]) == ("Rising", ["first.a", "second", "odd"])
    assert in_order(listener)
    clocks = [clock for *_, clock in listener.beats if not math.isnan(clock)]
    assert abs(clocks[-1] - time.time()) < 60
    assert {alerts for _, alerts, _ in listener.beats} == {-1}
    assert listener.beats[-1][0] == listener.ticks[-1].seq
    assert {link.kind for link in listener.links} == {"http"}
    assert {link.address for link in listener.links} == {rising.url}


async def test_a_lost_connection_continues_after_the_last_tick(rising: Server) -> None:
    with Proxy(rising.port) as proxy:
        async with following(f"http://127.0.0.1:{proxy.port}") as listener:
            for _ in range(2):
                await until(lambda: len(listener.ticks) >= 3)
                proxy.cut()
                await until(lambda: listener.events[-1] == "lost")
                wanted = len(listener.ticks) + 5
                proxy.restore()
                await until(partial(has, listener, wanted))
    assert in_order(listener)
    assert listener.events.count("introduced") >= 3


async def test_a_host_that_is_killed_is_lost_and_its_next_run_is_a_fresh_epoch() -> None:
    port = free_port()
    with serve("run", RISING, env=FAST, port=port) as server:
        async with following(server.url) as listener:
            await until(lambda: listener.ticks)
            server.process.kill()
            await until(lambda: "lost" in listener.events)
            assert "said_bye" not in listener.events
            await until(lambda: "Connection refused" in listener.reasons)
            with serve("run", RISING, env=FAST, port=port):
                await until(lambda: any(tick.fresh for tick in listener.ticks))
    epochs = list(dict.fromkeys(tick.epoch for tick in listener.ticks))
    assert len(epochs) == 2
    assert listener.events[listener.events.index("lost") :].count("introduced") >= 1


async def test_a_host_that_ends_on_purpose_says_goodbye() -> None:
    with serve("run", RISING, env=FAST) as server:
        async with following(server.url) as listener:
            await until(lambda: listener.ticks)
            server.process.send_signal(signal.SIGTERM)
            await until(lambda: "lost" in listener.events)
    assert listener.events[listener.events.index("said_bye") + 1] == "lost"


async def test_a_host_that_hangs_is_lost_and_comes_back_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "SILENT_S", 1.5)
    monkeypatch.setattr(http_link, "ABOUT_S", 1.0)
    with serve("run", RISING, env=FAST) as server:
        async with following(server.url) as listener:
            await until(lambda: len(listener.ticks) >= 3)
            server.process.send_signal(signal.SIGSTOP)
            try:
                await until(lambda: "it has said nothing for 1.5 s" in listener.reasons)
                await until(lambda: "its description takes over 1 s" in listener.reasons)
                before = len(listener.ticks)
            finally:
                server.process.send_signal(signal.SIGCONT)
            await until(lambda: len(listener.ticks) >= before + 5)
    assert [after.seq - before.seq for before, after in pairwise(listener.ticks)] == [1] * (len(listener.ticks) - 1)


async def test_a_board_that_needs_a_login_gets_the_walls_token(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "access.json")
    token, wrong_role, unknown = accounts.token("viewer"), accounts.token("sender"), "tickboard_unknown"
    with serve("run", RISING, "--auth", "required", *accounts.flags, env=FAST) as server:
        async with following(server.url, token) as listener:
            await until(lambda: listener.ticks)
        missing = "give the wall a token for it"
        refusal = "it does not accept the wall's token: give the wall a valid one"
        for given, status, why in ((None, 401, missing), (unknown, 401, refusal), (wrong_role, 403, refusal)):
            async with following(server.url, given) as refused:
                await until(lambda: refused.reasons)
            assert refused.reasons[0] == f"it answers {status}: {why} (tickboard token create --role viewer)"
            assert refused.events[0] == "lost"


async def test_new_metrics_of_the_overview_are_followed(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text('from tickboard import Board\n\nboard = Board("Nothing")\n')
    with serve("run", str(tmp_path / "nothing.py"), env=FAST) as server:
        async with following(server.url) as listener:
            await until(lambda: len(listener.ticks) >= 2)
            assert (listener.abouts[-1].metrics, dict(listener.ticks[-1])) == ([], {})
            for name, value in (("load", 1), ("disk", 2)):
                await post(f"{server.url}api/metrics", {"name": name, "value": value})
                await until(partial(shows, listener, name, value))
    assert [[each.name for each in about.metrics] for about in listener.abouts[:1]] == [[]]
    assert {each.name for each in listener.abouts[-1].metrics} == {"disk", "load"}
    assert "lost" not in listener.events
    assert not any(tick.missed for tick in listener.ticks[1:])


async def test_late_values_reach_the_wall(rising: Server) -> None:
    async with following(rising.url) as listener:
        await until(lambda: len(listener.ticks) >= 5)
        late = next(tick for tick in reversed(listener.ticks) if math.isnan(tick["odd"]))
        sample = {"name": "odd", "value": 7.5, "timestamp": late.time}
        await post(f"{rising.url}api/metrics", sample)
        await until(lambda: any(tick["odd"] == 7.5 for tick in listener.late))
    amended = next(tick for tick in listener.late if tick["odd"] == 7.5)
    assert (amended.epoch, amended.seq) == (late.epoch, late.seq)
    assert math.isnan(amended["second"])


async def test_a_host_with_tls_is_followed_and_its_board_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = trustme.CA(), str(tmp_path / "cert.pem")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http_passing._trusted.cache_clear()
    try:
        with serve("run", RISING, "--tls-cert", certificate, env=FAST) as server:
            url = f"https://127.0.0.1:{server.port}"
            async with following(url) as listener:
                await until(lambda: listener.ticks)
                assert (await fetch(listener.links[0], "GET", "/api/board")).status == 200
            with wall(OverHttp(url, {})) as place:
                async with asyncio.timeout(30), tickboard.connect(f"http://{place}") as ticks:
                    assert (await anext(ticks)).seq
            for other, why in (
                (url.replace("127.0.0.1", "localhost"), "Hostname mismatch, certificate is not valid for 'localhost'"),
                (url.replace("https", "http"), "if it has TLS, give its address with https://"),
            ):
                async with following(other) as listener:
                    await until(lambda: listener.reasons)
                assert why in listener.reasons[0]
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
            http_passing._trusted.cache_clear()
            async with following(url) as listener:
                await until(lambda: listener.reasons)
            assert listener.reasons[0] == (
                "it has a certificate that is not accepted: unable to get local issuer certificate: name the file with "
                "the CA that has signed it in SSL_CERT_FILE, or have the system trust it"
            )
    finally:
        http_passing._trusted.cache_clear()


# --- servers that are no hosts ---


ABOUT = About("web-1", "i", "1.0", 1, "T", 1000, metrics=[MetricInfo("a", "A", "", "gauge", overview=True)])


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (body(b"", status="404 Not Found"), "it answers 404: give the address of a Tickboard"),
        (body(b"", status="421 Misdirected Request"), "it answers 421: the name in its address is not one of"),
        (body(b"{}", status="500 Oops"), "it answers 500 to a request for its description"),
        (body(b"[1, 2"), "its description cannot be understood: "),
        (body(b'{"name": 7}'), "its description cannot be understood: "),
        (body(b"[" * 100_000), "its description cannot be understood: "),
        (body(encode(About("bad name", "i", "1", 1, "T", 1000))), "its description cannot be understood: host name"),
        (body(encode(ABOUT), "Content-Encoding: gzip"), "its description is compressed ('gzip'), although"),
        (redirect("http://127.0.0.1:1/api/about"), "it redirects (status 302): give the address"),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2**20), "its description is longer than"),
    ],
)
async def test_a_server_that_is_no_host_is_lost_with_a_reason(answer: object, why: str) -> None:
    with answering(answer) as port:  # type: ignore[arg-type]
        async with following(f"http://127.0.0.1:{port}") as listener:
            await until(lambda: len(listener.reasons) >= 2)
    assert listener.reasons[0].startswith(why)
    assert set(listener.events) == {"lost"}


@pytest.mark.parametrize("answer", [hangs(), trickles(b"HTTP/1.1 200 OK\r\n\r\n"), says(b"SSH-2.0\r\n")])
async def test_a_server_that_hangs_or_speaks_no_http_is_lost(answer: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "ABOUT_S", 0.2)
    with raw_server(answer, "") as server:  # type: ignore[arg-type]
        async with following(server.url) as listener:
            await until(lambda: listener.reasons)
    assert all(listener.reasons)
    assert set(listener.events) == {"lost"}


@contextlib.asynccontextmanager
async def fake_host(
    about: bytes, *messages: str | bytes, to: str = "", knows: bool = True
) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve a description and some messages; yield the address and the paths that were asked for.

    Args:
        about: the description.
        messages: what each WebSocket gets.
        to: where to redirect WebSockets; empty: they are served.
        knows: whether it knows the subprotocol.
    """
    asked: list[str] = []

    def answer(socket: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if request.path != "/api/about":
            if not to:
                return None
            redirected = socket.respond(HTTPStatus.FOUND, "")
            redirected.headers["Location"] = to
            return redirected
        return socket.respond(HTTPStatus.OK, about.decode())

    async def handle(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)
        await socket.wait_closed()

    async with serve_websocket(
        handle,
        "127.0.0.1",
        0,
        subprotocols=[SUBPROTOCOL] if knows else None,
        process_request=answer,
        compression=None,
    ) as running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}", asked


SERIES = json.dumps({"type": "series", "layout": 1, "epoch": "e", "series": [{"name": "a", "unit": ""}]})
TICK = struct.pack("<BBHIQdd", 2, 0, 0, 1, 5, 1000.0, 1.0)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("{", "a text message that cannot be understood"),
        ('{"type":"pong","timestamp":"yesterday"}', "a pong that cannot be understood"),
        ('{"type":"pong","timestamp":5}', "a pong that cannot be understood"),
        ('{"type":"pong"}', "a pong that cannot be understood"),
        (b"", "an empty binary message"),
        (TICK[:-1], "a binary message of 31 bytes, although its header says 32"),
        (b"\x03" + TICK[1:-1], "a binary message of 31 bytes, although its header says 32"),
    ],
)
async def test_nonsense_from_a_host_ends_the_connection_and_the_next_one_continues(
    message: str | bytes, why: str
) -> None:
    async with fake_host(encode(ABOUT), SERIES, TICK, message) as (url, asked), following(url) as listener:
        await until(lambda: listener.events.count("lost") >= 2)
        await until(lambda: asked.count("/ws/metrics?metrics=a&changes=1&since=e%3A5") >= 1)
    assert listener.reasons[0].startswith(why)
    assert [tick.seq for tick in listener.ticks] == [5]


async def test_a_host_is_followed_again_after_a_failure_of_the_wall(rising: Server) -> None:
    class Fails(Listener):
        def introduced(self, link: Link, about: About) -> None:
            super().introduced(link, about)
            if len(self.abouts) == 1:
                raise RuntimeError("a fault of the wall")

    listener = Fails()
    link = HttpLink(rising.url, None, listener)
    with pytest.raises(RuntimeError, match="a fault of the wall"):
        await link.run()
    task = asyncio.create_task(link.run())
    try:
        await until(lambda: listener.ticks or task.done())
        assert (await fetch(link, "GET", "/api/board")).status == 200
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_host_whose_ticks_are_too_long_is_lost_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_link, "MAX_TICKS_BYTES", 1_000)
    async with fake_host(encode(ABOUT), SERIES, bytes(1_001)) as (url, asked), following(url) as listener:
        await until(lambda: len(listener.reasons) >= 2)
    assert set(listener.reasons) == {f"it sent a message of more than 1000 bytes: {FEWER}"}
    # It may be the window that is too long, so each second attempt is without one.
    addresses = [path for path in asked if path != "/api/about"]
    assert addresses[:4] == ["/ws/metrics?metrics=a&changes=1", "/ws/metrics?metrics=-&changes=1"] * 2


async def test_a_host_whose_window_is_too_long_is_followed_from_its_next_tick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many.py").write_text(MANY)
    with serve("run", str(tmp_path / "many.py"), env=FAST) as server:
        # A tick has 8 kB, and the window soon has more than is taken.
        monkeypatch.setattr(http_link, "MAX_TICKS_BYTES", 150_000)
        await until_ticked(server, 30)
        with Proxy(server.port) as proxy:
            async with following(f"http://127.0.0.1:{proxy.port}") as listener:
                await until(lambda: len(listener.ticks) >= 3)
                assert listener.reasons == []
                assert not any(tick.missed for tick in listener.ticks)
                proxy.cut()
                await until(lambda: listener.reasons)
                before = listener.ticks[-1]
                await until_ticked(server, before.seq + 30)
                proxy.restore()
                await until(lambda: listener.ticks[-1] is not before)
    # What was missed is counted.
    after = listener.ticks[listener.ticks.index(before) + 1]
    assert len(after) == 1_000
    assert after.missed == after.seq - before.seq - 1 >= 29
    assert not any("message of more" in reason for reason in listener.reasons)


MANY = """
from tickboard import Board

board = Board("Many")
many = board.gauge("many", labels=["number"], overview=True)


@board.every("100ms")
def sample():
    for number in range(1_000):
        many.labels(number=number).set(number)
"""


async def until_ticked(server: Server, seq: int) -> None:
    """Wait until a board has made a tick."""
    async with asyncio.timeout(30), tickboard.connect(server.url, metrics=["-"]) as ticks:
        async for tick in ticks:
            if tick.seq >= seq:
                return


async def test_a_host_without_tls_is_lost_with_a_reason(rising: Server) -> None:
    async with following(rising.url.replace("http://", "https://")) as listener:
        await until(lambda: listener.reasons)
    assert listener.reasons[0] == "it does not speak TLS: give its address with http://"


async def test_a_redirect_of_the_ticks_is_not_followed() -> None:
    async with (
        fake_host(encode(ABOUT), SERIES, TICK) as (other, asked),
        fake_host(encode(ABOUT), to=f"{other}/ws/metrics") as (url, _),
        following(url, "tickboard_secret") as listener,
    ):
        await until(lambda: listener.reasons)
    assert listener.reasons[0].startswith("the server answered 302 when asked for its ticks: make a proxy")
    assert (asked, listener.abouts) == ([], [])


async def test_ticks_are_asked_for_without_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "")
    async with fake_host(encode(ABOUT), SERIES, TICK) as (url, _), following(url) as listener:
        await until(lambda: listener.ticks or listener.reasons)
    assert listener.reasons == []


async def test_a_server_of_an_older_protocol_is_lost_with_a_reason() -> None:
    async with fake_host(encode(ABOUT), knows=False) as (url, _), following(url) as listener:
        await until(lambda: listener.reasons)
    assert listener.reasons[0].startswith("it does not support tickboard.v2: give the address")


async def test_a_host_without_an_overview_is_not_asked_for_everything() -> None:
    none = encode(About("web-1", "i", "1.0", 1, "T", 1000))
    async with fake_host(none, SERIES) as (url, asked), following(url) as listener:
        await until(lambda: len(asked) >= 2 and listener.events)
    assert asked[:2] == ["/api/about", "/ws/metrics?metrics=-&changes=1"]
    assert listener.events == ["introduced"]


async def test_an_overview_that_makes_too_long_an_address_is_followed(tmp_path: Path) -> None:
    long = "long" * 50
    (tmp_path / "long.py").write_text(
        f'from tickboard import Board\n\nboard = Board("Long")\nfor number in range(100):\n'
        f'    board.gauge(f"{long}{{number}}", overview=True).set(number)\n'
    )
    with serve("run", str(tmp_path / "long.py"), env=FAST) as server:
        async with following(server.url) as listener:
            await until(lambda: len(listener.ticks) >= 2)
    assert listener.reasons == []
    assert {tuple(tick) for tick in listener.ticks} == {tuple(f"{long}{number}" for number in range(100))}


@pytest.mark.parametrize(
    ("count", "length", "why"),
    [(1_001, 10, "it refuses the subscription: "), (400, 200, "its overview has too many metrics to subscribe to: ")],
)
async def test_an_overview_that_is_too_large_is_a_reason(tmp_path: Path, count: int, length: int, why: str) -> None:
    (tmp_path / "large.py").write_text(
        f'from tickboard import Board\n\nboard = Board("Large")\nfor number in range({count}):\n'
        f'    board.gauge("x" * {length} + f"{{number}}", overview=True)\n'
    )
    with serve("run", str(tmp_path / "large.py")) as server:
        async with following(server.url) as listener:
            await until(lambda: listener.reasons)
    assert listener.reasons[0].startswith(why)
    assert listener.reasons[0].endswith(FEWER)


async def test_a_long_window_lets_others_run() -> None:
    rows = 5_000
    window = struct.pack(
        f"<BBHIQII{2 * rows}d", 1, 0, 0, 1, 6, rows, 0, *(1000.0 * n for n in range(6, 6 + rows)), *([1.0] * rows)
    )
    async with fake_host(encode(ABOUT), SERIES, TICK, window) as (url, _), following(url) as listener:
        await until(lambda: len(listener.ticks) == rows + 1)
    assert [tick.seq for tick in listener.ticks] == list(range(5, 6 + rows))


# --- its arguments ---


@pytest.mark.parametrize("url", ["ftp://web-1", "http://", "web-1:3000", "http://web-1/?metrics=a", "http://a b"])
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        HttpLink(url, None, Listener())


def test_two_credentials_are_refused() -> None:
    with pytest.raises(InputError, match="two credentials"):
        HttpLink("http://user:word@web-1:3000", "tickboard_x", Listener())


async def test_the_token_of_the_environment_is_not_for_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKBOARD_TOKEN", "tickboard_secret")
    asked: list[bytes] = []
    with answering(body(b"{}"), asked) as port:
        async with following(f"http://127.0.0.1:{port}") as listener:
            await until(lambda: listener.reasons)
    assert b"tickboard_secret" not in asked[0]
