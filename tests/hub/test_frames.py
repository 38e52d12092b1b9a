"""Frames are the wire's types, encoded once. They decode to the same values, byte for byte where it matters."""

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
from tickboard.engine import Engine
from tickboard.hub import encodings
from tickboard.hub import frames as frames_module
from tickboard.hub.encodings import (
    BINARY,
    FLOAT32,
    FLOAT64,
    JSON,
    binary_tick,
    binary_window,
    initial_frame,
    initial_steps,
    metrics_frame,
    recent_metrics,
    series_list,
    whole,
)
from tickboard.hub.events import heartbeat, log_event, stream_start
from tickboard.hub.frames import PING, Frame, close, pong
from tickboard.metrics import selection as selection_module
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.metrics.window import Window
from tickboard.wire import Alert, Initial, Metric, MetricInfo, Metrics, SeriesList, ServerMessage, TickSpan, timestamp

decode = msgspec.json.Decoder(ServerMessage).decode


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu_usage", unit="%")
    core = registry.gauge("core", unit='"odd\\\n\x00unit')
    core.set(1)
    registry.gauge("disk", labels=["device"]).labels(device='s"da\x01').set(1)
    return registry


def test_timestamps_are_rfc_3339_in_utc_with_milliseconds() -> None:
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_769_860_800.5) == "2026-01-31T12:00:00.500Z"
    assert datetime.fromisoformat(timestamp(1e9 + 0.123)).timestamp() == pytest.approx(1e9 + 0.123, abs=1e-3)


@given(row=st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=3, max_size=3))
def test_a_tick_decodes_to_its_values_without_the_missing_ones(row: list[float]) -> None:
    registry = Registry()
    for name in ("a", "b", "c"):
        registry.gauge(name, unit="u")
    message = decode(metrics_frame(Selection(registry), 7, 0.0, np.array(row)))
    time = "1970-01-01T00:00:00.000Z"
    wanted = [Metric(name, value, "u", time) for name, value in zip("abc", row, strict=True) if not math.isnan(value)]
    assert message == Metrics(wanted, 7, time)


def test_a_plain_metric_on_the_wire_has_only_the_fields_of_the_specification(registry: Registry) -> None:
    frame = json.loads(metrics_frame(Selection(registry, ("cpu_usage",)), 1, 0.0, np.array([41.5, 1.0, 2.0])))
    assert frame["type"] == "metrics"
    assert frame["data"] == [{"name": "cpu_usage", "value": 41.5, "unit": "%", "timestamp": "1970-01-01T00:00:00.000Z"}]


@pytest.mark.parametrize("value", [1.0, math.nan])
def test_units_and_labels_are_escaped(registry: Registry, value: float) -> None:
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


def test_an_initial_message_divides_its_metrics_into_ticks(registry: Registry) -> None:
    nothing = math.nan
    window = window_of(registry, [1.0, 2.0, 3.0], [nothing, nothing, nothing], [4.0, nothing, 6.0])
    message = decode(initial_frame(Selection(registry), "e", 3, window.all()))
    assert isinstance(message, Initial)
    assert [metric.value for metric in message.data] == [1.0, 2.0, 3.0, 4.0, 6.0]
    assert message.ticks == [TickSpan(1, timestamp(0), 3), TickSpan(2, timestamp(1), 0), TickSpan(3, timestamp(2), 2)]
    assert (message.epoch, message.seq, message.resumed, message.skipped) == ("e", 3, False, 0)


def test_an_initial_message_says_that_it_resumes_and_how_many_ticks_were_skipped(registry: Registry) -> None:
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
    found = msgspec.json.decode(
        b"".join(whole(recent_metrics(Selection(registry), window.all(), count))), type=list[Metric]
    )
    assert [metric.value for metric in found] == wanted


def test_log_events_are_server_sent_events_encoded_once() -> None:
    alert = Alert("a", "m\nm", "critical", "T")
    firing, resolved = AlertEvent(3, "firing", alert, 0.0), AlertEvent(4, "resolved", alert, 0.0)
    frame = log_event("e", firing)
    assert frame == b'id: e-3\ndata: {"id":"a","message":"m\\nm","severity":"critical","timestamp":"T"}\n\n'
    assert log_event("e", firing) is frame
    assert log_event("e", resolved).startswith(b"id: e-4\nevent: resolved\ndata: {")


def test_the_alert_stream_starts_with_a_retry_and_position_and_sends_heartbeats() -> None:
    assert stream_start("e", 5, whole=True) == (
        b'retry: 2000\nid: e-5\nevent: position\ndata: {"type":"position","epoch":"e","number":5,"whole":true}\n\n'
    )
    assert heartbeat("e", 5, 0.0) == (b'id: e-5\ndata: {"type":"heartbeat","timestamp":"1970-01-01T00:00:00.000Z"}\n\n')


def received(wire: bytes) -> list[tuple[int, bytes]]:
    """Read what a server writes with the sans-I/O client of websockets."""
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


def test_a_client_understands_control_frames() -> None:
    assert received(PING.wire) == [(9, b"")]
    assert received(pong(b"again").wire) == [(10, b"again")]
    assert received(close(1013).wire) == [(8, b"\x03\xf5")]


