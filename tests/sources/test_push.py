"""Pushed metrics: the meaning of a body, and malformed bodies, which record nothing."""

import contextlib
import json
import math
from typing import Any

import msgspec
import pytest
from benchmarks.ingest import push as benchmark
from hypothesis import given
from hypothesis import strategies as st

from tickboard.engine import Engine
from tickboard.errors import PayloadError
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources import push
from tickboard.sources.push import PushDecoder
from tickboard.wire import Metric, PushedMetric

NOW = 1_000.0


class Host:
    """A board's intake with one tick per second."""

    def __init__(self, max_series: int = 1_000) -> None:
        self.registry = Registry()
        self.intake = Intake(self.registry, max_series_per_source=max_series)
        self.source = self.intake.source("push")

    def take(self, body: bytes, *, lines: bool = False) -> PushDecoder:
        taken = PushDecoder(body, self.source, NOW, lines=lines)
        for _ in taken.read():
            pass
        for _ in taken.write():
            pass
        return taken

    def after(self, *metrics: dict[str, Any]) -> dict[str, float]:
        assert self.take(json.dumps(metrics).encode()).accepted == len(metrics)
        return self.tick()

    def tick(self) -> dict[str, float]:
        row = self.registry.collect(1.0)
        return {series.key: float(row[series.column]) for series in self.registry.series}

    def refused(self, body: bytes, *, lines: bool = False) -> PayloadError:
        with pytest.raises(PayloadError) as caught:
            self.take(body, lines=lines)
        assert not self.registry.metrics, "something of it was taken"
        return caught.value


def metric(value: Any = 1, name: Any = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value} | more


def encoded(*metrics: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in metrics)


# --- shapes ---


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(metric(3)).encode(),
        json.dumps([metric(3)], indent=2).encode(),
        json.dumps(metric(3), indent=2).encode(),
        encoded(metric(2), metric(3)),
        b"\n\r\n" + encoded(metric(2), metric(3)) + b"\r\n\n",
        b" [" + json.dumps(metric(3)).encode() + b"]\n",
    ],
)
def test_a_single_metric_a_list_and_lines_are_distinguished(body: bytes) -> None:
    host = Host()
    assert host.take(body).accepted in {1, 2}
    assert host.tick() == {"a": 3}


def test_lines_are_read_as_lines_on_request() -> None:
    host = Host()
    assert host.take(encoded(metric(3)), lines=True).accepted == 1
    assert host.take(b"", lines=True).accepted == 0
    assert host.take(b"[]").accepted == 0
    assert host.tick() == {"a": 3}


def test_a_metric_that_a_board_sends_can_be_pushed() -> None:
    host = Host()
    sent = Metric("cpu", 12.5, "%", "2026-01-31T12:00:00.250Z", {"host": "a"})
    assert host.take(msgspec.json.encode([sent])).accepted == 1
    assert host.tick() == {'cpu{host="a"}': 12.5}
    assert host.registry.metrics["cpu"].unit == "%"


def test_the_wire_type_has_the_same_fields_as_the_decoder() -> None:
    def fields(kind: type) -> list[tuple[str, object]]:
        return [(one.name, one.type) for one in msgspec.structs.fields(kind) if one.name != "labels"]

    assert fields(PushedMetric) == fields(push._Sample)


# --- kinds ---


def test_gauges_hold_counters_are_rates_and_histograms_are_summarized() -> None:
    host = Host()
    seen = host.after(
        metric(3, "queue", title="Jobs", unit="jobs", labels={"w": "1"}),
        metric(4, "queue", labels={"w": "1"}),
        metric(2, "done", kind="counter"),
        metric(0.5, "done", kind="counter"),
        *(metric(value, "took", kind="histogram", unit="ms") for value in (10, 20, 60)),
    )
    assert seen == {'queue{w="1"}': 4, "done": 2.5, "took": 30, "took.p50": 20, "took.p95": 56, "took.p99": 59.2}
    assert host.registry.metrics["queue"].title == "Jobs"
    assert host.registry.metrics["queue"].unit == "jobs"
    assert host.registry.metrics["done"].unit == "/s"
    later = host.tick()
    assert (later['queue{w="1"}'], later["done"]) == (4, 0)


def test_null_clears_the_value_of_a_gauge() -> None:
    host = Host()
    host.after(metric(3))
    assert math.isnan(host.after(metric(None))["a"])


def test_labels_are_the_same_in_any_order() -> None:
    host = Host()
    assert host.after(
        metric(1, kind="counter", labels={"x": "1", "y": "2"}), metric(1, kind="counter", labels={"y": "2", "x": "1"})
    ) == {'a{x="1",y="2"}': 2}
    assert host.after(metric(1, kind="counter", labels={}), metric(1, kind="counter"))["a"] == 2


# --- times ---


