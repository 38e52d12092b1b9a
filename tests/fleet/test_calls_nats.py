"""Calls through a real nats-server: losses, hosts and walls that break the protocol, roles, and limits."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.fleet.listening import until
from tests.fleet.walls import Host, answers, connected, echoes, ended, identify, streams
from tests.nats_servers import NatsServer

from tickboard.errors import RefusedError
from tickboard.fleet import calls, calls_host, calls_wall
from tickboard.fleet import nats_connection as connecting
from tickboard.fleet.asking import HostAnswer, fetch, stream
from tickboard.fleet.caller import CALLER, VIEWER, WALL, Caller
from tickboard.fleet.calls import ALIVE, CLOSE, CREDIT, DATA, END, HEADER, MORE, OPEN, START, TEXT, Opening, Starting
from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.calls_wall import WallCalls
from tickboard.fleet.messages import host_in, subject
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.wire import encode


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(connecting, "LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(calls_host, "LINGER_S", 0.1)


@contextlib.asynccontextmanager
async def host_of(server: NatsServer, app: ASGIApp, name: str = "web-1") -> AsyncIterator[HostCalls]:
    """Serve calls to a host while the context is open."""
    async with connected(server) as connection:
        serving = HostCalls(connection, name, app, identify)
        task = asyncio.ensure_future(serving.run())
        await asyncio.sleep(0)
        assert await connection.flush(10)
        try:
            yield serving
        finally:
            await ended([task])


class Link:
    """A link of a wall to one host.

    Attributes:
        calls: the wall's.
    """

    kind = "nats"

    def __init__(self, calls: WallCalls, name: str) -> None:
        self.address = name
        self.calls = calls

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.calls.asgi(self.address, scope, receive, send)


@contextlib.asynccontextmanager
async def wall_of(server: NatsServer, name: str = "web-1") -> AsyncIterator[Link]:
    """Make calls to a host while the context is open."""
    async with connected(server) as connection:
        calling = WallCalls(connection)
        task = asyncio.ensure_future(calling.run())
        await asyncio.sleep(0)
        assert await connection.flush(10)
        try:
            yield Link(calling, name)
        finally:
            await ended([task])


async def board(link: Link, caller: Caller = VIEWER) -> HostAnswer:
    return await fetch(link, "GET", "/api/board", caller=caller)


def error(answer: HostAnswer) -> str:
    return str(json.loads(answer.body)["error"])


# --- losses ---


async def test_a_host_that_is_not_there_is_known_at_once(server: NatsServer) -> None:
    async with wall_of(server) as link:
        answer = await board(link)
        assert (answer.status, error(answer)) == (502, "web-1 cannot be reached: nobody is there")
        assert len(link.calls) == 0


async def test_without_nats_calls_end_on_both_sides_and_new_ones_are_refused(server: NatsServer) -> None:
    host = Host(streams(b"event"))
    async with host_of(server, host) as serving, wall_of(server) as link, stream(link, "/events/alerts") as answer:
        assert await anext(answer.chunks) == b"event"
        server.kill()
        with pytest.raises(RefusedError, match="the connection to NATS was lost"):
            await anext(answer.chunks)
        await until(lambda: host.ended == 1 and not len(serving))
        refused = await board(link)
        assert (refused.status, error(refused)) == (502, "web-1 cannot be reached: there is no connection to NATS")
        server.start()
        await until(lambda: serving._connection.connected and link.calls._connection.connected)
        async with asyncio.timeout(20), stream(link, "/events/alerts") as again:
            assert await anext(again.chunks) == b"event"


async def test_a_wall_that_vanishes_ends_its_calls_on_the_host(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LOOK_S", 0.05)
    monkeypatch.setattr(calls, "ALIVE_S", 0.1)
    host = Host(streams(b"event"))
    async with host_of(server, host) as serving, wall_of(server) as link:
        asking = asyncio.create_task(fetch(link, "GET", "/events/alerts"))
        await until(lambda: len(serving) == 1)
        # As if its process were killed: it says nothing more, and receives nothing.
        monkeypatch.setattr(link.calls._connection, "publish", lambda *_: False)
        for subscription in list(link.calls._connection._subscriptions):  # type: ignore[attr-defined]
            subscription.cancel()
        await until(lambda: host.ended == 1 and not len(serving))
        await ended([asking])  # type: ignore[list-item]


async def test_a_host_that_falls_silent_ends_its_calls_on_the_wall(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LOOK_S", 0.05)
    monkeypatch.setattr(calls, "SILENT_S", 0.3)
    async with (
        host_of(server, streams(b"event")) as serving,
        wall_of(server) as link,
        stream(link, "/events/alerts") as answer,
    ):
        assert await anext(answer.chunks) == b"event"
        monkeypatch.setattr(serving._connection, "publish", lambda *_: False)
        with pytest.raises(RefusedError, match=r"nothing was heard for 0\.3 s"):
            await anext(answer.chunks)


async def test_a_host_that_hangs_gets_504(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_wall, "HEAD_S", 0.2)

    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    host = Host(hangs)
    async with host_of(server, host), wall_of(server) as link:
        answer = await board(link)
        assert (answer.status, error(answer)) == (504, "web-1 does not answer")
        await until(lambda: host.ended == 1)


async def test_a_host_that_stops_or_is_restarted_ends_its_calls(server: NatsServer) -> None:
    async with wall_of(server) as link:
        async with host_of(server, streams(b"event")), stream(link, "/events/alerts") as answer:
            assert await anext(answer.chunks) == b"event"
            link.calls.lost("web-2", "of another host")
            link.calls.lost("web-1", "the host was restarted")
            with pytest.raises(RefusedError, match="the host was restarted"):
                await anext(answer.chunks)
        serving = contextlib.AsyncExitStack()
        await serving.enter_async_context(host_of(server, streams(b"event")))
        async with stream(link, "/events/alerts") as answer:
            assert await anext(answer.chunks) == b"event"
            await serving.aclose()
            with pytest.raises(RefusedError, match="the host serves no more calls"):
                await anext(answer.chunks)


async def test_an_application_that_ignores_its_cancellation_is_abandoned(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    over = asyncio.Event()

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not over.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await over.wait()

    async with host_of(server, stubborn) as serving, wall_of(server) as link:
        async with stream(link, "/api/board"):
            assert len(serving) == 1
        await until(lambda: not len(serving))
        over.set()
    assert "it is abandoned" in caplog.text


async def test_an_application_that_fails_is_logged_and_one_whose_client_has_gone_is_not(
    server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tickboard")

    async def sends(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": True})

    host = Host(sends)
    async with host_of(server, host), wall_of(server) as link:
        async with stream(link, "/api/board") as answer:
            await anext(answer.chunks)
        await until(lambda: host.ended == 1)
    assert caplog.messages == []

    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("broken")

    async def is_cancelled(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    for app in (fails, is_cancelled):
        async with host_of(server, app), wall_of(server) as link:
            failed = await board(link)
            assert (failed.status, error(failed)) == (500, "the host has failed: its log says why")
    assert caplog.messages == ["the call /api/board failed"] * 2


# --- walls that break the protocol ---


class RawWall:
    """A wall that sends what a test wants to the host web-1, and records what it answers."""

    def __init__(self, connection: NatsConnection) -> None:
        self._connection = connection
        self.frames: list[tuple[int, int, bytes]] = []
        connection.subscribe("tickboard.host.web-1.answer.w.1", self._take)

    def _take(self, _: str, frame: bytes, __: str) -> None:
        kind, flags, _, _ = HEADER.unpack_from(frame)
        self.frames.append((kind, flags, frame[HEADER.size :]))

    def send(self, kind: int, number: int, content: bytes = b"", flags: int = 0, role: str = "viewer") -> None:
        frame = HEADER.pack(kind, flags, 0, number) + content
        assert self._connection.publish(f"tickboard.host.web-1.ask.{role}.w.1", frame)

    def open(self, path: str = "/ws/metrics", role: str = "viewer", **more: Any) -> None:
        self.send(OPEN, 1, encode(Opening(path, **more)), role=role)

    def has_room(self, times: int) -> bool:
        """Return whether the host has given room so many times, or ended the call."""
        return self.has(END) or sum(kind == CREDIT for kind, *_ in self.frames) >= times

    def has(self, kind: int) -> bool:
        return any(each == kind for each, *_ in self.frames)

    def why(self) -> str:
        return next(content for kind, _, content in self.frames if kind == END).decode()


@contextlib.asynccontextmanager
async def raw_wall(server: NatsServer) -> AsyncIterator[RawWall]:
    async with connected(server) as connection:
        wall = RawWall(connection)
        assert await connection.flush(10)
        yield wall


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"path":7}', b"[" * 10_000])
async def test_an_opening_that_cannot_be_understood_ends_the_call(server: NatsServer, content: bytes) -> None:
    host = Host(echoes)
    async with host_of(server, host) as serving, raw_wall(server) as wall:
        wall.send(OPEN, 1, content)
        await until(lambda: wall.has(END))
        assert wall.why().startswith("its opening cannot be understood")
        await until(lambda: not len(serving))
    assert host.scopes == []


@pytest.mark.parametrize("kind", [DATA, ALIVE, START, CLOSE])
async def test_a_frame_of_a_call_that_the_host_does_not_know_is_answered_with_its_end(
    server: NatsServer, kind: int
) -> None:
    async with host_of(server, echoes), raw_wall(server) as wall:
        wall.send(CREDIT, 5)
        wall.send(END, 6)
        wall.send(kind, 7)
        await until(lambda: wall.frames)
        assert wall.why() == "the host does not know this call"
        assert len(wall.frames) == 1


async def test_a_role_that_does_not_exist_opens_nothing(server: NatsServer) -> None:
    host = Host(echoes)
    async with host_of(server, host), raw_wall(server) as wall:
        for role in ("admin", "sender", "x"):
            wall.open("/api/board", role, method="GET")
        await until(lambda: len(wall.frames) == 3)
    assert host.scopes == []


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        ("viewer", "POST", "/api/marks", 403),
        ("operator", "POST", "/api/marks", 200),
        ("operator", "POST", "/api/metrics", 404),
        ("operator", "GET", "/api/audit", 404),
        ("operator", "GET", "/login", 404),
        ("operator", "GET", "/", 404),
        ("operator", "GET", "relative", 404),
    ],
)
async def test_the_host_itself_decides_what_a_role_may_do(
    server: NatsServer, role: str, method: str, path: str, status: int
) -> None:
    host = Host(answers(b"{}"))
    async with host_of(server, host), raw_wall(server) as wall:
        wall.open(path, role, method=method, name="anna\n", headers=[("cookie", "a"), ("host", "b"), ("accept", "c")])
        wall.send(DATA, 2, role=role)
        await until(lambda: wall.has(DATA))
    started = next(content for kind, _, content in wall.frames if kind == START)
    assert json.loads(started)["status"] == status
    assert len(host.scopes) == (status == 200)
    if host.scopes:
        scope = host.scopes[0]
        assert scope["identified"] == scope[CALLER] == Caller("operator", "anna")
        assert scope["headers"] == [(b"accept", b"c")]
        assert scope["client"] == ("anna on wall w", 0)


@pytest.mark.parametrize(
    ("frames", "code", "why"),
    [
        ([(DATA, b"\xff", TEXT)], 1007, "a message is not UTF-8"),
        ([(DATA, b"x" * 200_000, MORE)] * 6, 1009, "a message has more than 1048576 bytes"),
        ([(START, b"{}", 0)], 1011, "a frame came out of order"),
        ([(OPEN, b"{}", 0)], 1011, "a frame came out of order"),
    ],
)
async def test_messages_that_are_not_allowed_close_the_websocket(
    server: NatsServer, frames: list[tuple[int, bytes, int]], code: int, why: str
) -> None:
    host = Host(echoes)
    async with host_of(server, host), raw_wall(server) as wall:
        wall.open()
        await until(lambda: wall.has(START))
        for number, (kind, content, flags) in enumerate(frames, 2):
            wall.send(kind, number, content, flags)
            # Room is given as the host reads.
            await until(partial(wall.has_room, number - 1))
        await until(lambda: wall.has(END))
        assert wall.why() == why
        closed = next(content for kind, _, content in wall.frames if kind == CLOSE)
        assert int.from_bytes(closed[:2], "little") == code
        await until(lambda: host.ended == 1)


async def test_more_than_there_is_room_for_ends_the_call(server: NatsServer) -> None:
    async def reads_nothing(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async with host_of(server, reads_nothing) as serving, raw_wall(server) as wall:
        wall.open("/api/board", method="GET")
        for number in range(2, 8):
            wall.send(DATA, number, b"x" * 60_000, MORE)
        await until(lambda: wall.has(END))
        assert wall.why() == "more was sent than may be"
        await until(lambda: not len(serving))


async def test_a_request_with_the_close_of_a_websocket_ends_the_call(server: NatsServer) -> None:
    messages: list[Message] = []

    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        messages.append(await receive())

    async with host_of(server, reads), raw_wall(server) as wall:
        wall.open("/api/board", method="GET")
        wall.send(CLOSE, 2)
        await until(lambda: messages and wall.has(END))
    assert messages == [{"type": "http.disconnect"}]


async def test_more_calls_than_a_host_serves_get_503(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_host, "MAX_CALLS", 1)
    monkeypatch.setattr(calls_host, "KEPT_CALLS", 1)
    async with (
        host_of(server, streams(b"x")) as serving,
        wall_of(server) as link,
        stream(link, "/events/alerts", caller=VIEWER),
    ):
        answer = await board(link)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert error(answer) == "web-1 has 1 calls: try again in a few seconds"
        # What the wall needs for itself has a share that viewers cannot use up.
        async with stream(link, "/events/alerts") as alerts:
            assert alerts.status == 200
            assert error(await board(link, WALL)) == "web-1 has 2 calls: try again in a few seconds"
        assert serving.refused == 2


async def test_more_calls_than_a_wall_makes_get_503(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_wall, "MAX_OWN_CALLS", 1)
    async with host_of(server, streams(b"x")), wall_of(server) as link:
        for limit, why in (
            ("MAX_ALL_CALLS", "the wall has 1 calls to its hosts: close some of their boards, or try again"),
            ("MAX_CALLS", "web-1 has 1 calls from this wall: close some of its boards, or try again"),
        ):
            async with stream(link, "/events/alerts", caller=VIEWER):
                with monkeypatch.context() as patch:
                    patch.setattr(calls_wall, limit, 1)
                    assert error(await board(link)) == why
                    async with stream(link, "/events/alerts") as alerts:
                        assert (alerts.status, len(link.calls)) == (200, 2)
                        assert error(await board(link, WALL)) == "the wall itself has 1 calls to web-1: it tries again"
            await until(lambda: not len(link.calls))


# --- hosts that break the protocol ---


class RawHost:
    """A host that answers each call as a test wants."""

    def __init__(self, connection: NatsConnection, *frames: tuple[int, bytes, int], name: str = "web-1") -> None:
        self._connection = connection
        self._frames = frames
        self._name = name
        self.heard: list[tuple[int, bytes]] = []
        connection.subscribe(subject("web-1", "ask", "*", "*", "*"), self._take)

    def _take(self, asked: str, frame: bytes, _: str) -> None:
        kind, *_rest = HEADER.unpack_from(frame)
        self.heard.append((kind, frame[HEADER.size :]))
        if kind == OPEN:
            for number, (answer, content, flags) in enumerate(self._frames, 1):
                where = subject(self._name, "answer", *asked.split(".")[-2:])
                self._connection.publish(where, HEADER.pack(answer, flags, 0, number) + content)


START_200 = (START, encode(Starting(200)), 0)
ACCEPTED = (START, encode(Starting(101)), 0)


@contextlib.asynccontextmanager
async def raw_host(server: NatsServer, *frames: tuple[int, bytes, int], name: str = "web-1") -> AsyncIterator[RawHost]:
    async with connected(server) as connection:
        host = RawHost(connection, *frames, name=name)
        assert await connection.flush(10)
        yield host


@pytest.mark.parametrize(
    ("frames", "status", "why"),
    [
        ([(DATA, b"", 0)], 502, "a frame came out of order"),
        ([(START, b"{", 0)], 502, "the beginning of its answer cannot be understood"),
        ([(START, b"\xff", 0)], 502, "the beginning of its answer cannot be understood"),
        ([(START, encode(Starting(7)), 0)], 502, "its answer has the status 7"),
        ([ACCEPTED], 502, "its answer has the status 101"),
        ([(START, encode(Starting(302)), 0)], 502, "redirects"),
        ([(END, b"no", 0)], 502, "web-1 cannot be reached: no"),
        (
            [
                (START, encode(Starting(418, [("set-cookie", "a"), ("etag", "\u20ac")])), 0),
                (DATA, b'{"error":"tea"}', 0),
            ],
            418,
            "tea",
        ),
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_error(
    server: NatsServer, frames: list[tuple[int, bytes, int]], status: int, why: str
) -> None:
    async with raw_host(server, *frames), wall_of(server) as link:
        answer = await board(link)
    assert (answer.status, why in error(answer)) == (status, True)
    assert not {"set-cookie", "etag"} & set(answer.headers)


async def test_nothing_of_an_answer_can_end_a_line_of_the_walls_own(server: NatsServer) -> None:
    bad = [("etag", "a\r\nset-cookie: b=c"), ("vary", "a\x00"), ("content-length", "-1"), ("retry-after", "7")]
    async with raw_host(server, (START, encode(Starting(200, bad)), 0), (DATA, b"", 0)), wall_of(server) as link:
        answer = await board(link)
    assert answer.headers["retry-after"] == "7"
    assert not {"etag", "vary", "content-length", "set-cookie"} & set(answer.headers)


async def test_a_subprotocol_that_was_not_offered_is_not_accepted(server: NatsServer) -> None:
    for given, accepted in (("a\r\nset-cookie: b=c", None), ("tickboard.v1", None), ("tickboard.v2", "tickboard.v2")):
        viewer = Viewer()
        start = (START, encode(Starting(101, [], given)), 0)
        async with raw_host(server, start, (CLOSE, b"", 0)), wall_of(server) as link:
            await viewer.open(link, subprotocols=["tickboard.v2"])
        assert viewer.sent[0]["subprotocol"] == accepted


async def test_an_answer_that_breaks_off_is_cut_off(server: NatsServer) -> None:
    for broken in ((CLOSE, b"", 0), (END, b"tired", 0)):
        async with raw_host(server, START_200, (DATA, b"x", MORE), broken), wall_of(server) as link:
            with pytest.raises(RefusedError, match="cut off"):
                await board(link)


async def test_an_answer_of_another_host_is_not_believed(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_wall, "HEAD_S", 0.3)
    async with raw_host(server, START_200, (DATA, b"x", 0), name="web-2") as host, wall_of(server) as link:
        answer = await board(link)
        await until(lambda: host.heard[-1][0] == END)
    assert answer.status == 504
    assert host_in("tickboard.host.web-1%2Eeu.answer.w.1") == "web-1.eu"


async def test_answers_to_no_call_are_ignored(server: NatsServer) -> None:
    async with host_of(server, answers(b"here")), wall_of(server) as link, connected(server) as connection:
        wall = link.calls._wall
        for number in ("1", "99", "x", "-1"):
            connection.publish(subject("web-1", "answer", wall, number), b"nonsense")
        assert await connection.flush(10)
        assert (await board(link)).body == b"here"


class Viewer:
    """A viewer's WebSocket at a wall: ASGI's `receive` and `send`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.messages.put_nowait({"type": "websocket.connect"})

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def open(self, link: Link, **more: Any) -> None:
        scope: Scope = {
            "type": "websocket",
            "path": "/ws/metrics",
            "query_string": b"",
            "headers": [],
            "subprotocols": [],
        }
        async with asyncio.timeout(30):
            await link.asgi({**scope, **more}, self.messages.get, self.send)

    @property
    def code(self) -> int:
        last = self.sent[-1]
        assert last["type"] == "websocket.close", self.sent
        return int(last["code"])


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([(DATA, b"\xff", TEXT)], 1007),
        ([(DATA, b"x", MORE), (CLOSE, b"", 0)], 1014),
        ([(END, b"tired", 0)], 1014),
        ([(CLOSE, b"", 0)], 1000),
        ([(CLOSE, (4401).to_bytes(2, "little"), 0)], 4401),
        ([(CLOSE, (1006).to_bytes(2, "little"), 0)], 1014),
    ],
)
async def test_how_a_websocket_of_a_host_ends(
    server: NatsServer, frames: list[tuple[int, bytes, int]], code: int
) -> None:
    viewer = Viewer()
    async with raw_host(server, ACCEPTED, *frames), wall_of(server) as link:
        await viewer.open(link)
        assert len(link.calls) == 0
    assert viewer.code == code


