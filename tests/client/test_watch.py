"""The client receives every tick once and in order, over one connection or many."""

import asyncio
import contextlib
import dataclasses
import gc
import itertools
import json
import logging
import math
import pickle
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from copy import deepcopy
from functools import partial
from http import HTTPStatus
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from tests.e2e.proxy import Proxy
from tests.serving import SUBPROTOCOL, Server, serve, serve_app, wait_for
from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_websocket
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from tickboard import Board
from tickboard.client import connection
from tickboard.client.connection import pause_after
from tickboard.client.decoder import Decoder, ProtocolError, Tick, WatchedSeries, split_position
from tickboard.client.ticks import Ticks
from tickboard.client.watch import connect, websocket_url
from tickboard.errors import InputError, RefusedError
from tickboard.output.secrets import public

BOARDS = Path(__file__).parents[1] / "boards"


# --- messages ---


def series(*names: str, epoch: str = "e", layout: int = 1) -> str:
    described = [{"name": name, "unit": "%"} for name in names]
    return json.dumps({"type": "series", "layout": layout, "epoch": epoch, "series": described})


def tick(seq: int, *values: float, layout: int = 1, flags: int = 0) -> bytes:
    return struct.pack(f"<BBHIQd{len(values)}d", 2, flags, 0, layout, seq, seq * 1000.0, *values)


def window(first: int, *rows: list[float], layout: int = 1, resumed: bool = False) -> bytes:
    times = [1000.0 * (first + index) for index in range(len(rows))]
    values = [value for row in rows for value in row]
    header = struct.pack("<BBHIQII", 1, resumed, 0, layout, first, len(rows), 0)
    return header + struct.pack(f"<{len(times)}d{len(values)}d", *times, *values)


def ticks_of(receiver: Decoder, *messages: str | bytes) -> list[Tick]:
    return [one for message in messages for one in receiver.receive(message)]


def seqs(ticks: list[Tick]) -> list[int]:
    return [one.seq for one in ticks]


# --- the decoder ---


def amended(seq: int, *values: float, layout: int = 1) -> bytes:
    return bytes((3,)) + tick(seq, *values, layout=layout)[1:]


def test_an_amended_tick_has_the_late_values_and_changes_no_position() -> None:
    decoder = Decoder()
    ticks_of(decoder, series("a", "b"), tick(5, 1, 2))
    late = decoder.amended(amended(3, math.nan, 9))
    assert late is not None
    assert (late.epoch, late.seq, late.time, math.isnan(late["a"]), late["b"]) == ("e", 3, 3.0, True, 9)
    assert decoder.position == "e:5"
    assert ticks_of(decoder, amended(6, 1, 1)) == []
    assert seqs(ticks_of(decoder, tick(6, 1, 2))) == [6]


@pytest.mark.parametrize("message", [tick(1, 1.0), window(1, [1.0]), b"", b"\x09abc"])
def test_other_messages_are_no_amended_ticks(message: bytes) -> None:
    decoder = Decoder()
    decoder.receive(series("a"))
    assert decoder.amended(message) is None


@pytest.mark.parametrize(
    "message", [amended(1, 1.0, layout=2), amended(1), amended(1, 1, 2), amended(0, 1.0), amended(2**63, 1.0), b"\x03"]
)
def test_an_amended_tick_that_the_protocol_does_not_allow_is_an_error(message: bytes) -> None:
    decoder = Decoder()
    decoder.receive(series("a"))
    with pytest.raises(ProtocolError):
        decoder.amended(message)


def test_decoding_starts_with_the_newest_tick_of_the_window() -> None:
    found = ticks_of(Decoder(), series("a", "b"), window(5, [1, 2], [3, 4]), tick(7, 5, math.nan))
    assert [(one.epoch, one.seq, one.time, one.missed, one.fresh) for one in found] == [
        ("e", 6, 6.0, 0, False),
        ("e", 7, 7.0, 0, False),
    ]
    assert dict(found[0]) == {"a": 3, "b": 4}
    assert found[1]["a"] == 5
    assert math.isnan(found[1]["b"])
    assert found[1].position == "e:7"
    assert found[0].series is found[1].series


