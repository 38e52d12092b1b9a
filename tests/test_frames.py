"""Frames are the wire's types, encoded once: what msgspec makes of the same values, byte for byte where it matters."""

import json
import math
import struct
from datetime import datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame as Received
from websockets.protocol import State
from websockets.uri import parse_uri

from tickboard.alerting.log import AlertEvent
from tickboard.frames import (
    BINARY,
    JSON,
    PING,
    Frame,
    Selection,
    alert_event,
    binary_tick,
    binary_window,
    close,
    heartbeat,
    initial_frame,
    metrics_frame,
    pong,
    recent_metrics,
    series_list,
    stream_start,
    timestamp,
)
from tickboard.series import Registry
from tickboard.types import Alert, Initial, Metric, Metrics, SeriesList, ServerMessage, Tick
from tickboard.window import Window

decode = msgspec.json.Decoder(ServerMessage).decode


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu_usage", unit="%")
    core = registry.gauge("core", unit='"odd\\\n\x00unit')
    core.set(1)
    registry.gauge("disk", labels=["device"]).labels(device='s"da\x01').set(1)
    return registry


def test_times_are_rfc_3339_in_utc_with_milliseconds() -> None:
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_769_860_800.5) == "2026-01-31T12:00:00.500Z"
    assert datetime.fromisoformat(timestamp(1e9 + 0.123)).timestamp() == pytest.approx(1e9 + 0.123, abs=1e-3)


@given(row=st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=3, max_size=3))
def test_a_tick_decodes_to_its_values_and_leaves_out_what_is_missing(row: list[float]) -> None:
    registry = Registry()
    for name in ("a", "b", "c"):
        registry.gauge(name, unit="u")
    message = decode(metrics_frame(Selection(registry), 7, 0.0, np.array(row)))
    time = "1970-01-01T00:00:00.000Z"
    wanted = [Metric(name, value, "u", time) for name, value in zip("abc", row, strict=True) if not math.isnan(value)]
    assert message == Metrics(wanted, 7, time)


def test_a_metric_on_the_wire_has_just_the_specifications_fields(registry: Registry) -> None:
    frame = json.loads(metrics_frame(Selection(registry, ("cpu_usage",)), 1, 0.0, np.array([41.5, 1.0, 2.0])))
    assert frame["type"] == "metrics"
    assert frame["data"] == [{"name": "cpu_usage", "value": 41.5, "unit": "%", "timestamp": "1970-01-01T00:00:00.000Z"}]


@pytest.mark.parametrize("value", [1.0, math.nan])
def test_names_units_and_labels_may_hold_anything(registry: Registry, value: float) -> None:
    message = decode(metrics_frame(Selection(registry), 1, 0.0, np.array([value, 2.0, 3.0])))
    assert isinstance(message, Metrics)
    assert message.data[-2].unit == '"odd\\\n\x00unit'
    assert message.data[-1].labels == {"device": 's"da\x01'}


def test_a_board_without_series_still_ticks() -> None:
    assert decode(metrics_frame(Selection(Registry()), 3, 0.0, np.empty(0))) == Metrics([], 3, timestamp(0.0))


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ((), ["cpu_usage", "core", "disk"]),
        (("disk",), ["disk"]),
        (("c*",), ["cpu_usage", "core"]),
        (("c?re", "nothing"), ["core"]),
        (("[d]isk", "cpu_usage"), ["cpu_usage", "disk"]),
        (("CPU_USAGE",), []),
    ],
)
def test_a_selection_is_by_name_or_glob(registry: Registry, patterns: tuple[str, ...], wanted: list[str]) -> None:
    assert [series.metric.name for series in Selection(registry, patterns).series] == wanted


def window_of(registry: Registry, *rows: list[float]) -> Window:
    window = Window(10)
    window.reserve(registry.width)
    for index, row in enumerate(rows):
        window.append(float(index), np.array(row))
    return window


def test_an_initial_divides_its_metrics_into_ticks(registry: Registry) -> None:
    nothing = math.nan
    window = window_of(registry, [1.0, 2.0, 3.0], [nothing, nothing, nothing], [4.0, nothing, 6.0])
    message = decode(initial_frame(Selection(registry), "e", 3, window.all()))
    assert isinstance(message, Initial)
    assert [metric.value for metric in message.data] == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert message.ticks == [Tick(1, timestamp(0), 3), Tick(2, timestamp(1), 0), Tick(3, timestamp(2), 2)]
    assert (message.epoch, message.seq, message.resumed, message.skipped) == ("e", 3, False, 0)


def test_an_initial_says_that_it_resumes_and_what_was_skipped(registry: Registry) -> None:
    window = window_of(registry, [1.0, 2.0, 3.0])
    frame = initial_frame(Selection(registry), "e", 1, window.all(), resumed=True, skipped=9)
    message = decode(frame)
    assert isinstance(message, Initial)
    assert (message.resumed, message.skipped) == (True, 9)
    assert b"resumed" not in initial_frame(Selection(registry), "e", 1, window.all())


@pytest.mark.parametrize(
    ("count", "wanted"), [(0, []), (1, [6.0]), (3, [3.0, 4.0, 6.0]), (99, [1.0, 2.0, 3.0, 4.0, 6.0])]
)
def test_recent_metrics_are_the_newest_oldest_first(registry: Registry, count: int, wanted: list[float]) -> None:
    window = window_of(registry, [1.0, 2.0, 3.0], [4.0, math.nan, 6.0])
    found = msgspec.json.decode(recent_metrics(Selection(registry), window.all(), count), type=list[Metric])
    assert [metric.value for metric in found] == wanted