@pytest.mark.parametrize(("limit", "code"), [("MAX_MESSAGE_BYTES", 1009), ("MAX_JOINING_BYTES", 1013)])
async def test_a_message_that_takes_too_much_memory_closes_the_websocket(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch, limit: str, code: int
) -> None:
    monkeypatch.setattr(calls_wall, limit, 100_000)
    viewer = Viewer()
    async with raw_host(server, ACCEPTED, *[(DATA, b"x" * 60_000, MORE)] * 3), wall_of(server) as link:
        await viewer.open(link)
        assert link.calls._joining_bytes == 0
    assert viewer.code == code


@pytest.mark.parametrize(
    "frames", [[(DATA, b'{"error":"full"}', 0)], [(END, b"", 0)], [(DATA, b"x" * 70_000, MORE)] * 2]
)
async def test_a_host_that_refuses_a_websocket(server: NatsServer, frames: list[tuple[int, bytes, int]]) -> None:
    viewer = Viewer()
    async with raw_host(server, (START, encode(Starting(503)), 0), *frames), wall_of(server) as link:
        await viewer.open(link)
        # A server without denial responses can only close the handshake.
        assert viewer.sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]


async def test_a_websocket_to_a_host_that_is_not_there(server: NatsServer) -> None:
    viewer = Viewer()
    async with wall_of(server) as link:
        await viewer.open(link, extensions={"websocket.http.response": {}})
    assert [message.get("status") for message in viewer.sent] == [502, None]


async def test_an_application_that_ends_without_closing_its_websocket(server: NatsServer) -> None:
    async def accepts(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 1000})

    async def accepts_and_fails(scope: Scope, receive: Receive, send: Send) -> None:
        await accepts(scope, receive, send)
        raise ValueError

    for app, code in ((accepts, 1000), (accepts_and_fails, 1011), (refuses, 1008)):
        viewer = Viewer()
        async with host_of(server, app), wall_of(server) as link:
            await viewer.open(link)
        assert viewer.code == code


async def test_a_viewer_that_sends_to_a_websocket_that_is_over_learns_its_end(server: NatsServer) -> None:
    viewer = Viewer()
    async with raw_host(server, ACCEPTED) as host, wall_of(server) as link:
        opened = asyncio.create_task(viewer.open(link))
        await until(lambda: viewer.sent)
        link.calls.lost("web-1", "the host was restarted")
        viewer.messages.put_nowait({"type": "websocket.receive", "text": "ping"})
        await opened
        assert host.heard[0][0] == OPEN
    assert viewer.code == 1014