def test_with_history_the_whole_window_comes_first() -> None:
    found = ticks_of(Decoder(history=True), series("a"), window(5, [1], [2], [3]), tick(8, 4))
    assert [(one.seq, one["a"]) for one in found] == [(5, 1), (6, 2), (7, 3), (8, 4)]
    assert not any(one.missed or one.fresh for one in found)


def test_decoding_resumes_after_a_position() -> None:
    receiver = Decoder("e:5")
    assert receiver.position == "e:5"
    assert seqs(ticks_of(receiver, series("a"), window(6, [1], [2], resumed=True))) == [6, 7]
    assert receiver.position == "e:7"


def test_a_window_that_is_not_resumed_yields_only_unseen_ticks() -> None:
    assert seqs(ticks_of(Decoder("e:6"), series("a"), window(4, [1], [2], [3], [4], [5]))) == [7, 8]


def test_ticks_that_the_board_no_longer_has_are_counted_as_missed_once() -> None:
    found = ticks_of(Decoder("e:6"), series("a"), window(10, [1], [2]))
    assert [(one.seq, one.missed, one.fresh) for one in found] == [(10, 3, False), (11, 0, False)]


def test_a_new_epoch_starts_fresh_with_all_its_ticks() -> None:
    receiver = Decoder()
    ticks_of(receiver, series("a"), window(90, [1]))
    found = ticks_of(receiver, series("a", epoch="f", layout=2), window(3, [1], [2], layout=2))
    assert [(one.position, one.missed, one.fresh) for one in found] == [("f:3", 2, True), ("f:4", 0, False)]


def test_an_empty_window_is_a_valid_start() -> None:
    receiver = Decoder()
    assert ticks_of(receiver, series(), window(1)) == []
    receiver.connected()
    found = ticks_of(receiver, series("a", layout=3), window(1, [1], [2], layout=3))
    assert [(one.seq, one.missed, one.fresh) for one in found] == [(1, 0, False), (2, 0, False)]


def test_an_empty_window_of_another_epoch_does_not_hide_the_new_epoch() -> None:
    receiver = Decoder("e:9")
    assert ticks_of(receiver, series("a", epoch="f"), window(1)) == []
    assert receiver.position == "e:9"
    assert [(one.position, one.fresh) for one in ticks_of(receiver, tick(1, 5))] == [("f:1", True)]


def test_series_can_change_between_ticks() -> None:
    receiver = Decoder()
    found = ticks_of(receiver, series("a"), window(1, [1]), series("a", "b", layout=2), tick(2, 2, 3, layout=2))
    assert [dict(one) for one in found] == [{"a": 1}, {"a": 2, "b": 3}]


def test_a_tick_has_its_time_as_a_datetime_in_utc() -> None:
    message = bytearray(tick(1, 4))
    struct.pack_into("<d", message, 16, 1_769_860_800_250.0)
    [found] = ticks_of(Decoder(), series("a"), bytes(message))
    assert found.time == 1_769_860_800.25
    assert found.datetime.isoformat(timespec="milliseconds") == "2026-01-31T12:00:00.250+00:00"


def test_the_key_of_a_series_contains_its_labels() -> None:
    described = {"name": "disk", "unit": "%", "labels": {"mount": 'a"b\\\n', "host": "x"}}
    receiver = Decoder()
    [found] = ticks_of(
        receiver, json.dumps({"type": "series", "layout": 1, "epoch": "e", "series": [described]}), window(1, [4])
    )
    [one] = found.series
    assert (one.name, one.unit, dict(one.labels)) == ("disk", "%", described["labels"])
    assert one.key == 'disk{mount="a\\"b\\\\\\n",host="x"}'
    assert found[one.key] == 4
    assert one == WatchedSeries("disk", "%", {"mount": 'a"b\\\n', "host": "x"})
    assert len({one, WatchedSeries("disk")}) == 2


def test_a_missing_key_raises_and_the_error_lists_the_existing_ones() -> None:
    receiver = Decoder()
    described = [{"name": "cpu", "unit": ""}, {"name": "disk", "unit": "", "labels": {"m": "/"}}]
    [found] = ticks_of(
        receiver, json.dumps({"type": "series", "layout": 1, "epoch": "e", "series": described}), window(1, [4, 5])
    )
    with pytest.raises(KeyError, match=r"no series .*disk.* in this tick; it has disk\{m=.*, cpu"):
        found["disk"]
    [many] = ticks_of(
        receiver, series(*(f"m{number}" for number in range(30)), layout=2), tick(2, *range(30), layout=2)
    )
    with pytest.raises(KeyError, match="m19, and 10 more"):
        many["x"]
    [none] = ticks_of(receiver, series(layout=3), tick(3, layout=3))
    assert dict(none) == {}
    with pytest.raises(KeyError, match="it has none"):
        none["x"]