@pytest.mark.parametrize(
    "time",
    [
        1_700_000_002,
        1_700_000_002.0,
        1_700_000_002_000,
        "2023-11-14T22:13:22Z",
        "2023-11-14T22:13:22.000000+00:00",
        "2023-11-15T00:13:22+02:00",
    ],
)
def test_every_format_of_a_timestamp_is_read(time: Any) -> None:
    host = Host()
    engine = Engine(host.registry, [], 10, "epoch", lambda: "id", host.intake)
    host.take(json.dumps([metric(1), metric(1, "b")]).encode())
    for second in range(5):
        engine.tick(1_700_000_000.0 + second, 1.0)
    host.take(json.dumps([metric(5, timestamp=time), metric(7, "b")]).encode())
    engine.tick(1_700_000_005.0, 1.0)
    column = host.source.known["a", b"", "gauge"]
    assert engine.window.all().rows[:, column].tolist() == [1, 1, 5, 5, 5, 5]


@pytest.mark.parametrize("time", ["", "yesterday", "2023-11-14", "2023-11-14T22:13:22", -1, 1e18, "1700000000"])
def test_an_invalid_timestamp_is_refused_with_the_reason(time: Any) -> None:
    error = Host().refused(json.dumps([metric(), metric(timestamp=time)]).encode())
    assert error.status == 422
    assert str(error).startswith(
        f"metric 2: timestamp {float(time) if not isinstance(time, str) else time!r}: send 2026"
    )


# --- invalid bodies ---


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (b"{", "Input data was truncated"),
        (b"x", "JSON is malformed: invalid character"),
        (b'"text"', "got `str`"),
        (b"null", "got `null`"),
        (b"[]", "got `array`"),
        (b"{}", "missing required field `name`"),
        (b'{"name": "a"}', "missing required field `value`"),
        (b'{"name": 1, "value": 1}', "Expected `str`, got `int` - at `$.name`"),
        (b'{"name": "a", "value": "1"}', "got `str` - at `$.value`"),
        (b'{"name": "a", "value": true}', "got `bool` - at `$.value`"),
        (b'{"name": "a", "value": NaN}', "NaN is not JSON: send null where there is no value (byte 23), in "),
        (b'{"name": "a", "value": 1e999}', "Number out of range"),
        (b'{"name": "a", "value": 1, "kind": "summary"}', "Invalid enum value 'summary'"),
        (b'{"name": "a", "value": 1, "lables": {}}', "unknown field `lables`"),
        (b'{"name": "a", "value": 1, "labels": []}', "labels: Expected `object`, got `array`"),
        (b'{"name": "a", "value": 1, "labels": {"x": 1}}', "labels: Expected `str`, got `int`"),
        (b'{"name": "a", "value": 1, "labels": null}', "labels: Expected `object`, got `null`"),
        (b'{"name": "a", "value": 1, "labels": {"x": "\xff"}}', "labels: 'utf-8' codec can't decode"),
        (b'{"name": "\xff", "value": 1}', "'utf-8' codec can't decode"),
        (b'{"name": "a", "value": -Infinity}', "-Infinity is not JSON: send null"),
        (b'{"name": "a", "value": 1,}', "trailing comma in object: leave the comma out"),
        (b'{"name": "a", "value": 1, "labels": ' + b"[" * 100_000 + b"}", "maximum recursion depth exceeded"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_recorded(bad: bytes, said: str) -> None:
    good = json.dumps(metric()).encode()
    error = Host().refused(b"\n".join([good, b"", good, bad, good]), lines=True)
    assert str(error).startswith("line 4: ")
    assert said in str(error)
    assert error.status == 400


@pytest.mark.parametrize("lines", [True, False])
def test_a_byte_order_mark_is_ignored(lines: bool) -> None:
    host = Host()
    host.take(b"\xef\xbb\xbf" + json.dumps(metric(3, "a")).encode() + b"\n", lines=lines)
    assert host.tick()["a"] == 3


def test_the_number_of_a_bad_line_is_right_deep_in_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "CHUNK_BYTES", 100)
    good = [metric(number, f"m{number}") for number in range(50)]
    for place in range(50):
        body = encoded(*good[:place], {"name": "a"}, *good[place:])
        assert str(Host().refused(body, lines=True)).startswith(f"line {place + 1}: ")
        body = encoded(*good[:place], metric(-1, kind="counter"), *good[place:])
        assert str(Host().refused(body, lines=True)).startswith(f"line {place + 1}: ")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            json.dumps([metric(), metric("x")]).encode(),
            "metric 2 of the list: Expected `float | null`, got `str` - at `$.value`",
        ),
        (json.dumps([metric(), 3]).encode(), "metric 2 of the list: Expected `object`, got `int` - at `$`"),
        (b'[{"name": "a",\n"value": 1},\n{"name": x}]', "line 3: JSON is malformed: invalid character (byte 37)"),
        (b"", "Input data was truncated"),
        (
            b'[{"name": "a",\n"value": NaN}]',
            "line 2: NaN is not JSON: send null where there is no value (byte 24), in ",
        ),
        (
            b"{'name': 'a', 'value': 1}",
            "line 1: a string in single quotes is not JSON: use double quotes (byte 1), in ",
        ),
        (json.dumps([metric(), metric(labels={"a": 1})]).encode(), "metric 2: labels: Expected `str`, got `int`"),
    ],
)
def test_a_bad_metric_of_a_list_is_named(body: bytes, said: str) -> None:
    error = Host().refused(body)
    assert str(error).startswith(said)
    assert "send {" in str(error)
    assert error.status == 400


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (-1, "counter", "a counter's value is -1: send the increase, 0 or more"),
        (None, "counter", "a counter's value is null"),
        (None, "histogram", "a histogram's value is null: send a number"),
    ],
)
def test_a_value_invalid_for_its_kind_is_refused_with_the_reason(value: Any, kind: str, said: str) -> None:
    error = Host().refused(json.dumps([metric(), metric(value, kind=kind)]).encode())
    assert str(error).startswith(f"metric 2: {said}")
    assert error.status == 422


