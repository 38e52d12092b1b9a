"""Real boards behind NATS, as programs: their data, alerts, ticks and changes through calls, and their sudden ends."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.types import Receive, Scope, Send
from tests.fleet.listening import Listener, until
from tests.fleet.walls import GUARD_S, OverNats, ended, nats_connection, nats_host, wall
from tests.nats_servers import NatsServer, nats_server
from tests.serving import Server, serve
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed

import tickboard
from tickboard.errors import RefusedError
from tickboard.fleet.asking import fetch, stream
from tickboard.fleet.caller import VIEWER, Caller
from tickboard.fleet.nats_link import NatsLink, NatsLinks
from tickboard.problems import Problems

ALARMS = str(Path(__file__).parents[1] / "boards" / "alarms.py")
RISING = str(Path(__file__).parents[1] / "boards" / "rising.py")
FAST = {"METRIC_INTERVAL_MS": "100"}
ANNA = Caller("operator", "Anna")


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats_server() as server:
        yield server


@contextlib.contextmanager
def publishing(server: NatsServer, board: str, *arguments: str) -> Iterator[Server]:
    with serve("run", board, "--nats", server.url, "--name", "web-1", *arguments, env=FAST) as host:
        yield host


@contextlib.asynccontextmanager
async def linked(server: NatsServer) -> AsyncIterator[NatsLink]:
    """Return the link to the host web-1, once it has been found."""
    listener, connection = Listener(), nats_connection(server)
    links = NatsLinks(connection, listener, Problems())
    tasks = [asyncio.ensure_future(run()) for run in (links.run, links.calls.run, connection.run)]
    try:
        await until(lambda: listener.ticks)
        link = listener.links[-1]
        assert isinstance(link, NatsLink)
        yield link
    finally:
        await ended(tasks)


async def reachable(place: str) -> None:
    """Wait until the host answers through the wall: a board claims its name before it serves calls."""
    async with asyncio.timeout(GUARD_S), httpx.AsyncClient() as client:
        while (await client.get(f"http://{place}/api/about")).status_code != 200:
            await asyncio.sleep(0.05)


async def push(host: Server, *samples: dict[str, Any]) -> None:
    async with httpx.AsyncClient() as client:
        (await client.post(f"{host.url}api/metrics", json=list(samples))).raise_for_status()


async def close_code(socket: ClientConnection) -> int:
    """Read to the end of a WebSocket, and return the code that it was closed with."""
    async with asyncio.timeout(GUARD_S):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


class Events:
    """The alert events of a stream, as they come."""

    def __init__(self) -> None:
        self.texts = ""

    async def read(self, link: NatsLink) -> None:
        async with stream(link, "/events/alerts") as answer:
            assert answer.status == 200
            async for chunk in answer:
                self.texts += chunk.decode()

    @property
    def alerts(self) -> list[dict[str, Any]]:
        lines = [line[6:] for line in self.texts.splitlines() if line.startswith("data: ")]
        return [each for each in map(json.loads, lines) if "severity" in each]


async def test_alerts_come_through_a_stream_and_are_acknowledged_by_name(server: NatsServer) -> None:
    with publishing(server, ALARMS) as host:
        async with linked(server) as link:
            events = Events()
            reading = asyncio.create_task(events.read(link))
            await push(host, {"name": "disk", "value": 95, "labels": {"host": "a"}})
            await until(lambda: events.alerts)
            alert = events.alerts[0]
            refused = await fetch(link, "POST", f"/api/alerts/{alert['id']}/ack", body=b"{}")
            assert refused.status == 403
            body = b'{"note": "on it", "by": "mallory"}'
            json_type = {"Content-Type": "application/json"}
            done = await fetch(
                link, "POST", f"/api/alerts/{alert['id']}/ack", body=body, headers=json_type, caller=ANNA
            )
            assert done.status == 200
            await until(lambda: "Anna" in events.texts)
            assert "mallory" not in events.texts
            await ended([reading])
            nameless = Caller("operator")
            for caller, given, by in ((ANNA, "bob", "Anna"), (nameless, "bob", "bob"), (nameless, "", "a wall")):
                body = json.dumps({"text": f"by {by}", "by": given}).encode()
                made = await fetch(link, "POST", "/api/marks", body=body, headers=json_type, caller=caller)
                assert json.loads(made.body)["by"] == by
            board = json.loads((await fetch(link, "GET", "/api/board")).body)
            assert board["title"] == "Alarms"
            assert (await fetch(link, "GET", "/api/audit", caller=ANNA)).status == 404
            history = await fetch(link, "GET", "/api/history", [("from", "-1m")])
            assert history.status == 404, "this board keeps none, and says so"
            assert b"keeps no history" in history.body


async def test_ticks_of_a_board_through_a_wall_are_whole_and_in_order(server: NatsServer) -> None:
    with publishing(server, RISING), wall(OverNats(server)) as place:
        await reachable(place)
        ticks: list[tickboard.Tick] = []
        async with asyncio.timeout(GUARD_S), tickboard.connect(f"http://{place}", metrics=["first.a"]) as watched:
            async for tick in watched:
                ticks.append(tick)
                if len(ticks) == 10:
                    break
        async with (
            asyncio.timeout(GUARD_S),
            tickboard.connect(f"http://{place}", metrics=["first.a"], since=ticks[4].position) as resumed,
        ):
            again = [await anext(resumed) for _ in range(5)]
    assert [tick.seq for tick in ticks] == list(range(ticks[0].seq, ticks[0].seq + 10))
    assert [(tick.position, tick["first.a"]) for tick in again] == [
        (tick.position, tick["first.a"]) for tick in ticks[5:]
    ]


async def test_a_board_that_is_killed_ends_its_calls_and_the_next_one_answers(server: NatsServer) -> None:
    with publishing(server, RISING) as host, wall(OverNats(server)) as place:
        await reachable(place)
        async with open_websocket(f"ws://{place}/ws/metrics") as socket, linked(server) as link:
            await socket.recv()
            events = Events()
            reading = asyncio.create_task(events.read(link))
            await until(lambda: events.texts)
            host.process.send_signal(signal.SIGKILL)
            assert await close_code(socket) == 1014
            with pytest.raises(RefusedError):
                await reading
            with publishing(server, RISING):
                async with asyncio.timeout(GUARD_S):
                    while (await fetch(link, "GET", "/api/board")).status != 200:
                        await asyncio.sleep(0.05)


async def test_a_board_that_stands_still_for_a_while_goes_on_with_its_calls(server: NatsServer) -> None:
    with publishing(server, RISING) as host, wall(OverNats(server)) as place:
        await reachable(place)
        async with open_websocket(f"ws://{place}/ws/metrics") as socket:
            await socket.recv()
            stopped = psutil.Process(host.process.pid)
            host.process.send_signal(signal.SIGSTOP)
            asking = asyncio.create_task(socket.recv())
            try:
                async with httpx.AsyncClient(timeout=GUARD_S) as client:
                    answering = asyncio.create_task(client.get(f"http://{place}/api/board"))
                    await until(lambda: stopped.status() == psutil.STATUS_STOPPED)
                    assert not answering.done()
                    host.process.send_signal(signal.SIGCONT)
                    assert (await answering).status_code == 200
                    await asking
            finally:
                host.process.send_signal(signal.SIGCONT)


async def test_a_board_that_ends_closes_its_websockets_as_it_does_for_its_own_viewers(server: NatsServer) -> None:
    with publishing(server, RISING) as host, wall(OverNats(server)) as place:
        await reachable(place)
        async with open_websocket(f"ws://{place}/ws/metrics") as socket:
            await socket.recv()
            host.process.send_signal(signal.SIGTERM)
            assert await close_code(socket) in {1001, 1014}


async def test_many_viewers_that_read_nothing_take_little_memory(server: NatsServer) -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 30_000, "more_body": True})
            sent += 30_000

    viewers = 50
    with nats_server() as own, nats_host(own, app) as calls:
        listener, connection = Listener(), nats_connection(own)
        links = NatsLinks(connection, listener, Problems())
        tasks = [asyncio.ensure_future(run()) for run in (links.calls.run, connection.run)]
        await until(lambda: connection.connected)
        link = NatsLink("web-1", "nats", links.calls)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(viewers):
                await stack.enter_async_context(stream(link, "/api/history", caller=VIEWER))
            assert len(calls) == viewers
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.3)
            assert viewers * 200_000 < sent < viewers * 400_000, "the window of each, and what is being processed"
        await until(lambda: not len(calls))
        await ended(tasks)