def test_a_tick_is_a_mapping_from_keys_to_values() -> None:
    [found] = ticks_of(Decoder(), series("a", "b"), window(1, [4, math.nan]))
    assert (list(found), len(found), found.get("c"), "a" in found) == (["a", "b"], 2, None, True)
    assert next(iter(found.items())) == ("a", 4)
    assert found == found  # noqa: PLR0124  # even though one of its values is NaN
    assert {found: 1}[found] == 1


def test_a_tick_can_be_copied_pickled_and_constructed() -> None:
    [found] = ticks_of(Decoder(), series("a", "b"), window(1, [4, 5]))
    for copy in (pickle.loads(pickle.dumps(found)), deepcopy(found)):  # our own
        assert (dict(copy), copy.series, copy.time) == (dict(found), found.series, found.time)
    made = Tick("e", 1, 0.0, (WatchedSeries("m", labels={"a": "b"}),), struct.pack("<d", 7))
    assert dict(made) == {'m{a="b"}': 7}


def test_a_time_before_the_year_1_is_refused() -> None:
    decoder = Decoder()
    ticks_of(decoder, series("a"), window(1, [1]))
    with pytest.raises(ProtocolError, match="years 1 to 9999"):
        ticks_of(decoder, struct.pack("<BBHIQdd", 2, 0, 0, 1, 2, -1e14, 1.0))


def test_a_tick_is_printed_with_its_time_and_values() -> None:
    described = [
        {"name": "cpu", "unit": "%"},
        {"name": "disk", "unit": "", "labels": {"m": "/"}},
        {"name": "x", "unit": ""},
    ]
    [found] = ticks_of(
        Decoder(),
        json.dumps({"type": "series", "layout": 1, "epoch": "e", "series": described}),
        window(1, [41.25, math.nan, 1e9 / 3]),
    )
    assert str(found) == '1970-01-01 00:00:01 UTC  cpu 41.25 %, disk{m="/"} has no value, x 3.33333e+08'
    assert repr(found) == f"<Tick e:1: {found}>"
    [many] = ticks_of(Decoder(), series(*(f"m{number}" for number in range(30))), window(1, list(range(30))))
    assert str(many).endswith("m11 11 %, and 18 more")
    [none] = ticks_of(Decoder(), series(), window(1, []))
    assert str(none).endswith("no values")


def test_a_tick_is_immutable_and_does_not_keep_its_window_in_memory() -> None:
    found = ticks_of(Decoder(history=True), series("a"), window(1, [1], [2]), tick(3, 3))
    for one in found:
        assert one.array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            one.array[0] = 9
        with pytest.raises(dataclasses.FrozenInstanceError):
            one.seq = 9  # type: ignore[misc]
    assert len(found[0].data) == 8


def test_unknown_messages_and_flags_are_ignored() -> None:
    receiver = Decoder()
    ignored: list[str | bytes] = ['{"type":"pong","timestamp":"x"}', '{"type":"of tomorrow","data":[1]}', b"\x09abc"]
    assert ticks_of(receiver, *ignored, series("a"), *ignored, window(1, [1]), *ignored) != []
    assert seqs(ticks_of(receiver, tick(2, 1, flags=255))) == [2]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x02",
        b"\x01" * 23,
        tick(1),
        tick(1, 1, 2),
        tick(1, 1)[:-1],
        tick(1, 1, layout=2),
        tick(0, 1),
        window(1, [1])[:-1],
        window(1, [1]) + b"\0",
        window(1, [1, 2]),
        window(1, [1], layout=9),
        window(0),
        struct.pack("<BBHIQII", 1, 0, 0, 1, 1, 2**32 - 1, 0),
        "",
        "garbage",
        "[]",
        "{}",
        '{"type":7}',
        '{"type":"series"}',
        '{"type":"series","layout":1,"epoch":"e","series":[{}]}',
        "[" * 100_000,
        "\ud800",
    ],
    ids=lambda message: repr(message[:12]),
)
def test_an_invalid_message_raises_and_changes_nothing(message: str | bytes) -> None:
    receiver = Decoder("e:0")
    receiver.receive(series("a"))
    with pytest.raises(ProtocolError):
        receiver.receive(message)
    assert receiver.position == "e:0"
    assert seqs(ticks_of(receiver, tick(1, 1))) == [1]