@pytest.mark.parametrize(("dtype", "letter"), [(FLOAT32, "f"), (FLOAT64, "d")])
@given(row=st.lists(st.floats(width=32, allow_nan=True, allow_infinity=False), min_size=3, max_size=3))
def test_a_binary_tick_is_laid_out_as_the_protocol_says(row: list[float], dtype: str, letter: str) -> None:
    registry = Registry()
    for name in ("a", "b", "c"):
        registry.gauge(name)
    selection = Selection(registry, ("a", "c"))
    data = binary_tick(selection, 7, 2**40, 1_769_860_800.123, np.array(row), dtype)
    assert struct.unpack(f"<BBHIQd2{letter}", data) == pytest.approx(
        (2, 0, 0, 7, 2**40, 1_769_860_800_123.0, row[0], row[2]), nan_ok=True
    )
    # The time is the same as in JSON.
    assert timestamp(1_769_860_800.123).endswith(".123Z")


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_a_binary_window_is_laid_out_as_the_protocol_says(dtype: str) -> None:
    registry = Registry()
    registry.gauge("a")
    registry.gauge("b")
    window = Window(2)
    for number in range(3):
        window.append(float(number), np.array([number, np.nan]))
    selection = Selection(registry)
    header = struct.Struct("<BBHIQII")
    data = binary_window(selection, 7, window.all(), dtype)
    assert header.unpack_from(data) == (1, 0, 0, 7, 2, 2, 0)
    assert np.frombuffer(data, "<f8", 2, 24).tolist() == [1000.0, 2000.0]
    assert np.frombuffer(data, dtype, 4, 40).tolist() == pytest.approx([1, np.nan, 2, np.nan], nan_ok=True)
    assert len(data) == 24 + 16 + 4 * np.dtype(dtype).itemsize
    empty = Window(2)
    empty.reserve(2)
    resumed = binary_window(selection, 7, empty.all(), dtype, resumed=True, skipped=2**40)
    assert header.unpack(resumed) == (1, 1, 0, 7, 1, 0, 2**32 - 1)


def test_a_value_too_large_for_float32_becomes_infinite(registry: Registry) -> None:
    selection = Selection(registry, ("cpu_usage",))
    data = binary_tick(selection, 1, 1, 0.0, np.array([1e300, 0, 0]), FLOAT32)
    assert np.frombuffer(data, "<f4", 1, 24)[0] == math.inf


@pytest.mark.parametrize("value", [20_000_001.0, 2.0**53 - 1, 1_796_000_000.123, 1e300, -0.1])
def test_float64_values_arrive_exactly(registry: Registry, value: float) -> None:
    data = binary_tick(Selection(registry, ("cpu_usage",)), 1, 1, 0.0, np.array([value, 0, 0]), FLOAT64)
    assert struct.unpack_from("<d", data, 24) == (value,)


def test_a_series_message_lists_the_series_in_the_order_of_the_values(registry: Registry) -> None:
    message = decode(series_list(Selection(registry), 3, "e"))
    assert isinstance(message, SeriesList)
    assert [one.name for one in message.series] == ["cpu_usage", "core", "disk"]
    assert message.series[2].labels == {"device": 's"da\x01'}
    assert (message.layout, message.epoch) == (3, "e")


@pytest.mark.parametrize(("name", "dtype"), [("tickboard.v1", FLOAT32), ("tickboard.v2", FLOAT64)])
def test_all_encodings_use_the_same_messages(registry: Registry, name: str, dtype: str) -> None:
    selection, window = Selection(registry), Window(2)
    row = np.array([1.0, 2.0, 3.0])
    window.append(5.0, row)
    assert JSON.describe(selection, 1, "e") is None
    assert JSON.tick(selection, 1, 1, 5.0, row).messages == (metrics_frame(selection, 1, 5.0, row).decode(),)
    text = whole(JSON.initial(selection, 1, "e", 1, window.all(), resumed=True, skipped=0)).messages
    assert text == (initial_frame(selection, "e", 1, window.all(), resumed=True).decode(),)
    binary = BINARY[name]
    described = binary.describe(selection, 1, "e")
    assert described is not None
    assert described.messages == (series_list(selection, 1, "e").decode(),)
    assert binary.tick(selection, 1, 1, 5.0, row).messages == (binary_tick(selection, 1, 1, 5.0, row, dtype),)
    both = whole(binary.initial(selection, 1, "e", 1, window.all(), resumed=True, skipped=0)).messages
    assert both == (*described.messages, binary_window(selection, 1, window.all(), dtype, resumed=True))


