"""Connections that a wall passes on to a host: what reaches the host, what comes back, how either side ends them."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.fleet.walls import GUARD_S, Host, answers, echoes, http_wall, nats_wall, streams
from tests.raw import statuses, talk
from tests.serving import wait_for
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tickboard.fleet.caller import VIEWER, Caller

Wall = Callable[[ASGIApp, Caller], AbstractContextManager[str]]

WALLS: dict[str, Wall] = {"http": http_wall, "nats": nats_wall}

OPERATOR = Caller("operator", "Anna Ö.")


@pytest.fixture(params=WALLS)
def over(request: pytest.FixtureRequest) -> Wall:
    """Serves a host's application, and a wall that passes connections on to it."""
    return WALLS[request.param]


# --- requests ---


def test_a_request_reaches_the_host_as_it_is_and_so_does_its_answer(over: Wall) -> None:
    with over(echoes, OPERATOR) as wall:
        answer = httpx.post(f"http://{wall}/api/alerts/b%20%C3%B6%3F%25/ack?x=%26y&z=1", json={"note": "on it"})
    told = {"method": "POST", "path": "/api/alerts/b ö?%/ack", "query": "x=%26y&z=1", "body": '{"note":"on it"}'}
    assert (answer.status_code, answer.json()) == (200, told)


def test_nothing_that_identifies_the_viewers_browser_reaches_the_host(over: Wall) -> None:
    host = Host(answers(b"{}", ("content-type", "application/json")))
    secret = {
        "Authorization": "Bearer viewer-secret",
        "Cookie": "session=viewer-secret",
        "Origin": "http://wall.example.com",
        "Referer": "http://wall.example.com/viewer-secret",
        "X-Forwarded-For": "203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "User-Agent": "viewer-secret",
        "Tickboard-For": "mallory",
        "Sec-Fetch-Site": "same-origin",
    }
    with over(host, OPERATOR) as wall:
        kept = {"Accept": "text/csv", "If-None-Match": '"1"', "Last-Event-ID": "e-4", "Accept-Encoding": "gzip"}
        httpx.get(f"http://{wall}/api/history", headers=secret | kept)
    sent = host.headers
    for name, value in kept.items():
        assert sent.pop(name.lower()) == value
    assert not {"authorization", "cookie", "origin", "referer", "forwarded", "x-forwarded-for", "x-real-ip"} & set(sent)
    assert "viewer-secret" not in str(sent)
    assert "203.0.113.9" not in str(sent)
    assert "wall.example.com" not in str(sent)
    assert wall not in str(sent), "the Host of the wall"
    assert sent.get("tickboard-for", "Anna %C3%96.") == "Anna %C3%96."


def test_nothing_comes_back_that_would_act_on_the_walls_origin(over: Wall) -> None:
    bad = {
        "Set-Cookie": "session=host",
        "Strict-Transport-Security": "max-age=1",
        "Content-Security-Policy": "script-src *",
        "Content-Security-Policy-Report-Only": "report-uri http://evil.example.com",
        "Report-To": "{}",
        "NEL": "{}",
        "Clear-Site-Data": '"*"',
        "Service-Worker-Allowed": "/",
        "Access-Control-Allow-Origin": "*",
        "Link": "</x>; rel=preload",
        "Refresh": "0; url=http://evil.example.com",
        "WWW-Authenticate": "Basic",
        "Location": "http://evil.example.com",
        "Alt-Svc": "h3",
        "Server": "evil",
    }
    good = {"ETag": '"1"', "Cache-Control": "no-store", "Content-Disposition": "attachment", "Retry-After": "7"}
    page = ("Content-Type", "text/html; charset=utf-8")
    with over(answers(b"<script>alert(1)</script>", *bad.items(), *good.items(), page), VIEWER) as wall:
        got = httpx.get(f"http://{wall}/api/board").headers
    policy = "sandbox; default-src 'none'; frame-ancestors 'none'"
    assert got.get_list("content-security-policy") == [policy]
    assert got["content-type"] == "application/octet-stream"
    assert got["x-content-type-options"] == "nosniff"
    assert {name: got[name] for name in good} == good
    assert not {name.lower() for name in bad} - {"content-security-policy", "server"} & set(got)
    assert got.get("server") != "evil"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "text/csv; charset=utf-8",
        "text/event-stream",
        "text/plain",
        "application/vnd.tickboard.history.v1",
    ],
)
def test_data_keeps_its_type(over: Wall, kind: str) -> None:
    with over(answers(b"x", ("content-type", kind)), VIEWER) as wall:
        assert httpx.get(f"http://{wall}/api/history").headers["content-type"] == kind


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/assets/index.js",
        "/login",
        "/login/abc",
        "/logout",
        "/api/audit",
        "/own",
        "/api/metrics/recent/..%2F..%2Faudit",
        "/assets/../api/audit",
        "/api//board",
        "/api/board%0A",
        "/api\\board",
    ],
)
def test_only_data_of_the_board_can_be_reached(over: Wall, path: str) -> None:
    host = Host(answers(b"{}"))
    with over(host, OPERATOR) as wall:
        address, _, port = wall.rpartition(":")
        asked = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        assert statuses(talk(int(port), asked.encode())) == [404]
    assert host.scopes == []


