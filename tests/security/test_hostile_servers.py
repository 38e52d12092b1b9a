"""Hostile servers against `tickboard health`, `tickboard.connect` and `tickboard.push`."""

import asyncio
import contextlib
import json
import struct
import sys
from functools import partial
from itertools import count
from typing import Any

import pytest
from tests.hostile import DEEP, HTTP, answering, body, redirect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket

from tickboard import connect
from tickboard.cli.probe import MAX_BYTES, MAX_LINE, probe
from tickboard.client import connection
from tickboard.client import decoder as receiver
from tickboard.client.decoder import Decoder, ProtocolError
from tickboard.client.push import Push
from tickboard.errors import RefusedError

# The package exports a function of that name.
push_module = sys.modules[Push.__module__]

hostile = pytest.mark.parametrize("name", HTTP)


@hostile
def test_health_reports_any_bad_answer_in_one_line(name: str) -> None:
    with answering(HTTP[name]) as port:
        works, line = probe(f"http://127.0.0.1:{port}", 1.5)
    assert not works
    assert line.isprintable()
    assert line.startswith("failing: http://127.0.0.1:")
    assert len(line) < 2 * MAX_LINE


def test_health_names_the_target_of_a_redirect_without_its_secrets() -> None:
    with answering(redirect("http://me:secret1@other.example/x?token=secret2")) as port:
        _, line = probe(f"http://127.0.0.1:{port}")
    assert "it redirects to http://other.example/x: give that address" in line
    assert "secret" not in line


def test_health_follows_a_redirect_within_the_host() -> None:
    first, second = redirect("/live/api/health")(), body(b'{"status":"ok","reasons":[]}')()
    answers = iter([first, second])
    with answering(partial(next, answers)) as port:
        assert probe(f"http://127.0.0.1:{port}") == (True, "ok")


def test_health_escapes_and_truncates_reasons() -> None:
    reasons = [{"source": "\x1b[31m", "message": "a\nb\u202e" * 500, "since": ""} for _ in range(200)]
    content = json.dumps({"status": "failing", "reasons": reasons}).encode()
    assert len(content) < MAX_BYTES
    with answering(body(content)) as port:
        works, line = probe(f"http://127.0.0.1:{port}")
    assert not works
    assert line.isprintable()
    assert len(line) < 2 * MAX_LINE


@hostile
async def test_a_client_raises_a_one_line_error_or_reconnects(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    with answering(HTTP[name]) as port:
        said = ""
        async with connect(f"http://127.0.0.1:{port}") as ticks:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.5):
                    try:
                        await anext(ticks)
                    except RefusedError as error:
                        said = str(error)
    assert not said or said.isprintable()
    assert len(said) < 4_000


@pytest.mark.parametrize("scheme", ["ws", "wss", "http", "file"])
async def test_a_client_does_not_follow_a_redirect_to_another_host(scheme: str) -> None:
    with answering(redirect(f"{scheme}://user:secret1@localhost:1/?token=secret2")) as port:
        ticks = connect(f"http://127.0.0.1:{port}")
        with pytest.raises(RefusedError, match=f"{scheme}://.*localhost:1/") as refused:
            await anext(ticks)
    assert "secret" not in str(refused.value)


@hostile
def test_push_keeps_running_and_logs_one_line_without_a_traceback(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickboard.client.target.TIMEOUT_S", 1.0)
    with answering(HTTP[name]) as port:
        push = Push(f"http://127.0.0.1:{port}", interval="10ms")
        push.gauge("a").set(1)
        push.flush(2.0)
        push.close(0.1)
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records)


# --- messages ---


def series(count: int, **more: Any) -> str:
    told = {"type": "series", "layout": 1, "epoch": "e", "series": [{"name": "a", "unit": ""}] * count}
    return json.dumps(told | more)


def changed(removed: list[int], at: list[int], **more: Any) -> str:
    added = [{"name": f"b{number}", "unit": ""} for number in range(len(at))]
    change = {"type": "series_changed", "layout": 2, "before": 1, "epoch": "e"}
    return json.dumps(change | {"removed": removed, "at": at, "added": added} | more)


def tick(seq: int, time: float) -> bytes:
    return struct.pack("<BBHIQd", 2, 0, 0, 1, seq, time) + struct.pack("<d", 1.0)


MESSAGES: dict[str, str | bytes] = {
    "deep": '{"type":"series","x":' + DEEP.decode(),
    "half a surrogate pair in a message": '{"type":"\\ud800"}',
    "an epoch of 10 MB": series(1, epoch="e" * 10_000_000),
    "a layout that is not a number": series(1, layout="1"),
    "too many series": series(101),
    "too many added series": changed([], list(range(1, 101))),
    "a position out of range": changed([], [5]),
    "a negative position": changed([], [-1]),
    "positions out of order": changed([], [1, 0]),
    "more positions than series": changed([], [1], added=[]),
    "a long epoch of a change": changed([], [1], epoch="e" * 300),
    "a tick without a time": tick(1, float("nan")),
    "a tick at the end of time": tick(1, float("inf")),
    "a tick after the year 9999": tick(1, 1e18),
    "a tick with an invalid seq": tick(2**64 - 1, 0.0),
    "a tick too short": tick(1, 0.0)[:-1],
    "not a tick": b"\x02",
    "a truncated window": struct.pack("<BBHIQII", 1, 0, 0, 1, 1, 2**32 - 1, 0),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_an_invalid_message_raises_a_protocol_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "MAX_SERIES", 100)
    taking = Decoder()
    taking.connected()
    list(taking.receive(series(1)))
    with pytest.raises(ProtocolError) as broken:
        list(taking.receive(MESSAGES[name]))
    assert len(str(broken.value)) < 1_000


def test_many_changes_cost_no_more_than_their_series() -> None:
    """Each series is inserted before all others, which would naively move all of them each time."""
    taking = Decoder()
    list(taking.receive(series(100_000)))
    list(taking.receive(changed([], list(range(100_000)))))
    list(taking.receive(struct.pack("<BBHIQd", 2, 0, 0, 2, 1, 0.0) + bytes(8 * 200_000)))
    assert taking.position == "e:1"


async def test_a_long_window_does_not_block_other_tasks() -> None:
    ticks = 1_000
    window = struct.pack("<BBHIQII", 1, 0, 0, 1, 1, ticks, 0) + bytes(16 * ticks)

    async def send(connection: ServerConnection) -> None:
        await connection.send(series(1))
        await connection.send(window)
        await connection.wait_closed()

    others = count()

    async def other() -> None:
        while True:
            next(others)
            await asyncio.sleep(0)

    async with serve_websocket(send, "127.0.0.1", 0, subprotocols=[connection.SUBPROTOCOL], compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"http://127.0.0.1:{port}", history=True) as watched:
            assert (await anext(watched)).seq == 1
            running = asyncio.create_task(other())
            await asyncio.sleep(0)
            before = next(others)
            for seq in range(2, ticks + 1):
                assert (await anext(watched)).seq == seq
            assert next(others) - before >= 5
            running.cancel()
