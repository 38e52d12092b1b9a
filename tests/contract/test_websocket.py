"""WS /ws/metrics, row by row, against the real server over real sockets."""

import json
import math
import re
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.serving import SUBPROTOCOL, Server, serve
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

BOARDS = Path(__file__).parents[1] / "boards"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "rising.py"), "--interval", "50", "--window", "40") as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 3)
        yield running


def receive(viewer: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(viewer.recv(10))
    return message


def receive_type(viewer: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a type, skipping ticks in between."""
    while (message := receive(viewer))["type"] != kind:
        pass
    return message


def seqs(message: dict[str, Any]) -> list[int]:
    return [tick["seq"] for tick in message["ticks"]] if message["type"] == "initial" else [message["seq"]]


def test_the_first_message_is_the_window_with_the_oldest_tick_first(server: Server) -> None:
    server.wait_for(lambda: server.json("/api/health")["seq"] > 45)
    with connect(server.ws_url) as viewer:
        message = receive(viewer)
    assert message["type"] == "initial"
    assert len(message["ticks"]) == 40
    assert seqs(message) == list(range(message["seq"] - 39, message["seq"] + 1))
    assert sum(tick["count"] for tick in message["ticks"]) == len(message["data"])
    firsts = [metric["value"] for metric in message["data"] if metric["name"] == "first.a"]
    assert firsts == sorted(firsts)
    assert set(message["data"][0]) == {"name", "value", "unit", "timestamp"}
    assert all(TIME.fullmatch(metric["timestamp"]) for metric in message["data"])


def test_each_tick_has_the_declared_order_and_omits_series_without_a_value(server: Server) -> None:
    with connect(server.ws_url) as viewer:
        receive(viewer)
        ticks = [receive(viewer) for _ in range(4)]
    names = [[metric["name"] for metric in tick["data"]] for tick in ticks]
    assert sorted(map(tuple, names)) == [("first.a", "second")] * 2 + [("first.a", "second", "odd")] * 2
    assert [tick["seq"] for tick in ticks] == list(range(ticks[0]["seq"], ticks[0]["seq"] + 4))
    for tick in ticks:
        assert tick["type"] == "metrics"
        assert {metric["timestamp"] for metric in tick["data"]} == {tick["timestamp"]}
        assert tick["data"][0]["value"] == -tick["data"][1]["value"]


def test_joining_neither_misses_nor_repeats_a_tick(server: Server) -> None:
    for _ in range(15):
        with connect(server.ws_url) as viewer:
            got = [seq for message in (receive(viewer), receive(viewer), receive(viewer)) for seq in seqs(message)]
        assert got == list(range(got[0], got[0] + len(got)))


def test_ping_gets_pong(server: Server) -> None:
    with connect(server.ws_url) as viewer:
        viewer.send('{"type":"ping"}')
        assert TIME.fullmatch(receive_type(viewer, "pong")["timestamp"])


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        (["second"], {"second"}),
        (["first.*"], {"first.a"}),
        (['{host="b"}'], set()),
        (["second", "not there yet"], {"second"}),
        (["not there yet"], set()),
        ([], {"first.a", "second", "odd"}),
    ],
)
def test_a_subscription_filters(server: Server, metrics: list[str], names: set[str]) -> None:
    with connect(server.ws_url) as viewer:
        viewer.send(json.dumps({"type": "subscribe", "metrics": ["odd"]}))
        receive_type(viewer, "subscribed")
        viewer.send(json.dumps({"type": "subscribe", "metrics": metrics}))
        assert receive_type(viewer, "subscribed") == {"type": "subscribed", "metrics": metrics}
        found = {metric["name"] for _ in range(4) for metric in receive_type(viewer, "metrics")["data"]}
    # A tick that was queued before the answer may still match the old subscription.
    assert found - {"odd"} == names - {"odd"}


def test_a_subscription_without_a_list_is_for_everything(server: Server) -> None:
    with connect(server.ws_url) as viewer:
        viewer.send('{"type":"subscribe","metrics":["odd"]}')
        receive_type(viewer, "subscribed")
        viewer.send('{"type":"subscribe"}')
        assert receive_type(viewer, "subscribed")["metrics"] == []
        receive_type(viewer, "metrics")
        assert len(receive_type(viewer, "metrics")["data"]) >= 2


def test_a_returning_viewer_gets_exactly_the_missed_ticks(server: Server) -> None:
    with connect(server.ws_url) as viewer:
        first = receive(viewer)
        seen = receive(viewer)["seq"]
    server.wait_for(lambda: server.json("/api/health")["seq"] > seen + 4)
    with connect(f"{server.ws_url}?since={first['epoch']}:{seen}") as viewer:
        back = receive(viewer)
        going_on = receive(viewer)
    assert back["resumed"] is True
    assert back["epoch"] == first["epoch"]
    assert seqs(back)[0] == seen + 1
    assert [*seqs(back), *seqs(going_on)] == list(range(seen + 1, going_on["seq"] + 1))


@pytest.mark.parametrize(
    "since", ["other:5", "{epoch}:1", "{epoch}:999999", "{epoch}", "{epoch}:-1", ":", "", "{epoch}:1e3", "x" * 5000]
)
def test_a_viewer_that_cannot_be_resumed_gets_the_whole_window(server: Server, since: str) -> None:
    server.wait_for(lambda: server.json("/api/health")["seq"] > 45)
    epoch = server.json("/api/health")["epoch"]
    with connect(f"{server.ws_url}?since={since.format(epoch=epoch)}") as viewer:
        message = receive(viewer)
    assert "resumed" not in message
    assert len(message["ticks"]) == 40


@pytest.mark.parametrize("path", ["/ws/other", "/ws", "/", "/api/stats"])
def test_another_path_refuses_the_handshake_with_404(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{server.port}{path}"):
        pass
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("origin", ["https://evil.example", "http://["])
def test_a_page_of_another_site_is_refused_and_the_boards_own_is_not(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(server.ws_url, origin=Origin(origin)):
        pass
    assert refused.value.response.status_code == 403
    with connect(server.ws_url, origin=Origin(f"http://127.0.0.1:{server.port}")) as viewer:
        assert receive(viewer)["type"] == "initial"


def test_the_address_may_contain_a_subscription(server: Server) -> None:
    with connect(f"{server.ws_url}?metrics=second&metrics=odd*") as viewer:
        message = receive(viewer)
    assert {metric["name"] for metric in message["data"]} == {"second", "odd"}


@pytest.mark.parametrize(("name", "letter", "size"), [("tickboard.v1", "f", 4), ("tickboard.v2", "d", 8)])
def test_the_binary_subprotocol_carries_the_same_values_as_json(
    server: Server, name: str, letter: str, size: int
) -> None:
    with connect(server.ws_url) as text, connect(server.ws_url, subprotocols=[Subprotocol(name)]) as binary:
        assert binary.subprotocol == name
        assert text.subprotocol is None
        series = receive(binary)
        names = [one["name"] for one in series["series"]]
        assert (series["type"], names) == ("series", ["first.a", "second", "odd"])
        window, first = binary.recv(10), receive(text)
        assert isinstance(window, bytes)
        kind, flags, _, layout, oldest, ticks, skipped = struct.unpack_from("<BBHIQII", window)
        assert (kind, flags, layout, skipped) == (1, 0, series["layout"], 0)
        assert series["epoch"] == first["epoch"]
        assert len(window) == 24 + 8 * ticks + size * ticks * len(names)
        seen = {oldest + ticks - 1}
        told: dict[int, dict[str, Any]] = {}
        for _ in range(6):
            tick = binary.recv(10)
            assert isinstance(tick, bytes)
            kind, _, _, layout, seq, time, *values = struct.unpack(f"<BBHIQd{len(names)}{letter}", tick)
            assert (kind, layout) == (2, series["layout"])
            assert seq == max(seen) + 1
            seen.add(seq)
            while seq not in told:
                message = receive(text)
                told[message["seq"]] = message
            message = told[seq]
            assert datetime.fromisoformat(message["timestamp"]).timestamp() * 1000 == pytest.approx(time)
            given = dict(zip(names, values, strict=True))
            assert {name: value for name, value in given.items() if not math.isnan(value)} == {
                metric["name"]: metric["value"] for metric in message["data"]
            }


def test_the_newest_common_subprotocol_is_chosen(server: Server) -> None:
    offered = [Subprotocol(name) for name in ("tickboard.v1", "other", "tickboard.v2")]
    with connect(server.ws_url, subprotocols=offered) as viewer:
        assert viewer.subprotocol == "tickboard.v2"
    with connect(server.ws_url, subprotocols=[Subprotocol("tickboard.v3")]) as viewer:
        assert viewer.subprotocol is None


def test_a_binary_viewer_is_sent_the_series_again_when_it_resubscribes(server: Server) -> None:
    with connect(f"{server.ws_url}?metrics=odd", subprotocols=[SUBPROTOCOL]) as viewer:
        first = receive(viewer)
        assert [one["name"] for one in first["series"]] == ["odd"]
        viewer.send('{"type":"subscribe","metrics":["second","odd"]}')
        layout, length = first["layout"], 1
        for _ in range(12):
            message = viewer.recv(10)
            if isinstance(message, str):
                told = json.loads(message)
                if told["type"] == "series":
                    layout, length = told["layout"], len(told["series"])
            elif message[0] == 2:
                assert int.from_bytes(message[4:8], "little") == layout
                assert len(message) == 24 + 8 * length
    assert length == 2


def test_a_binary_viewer_is_resumed(server: Server) -> None:
    with connect(server.ws_url, subprotocols=[SUBPROTOCOL]) as viewer:
        epoch = receive(viewer)["epoch"]
        window = viewer.recv(10)
        assert isinstance(window, bytes)
        oldest, ticks = struct.unpack_from("<QI", window, 8)
    seen = oldest + ticks - 1
    server.wait_for(lambda: server.json("/api/health")["seq"] > seen + 2)
    with connect(f"{server.ws_url}?since={epoch}:{seen}", subprotocols=[SUBPROTOCOL]) as viewer:
        viewer.recv(10)
        back = viewer.recv(10)
    assert isinstance(back, bytes)
    assert back[1] == 1
    assert int.from_bytes(back[8:16], "little") == seen + 1