@pytest.mark.parametrize("path", ["/api/metrics", "/v1/metrics", "/api/v1/write"])
def test_metrics_cannot_be_sent_through_a_wall(over: Wall, path: str) -> None:
    host = Host(answers(b"{}"))
    with over(host, OPERATOR) as wall:
        assert httpx.post(f"http://{wall}{path}", json={}).status_code == 404
    assert host.scopes == []


def test_a_viewer_changes_nothing_on_a_host(over: Wall) -> None:
    host = Host(answers(b"{}"))
    with over(host, VIEWER) as wall:
        answer = httpx.post(f"http://{wall}/api/alerts/1/ack", json={})
        assert (answer.status_code, "role operator" in answer.json()["error"]) == (403, True)
        assert httpx.get(f"http://{wall}/api/alerts").status_code == 200
    assert len(host.scopes) == 1


def test_a_body_that_is_too_large_is_refused(over: Wall) -> None:
    host = Host(echoes)
    with over(host, OPERATOR) as wall:
        assert httpx.post(f"http://{wall}/api/marks", content=b"x" * (2**20 + 1)).status_code == 413
        assert httpx.post(f"http://{wall}/api/marks", content=b"x" * 2**20).status_code == 200
    assert len(host.scopes) == 1


def test_an_answer_is_passed_on_while_it_is_made_and_ends_when_its_viewer_leaves(over: Wall) -> None:
    host = Host(streams(b"id: 1\n\n", b"id: 2\n\n"))
    with over(host, VIEWER) as wall:
        with httpx.stream("GET", f"http://{wall}/events/alerts", timeout=GUARD_S) as answer:
            received = b""
            for chunk in answer.iter_bytes():
                received += chunk
                if received == b"id: 1\n\nid: 2\n\n":
                    assert host.ended == 0
                    break
        wait_for(lambda: host.ended == 1)


def test_an_answer_of_any_size_passes_through(over: Wall) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(200):
            await send({"type": "http.response.body", "body": bytes([number]) * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with over(app, VIEWER) as wall:
        got = httpx.get(f"http://{wall}/api/history", timeout=GUARD_S).content
    assert got == b"".join(bytes([number]) * 100_000 for number in range(200)) + b"end"


def test_a_viewer_that_reads_nothing_makes_the_host_wait(over: Wall) -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2_000):
            await send({"type": "http.response.body", "body": b"x" * 50_000, "more_body": True})
            sent += 50_000
        await send({"type": "http.response.body", "body": b""})

    with over(app, VIEWER) as wall, httpx.stream("GET", f"http://{wall}/api/history", timeout=GUARD_S) as answer:
        before = -1

        def is_waiting() -> bool:
            nonlocal before
            same, before = sent == before, sent
            time.sleep(0.2)
            return same

        wait_for(is_waiting)
        # What the system's buffers of two or three connections hold, of 100 MB.
        assert sent < 30_000_000
        assert sum(map(len, answer.iter_bytes())) == 100_000_000


def test_an_answer_that_is_cut_off_is_cut_off_for_its_viewer(over: Wall) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("the host fails")

    with over(app, VIEWER) as wall, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"http://{wall}/api/history")


