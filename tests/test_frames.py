"""Frames are the wire's types, encoded once: what msgspec makes of the same values, byte for byte where it matters."""

import json
import math
from datetime import datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerts import AlertEvent
from tickboard.frames import (
    Selection,
    alert_event,
    heartbeat,
    initial_frame,
    matches,
    metrics_frame,
    recent_metrics,
    stream_start,
    timestamp,
)
from tickboard.series import Registry
from tickboard.types import Alert, Initial, Metric, Metrics, ServerMessage, Tick
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


def test_a_glob_that_is_no_pattern_matches_itself() -> None:
    assert matches(["["], "[")
    assert not matches(["["], "a")


def window_of(registry: Registry, *rows: list[float]) -> Window:
    window = Window(10)
    window.reserve(len(registry))
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
    assert stream_start("e", 5) == b"retry: 2000\nid: e-5\n\n"
    assert heartbeat("e", 5, 0.0) == (b'id: e-5\ndata: {"type":"heartbeat","timestamp":"1970-01-01T00:00:00.000Z"}\n\n')