@pytest.mark.parametrize(
    ("patterns", "steps"),
    # One step for each metric, and one for each series of the metrics that may match.
    [((), 0), (("c*",), 3 + 2), (('disk{device="s*"}', "core"), 3 + 2), (('disk{device="none"}',), 3 + 1), (("*",), 6)],
)
def test_a_selection_made_in_steps_is_the_same(
    registry: Registry, patterns: tuple[str, ...], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = Selection(registry, patterns)
    monkeypatch.setattr(selection_module, "STEP_COST", 1)
    making = Selection.steps(registry, patterns)
    for _ in range(steps):
        next(making)
    with pytest.raises(StopIteration) as end:
        next(making)
    found: Selection = end.value.value
    for selection in (found, Selection(registry, patterns)):
        assert selection.series == at_once.series
        assert selection.columns.tolist() == at_once.columns.tolist()
        assert selection.width == at_once.width


def test_a_selection_updated_from_an_older_one_equals_a_new_one() -> None:
    registry = Registry()
    patterns = ("a*", "g*", 'host{name="a"}')
    host = registry.gauge("host", labels=["name"])
    host.labels(name="a").set(1)
    host.labels(name="b").set(1)
    discover(registry, "gone", "again")
    before = Selection(registry, patterns)
    assert names(before) == ["host", "gone", "again"]
    for name in ("gone", "again"):
        withdraw(registry, name)
    discover(registry, "g_new", "again", "other")
    host.labels(name="c").set(1)
    found = Selection(registry, patterns, before)
    # A metric that was added again takes its new place.
    assert names(found) == names(Selection(registry, patterns)) == ["host", "g_new", "again"]


def names(selection: Selection) -> list[str]:
    return [series.metric.name for series in selection.series]


def discover(registry: Registry, *names: str) -> None:
    """Discover metrics from outside, each with one series."""
    with registry.lock:
        for name in names:
            metric = registry.discover(Gauge, MetricInfo(name, name, "", "gauge", ["at"]))
            registry.open(metric, (("at", "x"),))


def withdraw(registry: Registry, name: str) -> None:
    """Remove a metric and its series."""
    handle = registry.find(name)
    assert handle is not None
    handle.remove(at="x")
    with registry.lock:
        registry.withdraw(name)


def test_a_large_initial_message_made_in_steps_is_the_same(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    window = window_of(registry, *([float(number)] * 3 for number in range(8)))
    at_once = initial_frame(Selection(registry), "e", 8, window.all())
    monkeypatch.setattr(encodings, "STEP_VALUES", 26)
    steps = initial_steps(Selection(registry), "e", 8, window.all())
    # A tick costs its values and ten more, so a step covers two ticks.
    for _ in range(4):
        next(steps)
    assert b"".join(whole(steps)) == at_once


@pytest.mark.parametrize("count", [1, 2, 3, 4, 99])
def test_recent_metrics_of_many_series_made_in_steps_are_the_same(
    registry: Registry, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first slice of the series has no value in the newest tick.
    window = window_of(registry, [1.0, 2.0, 3.0], [math.nan, math.nan, 6.0])
    at_once = b"".join(whole(recent_metrics(Selection(registry), window.all(), count)))
    monkeypatch.setattr(selection_module, "STEP_SERIES", 2)
    monkeypatch.setattr(encodings, "STEP_SERIES", 2)
    selection = Selection(registry)
    writing = selection.write()
    next(writing)
    assert b"".join(whole(recent_metrics(selection, window.all(), count))) == at_once
    values = [metric.value for metric in msgspec.json.decode(at_once, type=list[Metric])]
    assert values == [1.0, 2.0, 3.0, 6.0][-count:]


def test_large_frames_are_assembled_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames_module, "STEP_BYTES", 10)
    pieces = [b"abcd", b"efgh", b"ij", b"k", b"l" * 30, b"m"]
    steps = Frame.of_pieces((1, pieces), (2, [b"", b"n" * 200]), (1, []))
    for _ in range(2):
        next(steps)
    frame = whole(steps)
    at_once = Frame.text(b"").after(Frame.binary(b"n" * 200)).after(Frame.text(b"".join(pieces)))
    assert bytes(frame.wire) == at_once.wire
    assert frame.messages == at_once.messages
    assert frame.size == at_once.size


def test_a_large_binary_window_made_in_steps_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "STEP_FLOATS", 3)
    registry = Registry()
    for name in ("a", "b"):
        registry.gauge(name).set(1)
    engine = Engine(registry, [], 10, "e", str)
    for time in range(9):
        engine.tick(float(time), 1.0)
    selection = engine.select()
    steps = BINARY["tickboard.v2"].initial(selection, 1, "e", 9, engine.window.all(), resumed=False, skipped=0)
    # One step for the list of series, then one for every two ticks.
    for _ in range(1 + 4):
        next(steps)
    assert whole(steps).messages[1] == binary_window(selection, 1, engine.window.all(), FLOAT64)


def test_series_descriptions_are_encoded_in_steps_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "STEP_SERIES", 1)
    monkeypatch.setattr(encodings, "STEP_SERIES", 1)
    registry = Registry()
    for name in "abc":
        registry.gauge(name)
    selection = Selection(registry)
    encoding = BINARY["tickboard.v2"]
    assert len(list(encoding.prepare(selection))) == 2
    described = encoding.describe(selection, 1, "e")
    assert described is not None
    assert [one["name"] for one in json.loads(described.messages[0])["series"]] == ["a", "b", "c"]
    assert len(list(JSON.prepare(selection))) == 2