def test_a_host_that_fails_before_its_answer_is_an_error(over: Wall) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("the host fails")

    with over(app, VIEWER) as wall:
        assert httpx.get(f"http://{wall}/api/history").status_code == 500


# --- WebSockets ---


async def test_messages_pass_both_ways(over: Wall) -> None:
    with over(echoes, VIEWER) as wall:
        async with connect(f"ws://{wall}/ws/metrics", subprotocols=[Subprotocol("tickboard.v2")]) as socket:
            assert socket.subprotocol == "tickboard.v2"
            for message in ("héllo", b"\x00\xff", "", b"", "x" * 60_000):
                await socket.send(message)
                assert await socket.recv() == message


async def test_the_hosts_close_code_passes_through(over: Wall) -> None:
    host = Host(echoes)
    with over(host, VIEWER) as wall:
        async with connect(f"ws://{wall}/ws/metrics") as socket:
            await socket.send("close")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4401, "over")
    assert host.ended == 1


async def test_the_viewers_close_code_passes_through(over: Wall) -> None:
    codes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        codes.append((await receive()).get("code", 0))

    with over(app, VIEWER) as wall:
        for code in (1000, 4000):
            async with connect(f"ws://{wall}/ws/metrics") as socket:
                await socket.close(code)
        async with connect(f"ws://{wall}/ws/metrics") as socket:
            socket.transport.abort()
        wait_for(lambda: len(codes) == 3)
    assert codes[:2] == [1000, 4000]


async def test_a_refused_handshake_is_refused_with_the_hosts_status(over: Wall) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        head = {"type": "websocket.http.response.start", "status": 429, "headers": [(b"set-cookie", b"a=b")]}
        await send(head)
        await send({"type": "websocket.http.response.body", "body": b'{"error":"too many globs"}'})

    with over(app, VIEWER) as wall, pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{wall}/ws/metrics")
    assert refused.value.response.status_code == 429
    assert "too many globs" in json.loads(refused.value.response.body or b"")["error"]
    assert "set-cookie" not in refused.value.response.headers


async def test_a_websocket_anywhere_else_is_refused(over: Wall) -> None:
    host = Host(echoes)
    with over(host, VIEWER) as wall, pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{wall}/ws/other")
    assert refused.value.response.status_code == 404
    assert host.scopes == []


async def test_a_viewer_of_a_websocket_that_reads_nothing_makes_the_host_wait(over: Wall) -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        for _ in range(1_000):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})
            sent += 1
        await send({"type": "websocket.close", "code": 1000})

    with over(app, VIEWER) as wall:
        async with connect(f"ws://{wall}/ws/metrics", compression=None, max_queue=1) as socket:
            before = -1
            while sent != before:
                before = sent
                await asyncio.sleep(0.3)
            assert sent < 300
            received = 0
            with contextlib.suppress(ConnectionClosed):
                while True:
                    received += len(await socket.recv()) == 100_000
    assert received == 1_000


async def test_a_lost_host_closes_the_websocket(over: Wall) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        raise RuntimeError("the host fails")

    with over(app, VIEWER) as wall:
        async with connect(f"ws://{wall}/ws/metrics") as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in {1011, 1014}


# --- limits ---


async def test_many_calls_at_a_time_do_not_disturb_each_other_and_more_get_503(over: Wall) -> None:
    host = Host(echoes)
    with over(host, VIEWER) as wall:
        sockets = await asyncio.gather(*(connect(f"ws://{wall}/ws/metrics") for _ in range(200)))
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{wall}/ws/metrics")
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "5"
        await asyncio.gather(*(socket.send(str(number)) for number, socket in enumerate(sockets)))
        assert await asyncio.gather(*(socket.recv() for socket in sockets)) == [str(number) for number in range(200)]
        await sockets.pop().close()
        # The wall sees a moment later than the host that the call is over.
        async with asyncio.timeout(GUARD_S):
            while len(sockets) < 200:
                with contextlib.suppress(InvalidStatus):
                    sockets.append(await connect(f"ws://{wall}/ws/metrics"))
        await asyncio.gather(*(socket.close() for socket in sockets))