def test_refused_series_are_counted_and_the_others_are_recorded() -> None:
    host = Host(max_series=2)
    taken = host.take(encoded(*(metric(number, f"m{number}") for number in range(5)), metric(9, "m0")))
    assert (taken.accepted, taken.refused) == (3, 3)
    assert "push is at its limit of 2 series" in taken.reason
    assert host.tick() == {"m0": 9, "m1": 1}


def test_the_caches_are_bounded_however_labels_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.metrics.source.MAX_REFUSED_KEYS", 10)
    monkeypatch.setattr(push, "MAX_SPELLINGS", 10)
    host = Host()
    bodies = b"\n".join(b'{"name": "a", "value": 1, "labels": {%b}}' % (b" " * number) for number in range(100))
    taken = host.take(bodies)
    assert len(host.source.known) < 30
    assert taken.accepted + taken.refused == 100
    assert "arrive in too many different orders" in taken.reason


# --- turns ---


def test_other_tasks_run_in_between_and_may_remove_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "CHUNK_SAMPLES", 10)
    monkeypatch.setattr(push, "CHUNK_BYTES", 500)
    monkeypatch.setattr(push, "NEW_COST", 0)
    host = Host()
    host.after(*(metric(0, f"m{number}") for number in range(100)))
    taken = PushDecoder(encoded(*(metric(number, f"m{number}") for number in range(100))), host.source, NOW)
    assert len(list(taken.read())) >= 10
    turns = 0
    for _ in taken.write():
        turns += 1
        if turns == 5:
            host.intake.ticked(10.0, 1.0)
            host.intake.ticked(10_000.0, 9_990.0)
            host.intake.forget()
    assert (turns, taken.accepted) == (10, 100)
    assert host.tick() == {f"m{number}": number for number in range(50, 100)}


# --- any body ---

values = st.one_of(st.none(), st.integers(-5, 5), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=2))
labels = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2)
metrics = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "value": values},
    optional={
        "labels": labels,
        "unit": st.sampled_from(["ms", ""]),
        "kind": st.just("gauge"),
        "timestamp": st.sampled_from([NOW, "1970-01-01T00:16:40Z", "never"]),
    },
)


@given(st.lists(metrics), st.booleans())
def test_the_decoder_matches_a_plain_reading(given: list[dict[str, Any]], lines: bool) -> None:
    host = Host()
    wanted: dict[str, float] = {}
    for one in given:
        inner = ",".join(f'{name}="{value}"' for name, value in sorted(one.get("labels", {}).items()))
        wanted[one["name"] + (f"{{{inner}}}" if inner else "")] = one["value"]
    good = all(not isinstance(one["value"], str) and one.get("timestamp") != "never" for one in given)
    body = encoded(*given) if lines else json.dumps(given).encode()
    if not good:
        host.refused(body, lines=lines)
        return
    assert host.take(body, lines=lines).accepted == len(given)
    seen = host.tick()
    assert {key: None if math.isnan(value) else value for key, value in seen.items()} == wanted


@given(
    st.one_of(
        st.binary(), st.lists(st.one_of(st.binary(), metrics.map(lambda one: json.dumps(one).encode()))).map(b"\n".join)
    )
)
def test_any_bytes_are_accepted_or_raise_payload_error(body: bytes) -> None:
    for lines in (False, True):
        with contextlib.suppress(PayloadError):
            Host().take(body, lines=lines)


def test_all_lines_of_the_benchmark_are_accepted() -> None:
    (body,) = benchmark.payload(2_000)
    assert Host().take(body, lines=True).accepted == 2_000