def test_each_connection_must_send_its_own_series() -> None:
    receiver = Decoder()
    receiver.receive(series("a"))
    receiver.connected()
    with pytest.raises(ProtocolError, match="the last one described is none"):
        receiver.receive(tick(1, 1))


@given(st.binary(max_size=80))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(message: bytes) -> None:
    receiver = Decoder(history=True)
    receiver.receive(series("a"))
    with contextlib.suppress(ProtocolError):
        list(receiver.receive(message))


@given(st.data())
def test_each_tick_arrives_once_however_connections_are_lost(data: st.DataObject) -> None:
    """Ticks are made. Some are sent, some are lost with their connection, and windows bring back what they still hold.

    made      1 2 3 4 5 6 7 8 9
    sent      1 2 3 |   | w(4..7) 8 9
    """
    size = data.draw(st.integers(1, 8), "window size")
    history = data.draw(st.booleans(), "history")
    receiver, connected, made, found = Decoder(history=history), False, 0, list[Tick]()
    first = None
    for step in data.draw(st.lists(st.sampled_from(["tick", "lose", "come back", "behind"]), max_size=40), "steps"):
        if step == "tick":
            made += 1
            if connected:
                found += ticks_of(receiver, tick(made, made))
        elif step == "lose":
            connected = False
        elif step == "come back" or connected:
            oldest = max(1, made - size + 1)
            _, seen = split_position(receiver.position) if receiver.position else ("", -1)
            resumed = step == "come back" and oldest - 1 <= seen <= made
            begin = seen + 1 if resumed else oldest
            if first is None:
                first = oldest if history else max(1, made)
            receiver.connected()
            rows = [[float(seq)] for seq in range(begin, made + 1)]
            found += ticks_of(receiver, series("a"), window(begin, *rows, resumed=resumed))
            connected = True
    assert [one["a"] for one in found] == seqs(found)
    expected = first or 0
    for one in found:
        assert one.seq == expected + one.missed
        assert not one.fresh
        expected = one.seq + 1
    if connected and found:
        assert found[-1].seq == made


# --- arguments ---


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://h:3000", "ws://h:3000/ws/metrics"),
        ("http://h:3000/", "ws://h:3000/ws/metrics"),
        ("https://h/live", "wss://h/live/ws/metrics"),
        ("https://h/live/#cpu", "wss://h/live/ws/metrics"),
        ("ws://h/live/", "ws://h/live/ws/metrics"),
        ("wss://h/ws/metrics", "wss://h/ws/metrics"),
        ("WS://[::1]:3/ws/metrics/", "ws://[::1]:3/ws/metrics"),
        (" http://me:secret@h/?token=1\n", "ws://me:secret@h/ws/metrics?token=1"),
    ],
)
def test_the_websocket_url_is_derived_from_the_address_of_a_board(url: str, address: str) -> None:
    assert websocket_url(url) == address


def test_a_subscription_is_part_of_the_address() -> None:
    asked = ["cpu usage", 'd{m="/&"}']
    assert websocket_url("http://h?a=b", asked) == (
        "ws://h/ws/metrics?a=b&metrics=cpu+usage&metrics=d%7Bm%3D%22%2F%26%22%7D"
    )


def test_the_public_form_of_a_url_has_no_secrets() -> None:
    assert public(websocket_url("https://me:secret@h/live?token=1", ["a"])) == "wss://h/live/ws/metrics"


@pytest.mark.parametrize(
    "url",
    ["", "h:3000", "127.0.0.1:3000", "ftp://h", "http://", "http:///live", "http://h:99999", "http://h:x", "http://[",
     "http://a b/", "http://me@h", "http://h/?since=e:1", "http://h/?metrics=", None, 3],
)  # fmt: skip
def test_a_malformed_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError, match=r"url .* cannot be used: .*; write it as http://"):
        connect(url)