def test_alert_events_are_server_sent_events_encoded_once() -> None:
    alert = Alert("a", "m\nm", "critical", "T")
    firing, resolved = AlertEvent(3, "firing", alert, 0.0), AlertEvent(4, "resolved", alert, 0.0)
    frame = alert_event("e", firing)
    assert frame == b'id: e-3\ndata: {"id":"a","message":"m\\nm","severity":"critical","timestamp":"T"}\n\n'
    assert alert_event("e", firing) is frame
    assert alert_event("e", resolved).startswith(b"id: e-4\nevent: resolved\ndata: {")


def test_the_stream_opens_with_when_to_come_back_and_beats() -> None:
    assert stream_start("e", 5, whole=True) == (
        b'retry: 2000\nid: e-5\nevent: position\ndata: {"type":"position","epoch":"e","number":5,"whole":true}\n\n'
    )
    assert heartbeat("e", 5, 0.0) == (b'id: e-5\ndata: {"type":"heartbeat","timestamp":"1970-01-01T00:00:00.000Z"}\n\n')


def received(wire: bytes) -> list[tuple[int, bytes]]:
    """Read what a server writes as websockets' sans-I/O client does."""
    client = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
    client.receive_data(wire)
    assert client.parser_exc is None
    return [(event.opcode, bytes(event.data)) for event in client.events_received() if isinstance(event, Received)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_frame_is_a_websocket_message_of_any_size(size: int) -> None:
    assert received(Frame.text(b"x" * size).wire) == [(1, b"x" * size)]
    assert received(Frame.binary(b"\xff" * size).wire) == [(2, b"\xff" * size)]


def test_several_messages_may_be_one_frame() -> None:
    frame = Frame.binary(b"\x01").after(Frame.text(b"first"))
    assert received(frame.wire) == [(1, b"first"), (2, b"\x01")]
    assert frame.messages == ("first", b"\x01")
    assert frame.size == 6


def test_control_frames_are_what_a_client_takes_them_for() -> None:
    assert received(PING.wire) == [(9, b"")]
    assert received(pong(b"again").wire) == [(10, b"again")]
    assert received(close(1013).wire) == [(8, b"\x03\xf5")]


@given(row=st.lists(st.floats(width=32, allow_nan=True, allow_infinity=False), min_size=3, max_size=3))
def test_a_binary_tick_is_laid_out_as_the_protocol_says(row: list[float]) -> None:
    registry = Registry()
    for name in ("a", "b", "c"):
        registry.gauge(name)
    selection = Selection(registry, ("a", "c"))
    data = binary_tick(selection, 7, 2**40, 1_769_860_800.123, np.array(row))
    assert struct.unpack("<BBHIQd2f", data) == pytest.approx(
        (2, 0, 0, 7, 2**40, 1_769_860_800_123.0, row[0], row[2]), nan_ok=True
    )
    # The time is the one that the JSON has.
    assert timestamp(1_769_860_800.123).endswith(".123Z")


def test_a_binary_window_is_laid_out_as_the_protocol_says() -> None:
    registry = Registry()
    registry.gauge("a")
    registry.gauge("b")
    window = Window(2)
    for number in range(3):
        window.append(float(number), np.array([number, np.nan]))
    selection = Selection(registry)
    header = struct.Struct("<BBHIQII")
    data = binary_window(selection, 7, window.all())
    assert header.unpack_from(data) == (1, 0, 0, 7, 2, 2, 0)
    assert np.frombuffer(data, "<f8", 2, 24).tolist() == [1000.0, 2000.0]
    assert np.frombuffer(data, "<f4", 4, 40).tolist() == pytest.approx([1, np.nan, 2, np.nan], nan_ok=True)
    assert len(data) == 24 + 16 + 16
    empty = Window(2)
    empty.reserve(2)
    resumed = binary_window(selection, 7, empty.all(), resumed=True, skipped=2**40)
    assert header.unpack(resumed) == (1, 1, 0, 7, 1, 0, 2**32 - 1)


def test_what_a_float32_cannot_hold_is_infinite(registry: Registry) -> None:
    selection = Selection(registry, ("cpu_usage",))
    data = binary_tick(selection, 1, 1, 0.0, np.array([1e300, 0, 0]))
    assert np.frombuffer(data, "<f4", 1, 24)[0] == math.inf


def test_a_series_message_has_the_order_of_the_values(registry: Registry) -> None:
    message = decode(series_list(Selection(registry), 3, "e"))
    assert isinstance(message, SeriesList)
    assert [one.name for one in message.series] == ["cpu_usage", "core", "disk"]
    assert message.series[2].labels == {"device": 's"da\x01'}
    assert (message.layout, message.epoch) == (3, "e")


def test_both_encodings_say_the_same(registry: Registry) -> None:
    selection, window = Selection(registry), Window(2)
    row = np.array([1.0, 2.0, 3.0])
    window.append(5.0, row)
    assert JSON.describe(selection, 1, "e") is None
    assert JSON.tick(selection, 1, 1, 5.0, row).messages == (metrics_frame(selection, 1, 5.0, row).decode(),)
    text = JSON.initial(selection, 1, "e", 1, window.all(), resumed=True, skipped=0).messages
    assert text == (initial_frame(selection, "e", 1, window.all(), resumed=True).decode(),)
    described = BINARY.describe(selection, 1, "e")
    assert described is not None
    assert described.messages == (series_list(selection, 1, "e").decode(),)
    assert BINARY.tick(selection, 1, 1, 5.0, row).messages == (binary_tick(selection, 1, 1, 5.0, row),)
    both = BINARY.initial(selection, 1, "e", 1, window.all(), resumed=True, skipped=0).messages
    assert both == (*described.messages, binary_window(selection, 1, window.all(), resumed=True))
