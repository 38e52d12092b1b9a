"""While the server processes hostile input, other viewers get every tick and other requests are answered."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from tests.raw import GET, rest, statuses
from tests.serving import Server, raw_viewer, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

BOARD = """
from tickboard import Board
board = Board("Wide")
metric = board.gauge("wide", labels=["i"])
for number in range(5_000):
    metric.labels(i=number).set(number)
for number in range(5_000):
    board.gauge(f"plain_{number}").set(number)
board.gauge("polite").set(1)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("boards") / "board.py"
    file.write_text(BOARD)
    with serve("run", str(file), "--interval", "100", "--window", "60", "--state", "none") as running:
        yield running


@pytest.fixture
def everyone_else(server: Server) -> Iterator[None]:
    """Watch one metric, and poll the board's health."""
    seen: list[tuple[str, int]] = []
    answered: list[int] = []
    over = threading.Event()

    def watch(viewer: ClientConnection) -> None:
        while not over.is_set():
            message = json.loads(viewer.recv(10))
            seen.append((message["type"], message["seq"]))

    def ask() -> None:
        with httpx.Client() as client:
            while not over.is_set():
                answered.append(client.get(f"{server.url}api/health", timeout=10).json()["seq"])
                over.wait(0.02)

    with connect(f"{server.ws_url}?metrics=polite") as viewer:
        threads = [threading.Thread(target=watch, args=(viewer,)), threading.Thread(target=ask)]
        for thread in threads:
            thread.start()
        try:
            yield
            newest = server.json("/api/health")["seq"]
            server.wait_for(lambda: seen and seen[-1][1] >= newest + 3)
        finally:
            over.set()
            for thread in threads:
                thread.join(15)
    (kind, first), *ticks = seen
    assert kind == "initial"
    assert ticks == [("metrics", seq) for seq in range(first + 1, first + 1 + len(ticks))]
    # Answers came throughout, not only at the end.
    assert len(set(answered)) >= len(ticks) // 4


def post(server: Server, path: str, body: bytes, **headers: str) -> int:
    return httpx.post(f"{server.url}{path}", content=body, headers=headers, timeout=30).status_code


def unfolding(server: Server) -> None:
    body = gzip.compress(b"\x0a\x00" * (8 << 20))
    protobuf = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    assert post(server, "v1/metrics", body, **protobuf) == 413


def nested(server: Server) -> None:
    for text in ("[" * (3 << 20), '{"a":[' + "[]," * (1 << 20), "[" + "{}," * (5 << 20)):
        for path in ("v1/metrics", "api/metrics"):
            assert post(server, path, text.encode(), **{"Content-Type": "application/json"}) in {400, 413}


def series(server: Server) -> None:
    metrics = [{"name": f"new_{number}", "value": 1, "labels": {"i": str(number)}} for number in range(2_000)]
    assert post(server, "api/metrics", json.dumps(metrics).encode()) == 200


def answers(server: Server, *selectors: list[str]) -> list[str]:
    """Return the type of the answer to each subscription."""
    found: list[str] = []
    with connect(f"{server.ws_url}?metrics=none", max_size=None) as viewer:
        for each in selectors:
            viewer.send(json.dumps({"type": "subscribe", "metrics": each}))
        while len(found) < len(selectors):
            kind = json.loads(viewer.recv(20))["type"]
            found += [kind] if kind in {"subscribed", "refused"} else []
    return found


def globs(server: Server) -> None:
    assert answers(server, ["[!" * 20_000], ["*a" * 100 + "b"], ["?" * 40]) == ["refused", "subscribed", "refused"]


def labels(server: Server) -> None:
    asked = [f'{{a{number}="1"}}' for number in range(1_000)]
    keys = [f'wide{{i="{number}"}}' for number in range(1_000)]
    assert answers(server, asked, keys) == ["refused", "subscribed"]


def many_subscriptions(server: Server) -> None:
    asked = [[f"*{number}*{letter}*" for letter in "abcdefghij" * 10] for number in range(30)]
    assert set(answers(server, *asked)) == {"subscribed"}


def different_subscriptions(server: Server) -> None:
    """Open many distinct subscriptions from one address: the last handshakes are refused."""
    statuses: list[int] = []
    with ExitStack() as viewers:
        for number in range(14):
            try:
                viewers.enter_context(connect(f"{server.ws_url}?metrics=*&metrics=u{number}", max_size=None))
            except InvalidStatus as error:
                statuses.append(error.response.status_code)
    assert statuses
    assert set(statuses) == {429}


def pings(server: Server) -> None:
    client = raw_viewer(server.port)
    client.settimeout(2)
    assert b" 101 " in client.recv(4096)
    frame = b"\x89\x80" + bytes(4)
    with suppress(OSError):
        for _ in range(20):
            client.sendall(frame * 50_000)
    client.close()


def documents(server: Server) -> None:
    parameters = "&".join(["metrics=*"] * 1_100)
    assert httpx.get(f"{server.url}api/stats?{parameters}").status_code == 400
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        connect(f"{server.ws_url}?{'&a' * 2_000}")
    accept = {"Accept-Encoding": "gzip," * 3_000, "If-None-Match": '"a",' * 3_000}
    for path in ("api/stats", "api/metrics/recent?count=1000000000", "api/board", "metrics"):
        assert httpx.get(f"{server.url}{path}", headers=accept, timeout=30).status_code == 200


def ahead(server: Server) -> None:
    """Pipeline very many requests over many connections, and read the answers."""
    asked = GET + b"\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(50)]
        for client in clients:
            client.sendall(asked * 20 + asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        for client in clients:
            assert len(statuses(rest(client))) == 21


HOSTILE: list[Callable[[Server], None]] = [
    unfolding,
    nested,
    series,
    globs,
    labels,
    many_subscriptions,
    different_subscriptions,
    pings,
    documents,
    ahead,
]


@pytest.mark.parametrize("attack", HOSTILE, ids=lambda attack: attack.__name__)
def test_no_attack_delays_a_tick_or_an_answer(
    server: Server, everyone_else: None, attack: Callable[[Server], None]
) -> None:
    attack(server)


def test_the_first_request_of_the_page_imports_no_modules() -> None:
    counts: list[int] = []

    with serve(env={"PYTHONPROFILEIMPORTTIME": "1"}) as server:

        def imported() -> int:
            counts.append(server.output().count("import time:"))
            return counts[-1]

        def is_ready() -> bool:
            server.json("/api/health")
            return imported() == max(counts[-20:-10], default=0)

        server.wait_for(is_ready)
        before = imported()
        assert httpx.get(server.url).status_code == 200
        server.json("/api/health")
        assert imported() == before