@pytest.mark.parametrize("since", ["e", "e:", ":1", "e:-1", "e:1e3", "e:" + "1" * 20, 5])
def test_a_malformed_position_is_refused_at_once(since: str) -> None:
    with pytest.raises(InputError, match="is not a position: use the"):
        connect("http://h", since=since)


def test_a_position_is_an_epoch_and_a_seq() -> None:
    assert split_position("a:b:12") == ("a:b", 12)


@pytest.mark.parametrize("metrics", ["cpu_usage", [1]])
def test_metrics_that_are_not_a_list_of_strings_are_refused_at_once(metrics: list[str]) -> None:
    with pytest.raises(InputError, match="is not a list of texts"):
        connect("http://h", metrics=metrics)


def test_a_subscription_beyond_the_server_limits_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="101 globs: use 100 at most"):
        connect("http://h", metrics=["a*"] * 101)
    with pytest.raises(InputError, match="an address of 9017 characters, more than the 7900"):
        connect("http://h", metrics=["a"] * 900)


def status(code: int, **headers: str) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers(headers)))


def test_pauses_grow_and_are_randomized() -> None:
    rng = random.Random(1)
    pauses = [[pause_after(OSError(), attempts, rng) for _ in range(200)] for attempts in range(9)]
    for attempts, some in enumerate(pauses):
        assert 0.25 <= min(some) < max(some) <= min(10, 0.5 * 2**attempts)
    assert max(pauses[-1]) > 9
    assert pause_after(OSError(), 10**6, rng) <= 10


@pytest.mark.parametrize(("asked", "least"), [("7", 7), ("0", 0), ("999999", 300), ("soon", 0), ("-1", 0), ("", 0)])
def test_the_pause_follows_the_retry_after_of_a_full_server(asked: str, least: float) -> None:
    assert least < pause_after(status(503, **{"Retry-After": asked}), 0) <= least + 0.5


# --- connections ---


def run_bounded(main: Callable[[], Awaitable[None]]) -> None:
    """Run a test with a time limit."""

    async def bounded() -> None:
        async with asyncio.timeout(50):
            await main()

    asyncio.run(bounded())


async def take(ticks: Ticks, count: int) -> list[Tick]:
    return [await anext(ticks) for _ in range(count)]


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_for, condition)


def assert_whole(ticks: list[Tick]) -> None:
    """Assert that the ticks are one history without gaps, with the values of the rising board."""
    assert seqs(ticks) == list(range(ticks[0].seq, ticks[0].seq + len(ticks)))
    assert {one.epoch for one in ticks} == {ticks[0].epoch}
    assert not any(one.missed or one.fresh for one in ticks)
    assert all(later["first.a"] > earlier["first.a"] for earlier, later in itertools.pairwise(ticks))


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once, so that what the window still holds does not depend on chance."""
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(connection, "LONGEST_PAUSE_S", 0.05)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "rising.py"), "--interval", "30", "--window", "40") as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 45)
        yield running


def newest(server: Server) -> int:
    return int(server.json("/api/health")["seq"])


def is_past(server: Server, seq: int) -> bool:
    return newest(server) > seq


def viewers(server: Server) -> int:
    return int(server.json("/api/health")["viewers"])


def test_a_board_can_be_watched(server: Server) -> None:
    async def main() -> None:
        found: list[Tick] = []
        async for one in connect(server.url):
            found.append(one)
            if len(found) == 5:
                break
        assert_whole(found)
        assert [one.key for one in found[0].series] == ["first.a", "second", "odd"]
        assert all(one["second"] == -one["first.a"] for one in found)
        assert {math.isnan(one["odd"]) for one in found} == {True, False}
        await until(lambda: viewers(server) == 0)

    run_bounded(main)
    server.wait_for(lambda: viewers(server) == 0)


def test_leaving_the_block_closes_the_connection(server: Server) -> None:
    async def main() -> None:
        async with connect(server.url, metrics=["second"]) as ticks:
            found = await take(ticks, 2)
            assert viewers(server) == 1
        assert list(found[0]) == ["second"]
        assert [one async for one in ticks] == []
        await ticks.aclose()
        await until(lambda: viewers(server) == 0)

    run_bounded(main)


def test_history_comes_first_and_since_resumes_after_a_position(server: Server) -> None:
    async def main() -> None:
        async with connect(server.url, history=True) as ticks:
            found = await take(ticks, 42)
        assert_whole(found)
        async with connect(server.url, since=found[-20].position) as ticks:
            more = await take(ticks, 25)
        assert_whole(found[:-19] + more)

    run_bounded(main)


def test_the_server_accepts_an_address_near_the_length_limit(server: Server) -> None:
    async def main() -> None:
        async with connect(server.url, metrics=["second"] * 520) as ticks:
            assert list(await anext(ticks)) == ["second"]

    run_bounded(main)


def test_a_timeout_loses_no_tick(server: Server) -> None:
    async def main() -> None:
        found: list[Tick] = []
        late = 0
        async with connect(server.url) as ticks:
            found += await take(ticks, 1)  # so that no timeout happens during the handshake
            while len(found) < 8:
                try:
                    async with asyncio.timeout(0.01):
                        found.append(await anext(ticks))
                except TimeoutError:
                    late += 1
        assert late
        assert_whole(found)

    run_bounded(main)


def test_a_second_loop_continues_where_the_first_one_stopped(server: Server) -> None:
    async def main() -> None:
        async with connect(server.url) as ticks:
            found = []
            async for one in ticks:
                found.append(one)
                break
            assert_whole(found + await take(ticks, 3))

    run_bounded(main)


def test_closing_ends_a_task_that_waits_for_ticks(server: Server) -> None:
    async def main() -> None:
        async def watch() -> int:
            return len([one async for one in ticks])

        ticks = connect(server.url)
        await anext(ticks)
        task = asyncio.create_task(watch())
        await until(lambda: viewers(server) == 1)
        await ticks.aclose()
        assert await task >= 0

    run_bounded(main)


@pytest.mark.usefixtures("short_pauses")
def test_a_lost_connection_loses_no_tick(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tickboard")

    async def main() -> None:
        with Proxy(server.port) as proxy:
            async with connect(f"http://127.0.0.1:{proxy.port}") as ticks:
                found = await take(ticks, 2)
                for _ in range(3):
                    proxy.cut()
                    seq = newest(server)
                    await until(partial(is_past, server, seq + 3))
                    proxy.restore()
                    while found[-1].seq < seq + 5:
                        found += await take(ticks, 1)
        assert_whole(found)

    run_bounded(main)
    said = [record.getMessage() for record in caplog.records if record.name == "tickboard"]
    assert [text.split()[0] for text in said] == ["cannot", "watching"] * 3
    assert all("/ws/metrics" in text for text in said)


@pytest.mark.usefixtures("short_pauses")
def test_ticks_missed_while_disconnected_too_long_are_counted(server: Server) -> None:
    async def main() -> None:
        with Proxy(server.port) as proxy:
            async with connect(f"http://127.0.0.1:{proxy.port}") as ticks:
                last = await anext(ticks)
                proxy.cut()
                await until(partial(is_past, server, last.seq + 60))
                proxy.restore()
                async for one in ticks:
                    assert one.seq == last.seq + 1 + one.missed
                    last = one
                    if one.missed:
                        break
        assert not last.fresh

    run_bounded(main)


@pytest.mark.usefixtures("short_pauses")
def test_a_restarted_server_starts_a_fresh_history() -> None:
    board = str(BOARDS / "rising.py")

    async def main() -> None:
        with serve("run", board, "--interval", "30") as first:
            ticks = connect(first.url)
            before = await take(ticks, 3)
            port = first.port
            await asyncio.to_thread(first.stop)
        with serve("run", board, "--interval", "30", port=port):
            after = await take(ticks, 1)
            while not after[-1].fresh:
                before.append(after.pop())
                after += await take(ticks, 1)
            after += await take(ticks, 3)
            await ticks.aclose()
        assert_whole(before)
        assert [one.fresh for one in after] == [True, False, False, False]
        assert seqs(after) == [1, 2, 3, 4]
        assert {one.epoch for one in after}.isdisjoint({before[0].epoch})

    run_bounded(main)


def test_a_mounted_board_is_watched_at_its_path() -> None:
    board = Board("Mounted", interval_ms=30)
    board.gauge("a").set(1)

    async def main() -> None:
        for url in (f"http://127.0.0.1:{port}/live", f"ws://127.0.0.1:{port}/live/ws/metrics"):
            async with connect(url) as ticks:
                assert [one["a"] for one in await take(ticks, 2)] == [1, 1]

    app = FastAPI(lifespan=board.lifespan)
    app.mount("/live", board)
    with serve_app(app) as port:
        run_bounded(main)


def test_a_wrong_path_raises_without_a_retry(server: Server) -> None:
    async def main() -> None:
        with pytest.raises(
            RefusedError, match=r"cannot watch ws://127.0.0.1:\d+/no/ws/metrics: .* 404.*; give the address"
        ):
            await anext(connect(f"{server.url}no"))

    run_bounded(main)


# --- behaviour that the real server never shows ---

Handle = Callable[[ServerConnection], Awaitable[None]]
Answer = Callable[[ServerConnection, Request], Response | None]


@contextlib.asynccontextmanager
async def fake_server(handle: Handle, answer: Answer | None = None) -> AsyncIterator[tuple[str, WebSocketServer]]:
    """Run a WebSocket server with the given handler, and yield its address."""
    async with serve_websocket(
        handle, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL], process_request=answer, compression=None
    ) as running:
        yield f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}", running


def test_a_full_server_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    answers = [503, 502, 429]
    asked: list[str] = []

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        if not answers:
            return None
        response = connection.respond(HTTPStatus(answers.pop()), "full\n")
        response.headers["Retry-After"] = "0"
        return response

    async def handle(connection: ServerConnection) -> None:
        for message in (series("a"), window(1, [1])):
            await connection.send(message)
        await connection.wait_closed()

    async def main() -> None:
        async with fake_server(handle, answer) as (url, _), connect(url) as ticks:
            assert (await anext(ticks)).position == "e:1"

    run_bounded(main)
    assert asked == ["/ws/metrics?changes=1"] * 4


def test_garbage_closes_the_connection_and_the_missed_ticks_are_requested(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    caplog.set_level(logging.INFO, "tickboard")
    asked: list[str] = []
    codes: list[int | None] = []
    talks: list[list[str | bytes]] = [
        [series("a"), window(1, [1], [2]), b"\x02"],
        ["garbage"],
        [tick(3, 3)],
        [series("a", layout=5), window(3, [3], layout=5, resumed=True), tick(4, 4, layout=5)],
    ]

    async def handle(connection: ServerConnection) -> None:
        assert connection.request
        asked.append(connection.request.path)
        for message in talks[len(asked) - 1]:
            await connection.send(message)
        await connection.wait_closed()
        codes.append(connection.close_code)

    async def main() -> None:
        async with fake_server(handle) as (url, _), connect(url, metrics=["a"]) as ticks:
            assert [one["a"] for one in await take(ticks, 3)] == [2, 3, 4]

    run_bounded(main)
    assert asked == ["/ws/metrics?metrics=a&changes=1", *["/ws/metrics?metrics=a&changes=1&since=e%3A2"] * 3]
    assert codes == [1002, 1002, 1002, 1000]
    assert [record.levelname for record in caplog.records if record.name == "tickboard"] == ["WARNING", "INFO"]


def test_pauses_grow_until_a_connection_works(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts: list[int] = []

    def pause(error: Exception, so_far: int) -> float:
        attempts.append(so_far)
        return 0

    monkeypatch.setattr(connection, "pause_after", pause)
    talks: list[list[str | bytes]] = [
        [],
        ["garbage"],
        [series("a"), window(1, [1])],
        [],
        [series("a"), window(2, [2], resumed=True)],
    ]

    async def handle(connection: ServerConnection) -> None:
        for message in talks.pop(0):
            await connection.send(message)

    async def main() -> None:
        async with fake_server(handle) as (url, _), connect(url) as ticks:
            assert seqs(await take(ticks, 2)) == [1, 2]

    run_bounded(main)
    assert attempts == [0, 1, 0, 1]


def test_a_refusal_after_a_successful_connection_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)
    count = 0

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        nonlocal count
        count += 1
        return connection.respond(HTTPStatus.NOT_FOUND, "no") if count == 2 else None

    async def handle(connection: ServerConnection) -> None:
        for message in (series("a"), window(count, [1])):
            await connection.send(message)

    async def main() -> None:
        async with fake_server(handle, answer) as (url, _), connect(url) as ticks:
            assert [(one.seq, one.missed) for one in await take(ticks, 2)] == [(1, 0), (3, 1)]

    run_bounded(main)


@pytest.mark.parametrize("text", ["not you\n", '{"error":"not you"}'], ids=["text", "JSON"])
@pytest.mark.parametrize(
    ("code", "said"),
    [
        (403, r"the server answered 403 \(not you\); .*--allow-host"),
        (421, r"the server answered 421 \(not you\); .*--allow-host"),
        (404, "404"),
        (400, "400"),
        (200, "200"),
    ],
)
def test_a_refusal_of_the_first_connection_raises_with_an_explanation(code: int, said: str, text: str) -> None:
    async def handle(connection: ServerConnection) -> None:
        raise AssertionError(connection)

    def answer(connection: ServerConnection, request: Request) -> Response | None:
        return connection.respond(HTTPStatus(code), text)

    async def main() -> None:
        async with fake_server(handle, answer) as (url, _):
            with pytest.raises(RefusedError, match=rf"cannot watch ws://127.0.0.1:\d+/ws/metrics: .*{said}"):
                await anext(connect(url))

    run_bounded(main)


def test_a_server_without_the_subprotocol_is_refused() -> None:
    async def handle(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def main() -> None:
        async with serve_websocket(handle, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
            with pytest.raises(RefusedError, match=r"does not support tickboard\.v2; the board must be"):
                await anext(connect(f"http://127.0.0.1:{port}"))

    run_bounded(main)


def test_connecting_waits_for_a_server_that_is_not_up_yet(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE_S", 0.01)

    async def handle(connection: ServerConnection) -> None:
        for message in (series("a"), window(1, [1])):
            await connection.send(message)
        await connection.wait_closed()

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        ticks = connect(f"http://127.0.0.1:{port}")
        task = asyncio.create_task(take(ticks, 1))
        await until(lambda: caplog.records)
        async with serve_websocket(handle, "127.0.0.1", port, subprotocols=[SUBPROTOCOL]):
            assert seqs(await task) == [1]
            await ticks.aclose()

    run_bounded(main)


def test_closing_ends_a_wait_for_a_server() -> None:
    async def main() -> None:
        with Proxy(1) as closed:
            closed.cut()
            ticks = connect(f"http://127.0.0.1:{closed.port}")
            task = asyncio.create_task(anext(ticks, None))
            await until(lambda: ticks._not_before)
            await ticks.aclose()
            assert await task is None

    run_bounded(main)


def test_a_slow_consumer_slows_the_server_down_and_misses_nothing() -> None:
    sent = 0

    async def handle(connection: ServerConnection) -> None:
        nonlocal sent
        await connection.send(series("a"))
        with contextlib.suppress(Exception):
            for seq in range(1, 200_001):
                await connection.send(tick(seq, seq))
                sent = seq

    async def main() -> None:
        nonlocal sent
        async with fake_server(handle) as (url, _), connect(url) as ticks:
            found = await take(ticks, 1)
            before = -1
            while sent != before:  # until the sockets between the two are full
                before = sent
                await asyncio.sleep(0.2)
            assert sent < 200_000
            found += await take(ticks, 20_000)
            assert seqs(found) == list(range(1, 20_002))

    run_bounded(main)


def test_a_message_that_is_too_long_is_logged_and_the_log_says_how_to_fix_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connection, "MAX_MESSAGE_BYTES", 1_000)

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await connection.send(b"x" * 1_001)
            await connection.wait_closed()

    async def main() -> None:
        async with fake_server(handle) as (url, _), connect(url) as ticks:
            task = asyncio.create_task(take(ticks, 1))
            await until(lambda: "ask for fewer metrics" in caplog.text)
            task.cancel()

    run_bounded(main)


def test_a_garbage_collected_iterator_is_disconnected(server: Server) -> None:
    async def main() -> None:
        ticks = connect(server.url)
        await anext(ticks)
        assert viewers(server) == 1
        del ticks
        gc.collect()
        await until(lambda: viewers(server) == 0)

    run_bounded(main)
