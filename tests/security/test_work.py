"""Work is counted, not bytes: any body is processed in small steps or refused."""

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.security.steps import MOST_LINES, busiest

from tickboard.errors import InputError, PayloadError
from tickboard.metrics.cleaning import MAX_KEY_BYTES
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import Source
from tickboard.sources.opentelemetry import messages as opentelemetry_messages
from tickboard.sources.opentelemetry.exports import ExportResult, OpenTelemetry
from tickboard.sources.opentelemetry.messages import read_json, read_protobuf
from tickboard.sources.prometheus import exposition, messages, remote_write, series_writer
from tickboard.sources.prometheus.exposition import Exposition
from tickboard.sources.prometheus.remote_write import RemoteWrite
from tickboard.sources.prometheus.series_writer import Batch
from tickboard.sources.push import PushDecoder
from tickboard.sources.rows import named_row
from tickboard.sources.statsd import StatsD

NOW = 1_795_514_400.0


def source() -> Source:
    return Intake(Registry()).source("hostile")


def field(number: int, content: bytes) -> bytes:
    """Return a field of a protobuf message."""
    size, rest = bytearray(), len(content)
    while rest >= 0x80:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes([number << 3 | 2]) + bytes(size) + content


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits of a body, since counting lines takes time."""
    monkeypatch.setattr(opentelemetry_messages, "MAX_MESSAGES", 20_000)
    monkeypatch.setattr(messages, "MAX_FIELDS", 20_000)
    monkeypatch.setattr(remote_write, "MAX_FIELDS", 20_000)
    monkeypatch.setattr(series_writer, "MAX_HISTOGRAMS", 2_000)


# --- OTLP ---


def of_metric(data: bytes, name: bytes = b"m") -> bytes:
    return field(1, field(2, field(2, field(1, name) + data)))


def attribute(key: bytes, value: bytes) -> bytes:
    return field(1, key) + field(2, field(1, value))


OTLP: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty resources": (lambda: b"\x0a\x00" * 100_000, "more than 20000 resources"),
    "a resource of empty resources": (lambda: field(1, b"\x0a\x00" * 100_000), "a resource has more than 32768"),
    "a resource of empty scopes": (lambda: field(1, b"\x12\x00" * 100_000), "more than 20000 resources"),
    "a scope of empty metrics": (lambda: field(1, field(2, b"\x12\x00" * 60_000)), ""),
    "a long scope of empty metrics": (
        lambda: field(1, field(2, b"\x12\x00" * 100_000)),
        "more than 20000 resources",
    ),
    "small scopes of empty metrics": (lambda: field(1, field(2, b"\x12\x00" * 20_000)) * 4, ""),
    "empty gauges": (lambda: field(1, field(2, b"\x12\x02\x2a\x00" * 30_000)), ""),
    "empty points": (lambda: of_metric(field(5, b"\x0a\x00" * 60_000)), ""),
    "a point of empty attributes": (lambda: of_metric(field(5, field(1, b"\x3a\x00" * 60_000)) * 20), ""),
    "a point of megabytes": (lambda: of_metric(field(5, field(1, b"\x3a\x00" * 300_000))), "a data point has more"),
    "a list in an attribute": (
        lambda: of_metric(field(5, field(1, field(7, field(1, b"k") + field(2, field(5, b"\x0a\x00" * 50_000)))) * 20)),
        "",
    ),
    "a resource of attributes": (lambda: field(1, field(1, b"\x0a\x00" * 15_000) + of_metric(b"")[2:]), "256 at most"),
    "quantiles": (lambda: of_metric(field(11, field(1, b"\x32\x00" * 60_000)) * 20), ""),
    "new series": (
        lambda: of_metric(
            field(
                5, b"".join(field(1, field(7, attribute(b"k", b"%d" % n)) + b"\x21" + bytes(8)) for n in range(5_000))
            )
        ),
        "",
    ),
    "a name of kilobytes": (lambda: of_metric(field(5, b"\x0a\x00" * 1_000), b"n" * 30_000) * 20, ""),
}


def otlp(body: bytes, read: Callable[[bytes], Iterator[Any]] = read_protobuf) -> Iterator[None]:
    sender = OpenTelemetry(source())
    for piece in read(body):
        if piece is not None:
            yield from sender.receive(piece, NOW, ExportResult())
        yield


@pytest.mark.parametrize(("body", "refusal"), OTLP.values(), ids=OTLP)
def test_an_export_is_processed_in_small_steps_or_refused(body: Callable[[], bytes], refusal: str) -> None:
    if refusal:
        with pytest.raises(PayloadError, match=refusal) as raised:
            busiest(otlp(body()))
        assert raised.value.status == 413
    else:
        assert busiest(otlp(body())) <= MOST_LINES


def test_the_protobuf_library_never_parses_much_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    parse = opentelemetry_messages._parsed

    def parsed(data: bytes) -> Any:
        sizes.append(len(data))
        return parse(data)

    monkeypatch.setattr(opentelemetry_messages, "_parsed", parsed)
    point = field(1, field(7, attribute(b"k", b"v" * 50)) + b"\x21" + bytes(8))
    body = of_metric(field(5, point * 10_000) + field(5, point)) + of_metric(field(7, point)) * 5_000
    taken = ExportResult()
    sender = OpenTelemetry(source())
    points = 0
    for piece in read_protobuf(body):
        if piece is not None:
            points += sum(
                len(getattr(metric, str(metric.WhichOneof("data"))).data_points)
                for resource in piece.resource_metrics
                for scope in resource.scope_metrics
                for metric in scope.metrics
            )
            for _ in sender.receive(piece, NOW, taken):
                pass
    assert points == 15_001
    assert max(sizes) < opentelemetry_messages.PIECE_BYTES + 4 * opentelemetry_messages.BESIDE_BYTES
    assert len(sizes) > 8


JSON: dict[str, tuple[Callable[[], str], str]] = {
    "lists": (lambda: '{"a": [' + "[]," * 300_000 + "[]]}", "more than 300000 values"),
    "megabytes": (lambda: '{"a": "' + "x" * (5 << 20) + '"}', "more than 4194304 bytes of JSON"),
    "deep nesting": (lambda: '{"a": ' + "[" * 100_000, "nested too deeply"),
    "a number of a megabyte": (lambda: '{"resourceMetrics": ' + "9" * (1 << 20) + "}", "out of range"),
    "empty resources": (lambda: '{"resourceMetrics": [' + "{}," * 20_000 + "{}]}", ""),
    "empty points": (
        lambda: (
            '{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": ['
            + "{}," * 10_000
            + "{}]}}]}]}]}"
        ),
        "",
    ),
    "a point of attributes": (
        lambda: (
            '{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"attributes": ['
            + "{}," * 10_000
            + "{}]}]}}]}]}]}"
        ),
        "a data point has more",
    ),
    "keys": (lambda: json.dumps(dict.fromkeys(map(str, range(100_000)))), "a request has more"),
}


@pytest.mark.parametrize(("body", "refusal"), JSON.values(), ids=JSON)
def test_a_json_export_is_processed_in_small_steps_or_refused(body: Callable[[], str], refusal: str) -> None:
    steps = otlp(body().encode(), read_json)
    if refusal:
        with pytest.raises(PayloadError, match=refusal):
            busiest(steps)
    else:
        assert busiest(steps) <= MOST_LINES


def test_json_parsed_in_pieces_has_the_same_content() -> None:
    points = [{"asDouble": n, "attributes": [{"key": "n", "value": {"stringValue": str(n)}}]} for n in range(1_000)]
    metrics = [
        {"name": "g", "unit": "s", "gauge": {"dataPoints": points}},
        {"name": "n", "sum": {"isMonotonic": True, "aggregationTemporality": 2, "dataPoints": points[:2]}},
    ]
    document = {"resource_metrics": [{"resource": {}, "scopeMetrics": [{"scope": {"name": "s"}, "metrics": metrics}]}]}
    found: dict[tuple[str, str, str], list[float]] = {}
    pieces = [piece for piece in read_json(json.dumps(document).encode()) if piece is not None]
    for piece in pieces:
        for scope in piece.resource_metrics[0].scope_metrics:
            for metric in scope.metrics:
                data = getattr(metric, str(metric.WhichOneof("data")))
                kept = found.setdefault((scope.scope.name, metric.name, metric.unit), [])
                kept += [point.as_double for point in data.data_points]
                assert metric.name == "g" or data.is_monotonic
    assert found == {("s", "g", "s"): list(range(1_000)), ("s", "n", ""): [0, 1]}
    assert len(pieces) > 5


# --- push ---


def push(body: bytes, *, lines: bool = False) -> Iterator[None]:
    taken = PushDecoder(body, source(), NOW, lines=lines)
    yield from taken.read()
    yield from taken.write()


def metric(labels: int, number: int = 0) -> bytes:
    pairs = {f"k{label}": str(number) for label in range(labels)}
    return json.dumps({"name": f"m{number}", "value": 1, "labels": pairs}).encode()


LIST: dict[str, tuple[Callable[[], bytes], str]] = {
    "a long list": (lambda: b"[" + b",".join(metric(2, n % 100) for n in range(20_000)) + b"]", ""),
    "new series": (lambda: b"[" + b",".join(metric(2, n) for n in range(5_000)) + b"]", ""),
    "many labels": (lambda: b"[" + b",".join(metric(500, n) for n in range(300)) + b"]", ""),
    "empty lists": (lambda: b"[" + b"[]," * (1 << 20) + b"[]]", "metric 1 of the list: Expected `object`"),
    "deep nesting": (lambda: b"[" * (1 << 20), "metric 1 of the list has more than 131072 bytes"),
    "a million labels": (lambda: metric(100_000), "the metric has more than 131072 bytes"),
    "one long string": (lambda: b'["' + b"x" * (1 << 20), "metric 1 of the list has more than 131072 bytes"),
    "backslashes": (lambda: b'["' + b"\\" * (1 << 20), "metric 1 of the list has more than 131072 bytes"),
    "a number of 100,000 digits": (lambda: b'[{"name": "a", "value": ' + b"9" * 100_000 + b"}]", "out of range"),
    "a comma at the end": (lambda: b"[" + metric(2) + b"," + b" " * 131_000 + b"]", "comma"),
    "a mistake far into the body": (
        lambda: b"[" + b",\n".join([*(metric(2, n) for n in range(9_000)), b'{"name": "a", "value": "b"}']) + b"]",
        "metric 9001 of the list: Expected `float | null`, got `str`",
    ),
    "invalid JSON far into the body": (
        lambda: b"[" + b",\n".join([*(metric(2, n) for n in range(9_000)), b"{'a'}"]) + b"]",
        "line 9001: ",
    ),
    "empty lines": (lambda: b'{"name": "a", "value": 1}\n' + b"\n" * (1 << 20) + b"x", "line 1048578: "),
    "one line": (lambda: b'{"name": "a", "value": 1}\n{"' + b"x" * (1 << 20), "line 2 has more than 131072 bytes"),
}


@pytest.mark.parametrize(("body", "refusal"), LIST.values(), ids=LIST)
def test_a_pushed_body_is_processed_in_small_steps_or_refused(body: Callable[[], bytes], refusal: str) -> None:
    if refusal:
        with pytest.raises(PayloadError, match=refusal):
            busiest(push(body()))
    else:
        assert busiest(push(body())) <= MOST_LINES


# --- remote write ---


def labelled(**labels: str) -> bytes:
    return b"".join(field(1, field(1, key.encode()) + field(2, value.encode())) for key, value in labels.items())


SAMPLE = b"\x12\x10\x09" + struct.pack("<d", 1.0) + b"\x10\x80\xe8\x92\xba\xa0\x34"

WRITTEN: dict[str, tuple[Callable[[], bytes], bool, str]] = {
    "empty series": (lambda: b"\x0a\x00" * 60_000, False, "more than 20000 fields"),
    "a series of empty labels": (lambda: field(1, b"\x0a\x00" * 60_000), False, "more than 200 labels"),
    "a series of empty samples": (lambda: field(1, b"\x12\x00" * 60_000), False, "more than 10000 samples"),
    "a sample of kilobytes": (lambda: field(1, field(2, b"\x18\x00" * 50_000)), False, "a sample has"),
    "empty histograms": (lambda: field(1, labelled(__name__="h") + b"\x22\x00" * 3_000), False, "2000 native"),
    "spans": (lambda: field(1, labelled(__name__="h") + field(4, b"\x42\x00" * 60_000)) * 5, False, ""),
    "metadata": (lambda: field(3, b"\x08\x00" * 60_000), False, "metadata has 120000 bytes"),
    "small metadata": (lambda: field(3, b"\x08\x00" * 4_000) * 100, False, ""),
    "new series": (lambda: b"".join(field(1, labelled(__name__=f"m{n}") + SAMPLE) for n in range(5_000)), False, ""),
    "long series": (lambda: field(1, labelled(__name__="a") + SAMPLE * 5_000) * 5, False, ""),
    "symbols": (lambda: b"\x22\x00" * 60_000, True, "more than 20000 symbols"),
    "empty series of version 2": (lambda: b"\x2a\x00" * 10_000, True, ""),
    "references": (lambda: b"\x22\x00" + field(5, field(1, b"\x00" * 100_000)), True, "more than 200 labels"),
    "unknown fields": (lambda: b"\xa2\x01\x00" * 10_000, True, ""),
}


@pytest.mark.parametrize(("body", "version_2", "refusal"), WRITTEN.values(), ids=WRITTEN)
def test_a_remote_write_is_processed_in_small_steps_or_refused(
    body: Callable[[], bytes], version_2: bool, refusal: str
) -> None:
    sender = RemoteWrite(source())
    steps = (sender.receive_v2 if version_2 else sender.receive)(body(), Batch())
    if refusal:
        with pytest.raises(PayloadError, match=refusal):
            busiest(steps)
    else:
        assert busiest(steps) <= MOST_LINES


# --- the text of a scrape target ---

TEXTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "line breaks": (lambda: b"\n" * 500_000, ""),
    "the same line": (lambda: b"a 1\n" * 60_000, "more than once"),
    "values that are not numbers": (lambda: b"a 1\n" + b"a x\n" * 30_000, "not a number"),
    "junk": (lambda: b"a\n" * 5_000, "write a name, labels in braces and a value"),
    "one line": (lambda: b'a{b="' + b"x" * (1 << 20) + b'"} 1\nb 2\n', "more than 65536 bytes"),
    "a thousand labels": (
        lambda: (b"a{" + b",".join(b'k%d="v"' % n for n in range(1_000)) + b"} 1\n") * 50,
        "200 labels",
    ),
    "endless help": (lambda: (b"# HELP a " + b"x" * 60_000 + b"\n") * 20 + b"a 1\n", ""),
    "endless types": (lambda: (b"# TYPE a " + b"x" * 60_000 + b"\n") * 20, "more than 1024 bytes"),
    "an endless exemplar": (lambda: b"a 1 # {" + b"x" * 60_000 + b"} 1\n", ""),
    "an endless timestamp": (lambda: b"a 1 " + b"9" * 60_000 + b"\n", "is not a time"),
    "new series": (lambda: b"".join(b'a{k="%d"} 1\n' % n for n in range(5_000)), ""),
    "histograms without +Inf": (
        lambda: b"".join(
            b'# TYPE h%d histogram\nh%d_bucket{le="1"} 1\nh%d_sum 1\nh%d_count 2\n' % (n, n, n, n) for n in range(2_000)
        ),
        "",
    ),
    "one bucket": (
        lambda: b'# TYPE h histogram\nh_bucket{le="+Inf"} 1\n' + b'h_bucket{le="+Inf"} 1\n' * 30_000,
        "",
    ),
}


@pytest.mark.parametrize(("text", "problem"), TEXTS.values(), ids=TEXTS)
def test_an_exposition_is_read_in_small_steps_and_errors_are_reported(text: Callable[[], bytes], problem: str) -> None:
    of = source()
    reading = Exposition(of)
    assert busiest(reading.receive(text(), NOW)) <= MOST_LINES
    assert problem in reading.problem
    assert bool(problem) == bool(reading.problem)
    assert sum(len(key) for key in of.known if isinstance(key, bytes)) < 1_000_000


def test_lines_beyond_the_limit_are_skipped_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "MAX_LINES", 1_000)
    of = source()
    reading = Exposition(of)
    list(reading.receive(b"first 1\n" + b"\n" * 200_000 + b"last 1\n", NOW))
    assert list(of.known) == [b"first"]
    assert "more than 1000 lines" in reading.problem


HARD: dict[str, bytes] = {
    "spaces before a label": b"a{a" + b" " * 60_000 + b'b="c"} 1',
    "spaces before a value": b"a" + b" " * 60_000 + b"b c d e",
    "spaces after a value": b"a 1 " + b" " * 60_000 + b"b c",
    "quotes": b"a{" + b'"' * 60_001 + b"} 1",
    "backslashes": b'a{b="' + b"\\" * 60_001 + b'"} 1',
    "braces": b"a" + b"{}" * 30_000,
}


@pytest.mark.parametrize("line", HARD.values(), ids=HARD)
def test_no_pattern_backtracks(line: bytes) -> None:
    """A pattern that backtracks would take minutes for these, so that the test would time out."""
    reading = Exposition(source())
    for _ in range(20):
        list(reading.receive(line + b"\n", NOW))
    assert reading.problem


# --- StatsD, and lines of a command ---

PACKETS: dict[str, bytes] = {
    "new series": b"\n".join(b"a%d:1|c" % n for n in range(5_000)),
    "line breaks": b"\n" * 65_536,
    "packed values": (b"a:" + b"1:" * 4_000 + b"1|c\n") * 8,
    "tags": b"".join(b"a:1|c|#" + b"t%d:1," % n * 1_000 + b"\n" for n in range(8)),
    "junk": b"x\n" * 30_000,
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS)
def test_packets_are_processed_in_small_steps(packet: bytes) -> None:
    of = source()
    statsd = StatsD(of)
    assert busiest(statsd.receive(packet)) <= MOST_LINES
    list(statsd.receive(b"last:1|c"))
    assert (b"last", b"c") in of.known


@pytest.mark.parametrize("line", ["a{" + "} 1a" * 15_000 + ",", "a" + ":1x" * 20_000 + ",", "a" + " " * 60_000 + "x"])
def test_a_line_is_read_in_linear_time(line: str) -> None:
    """In quadratic time, each would take some seconds."""
    for _ in range(5):
        with pytest.raises(InputError):
            named_row(line)


# --- memory ---


def test_long_series_names_of_senders_are_not_kept() -> None:
    long = "x" * 1_000
    labels = {f"{letter}{long[:200]}": long for letter in "abcdefgh"}
    pushed, written, exported = source(), source(), source()
    list(PushDecoder(json.dumps({"name": "g", "value": 1, "labels": labels}).encode(), pushed, NOW).read())
    taken = PushDecoder(json.dumps([{"name": "g", "value": 1, "labels": labels}]).encode(), pushed, NOW)
    for steps in (taken.read(), taken.write()):
        list(steps)
    list(RemoteWrite(written).receive(field(1, labelled(__name__="g", **labels) + SAMPLE), Batch()))
    attributes = b"".join(field(7, attribute(key.encode(), value.encode())) for key, value in labels.items())
    for piece in read_protobuf(of_metric(field(5, field(1, attributes + b"\x21" + bytes(8))))):
        assert piece is not None
        list(OpenTelemetry(exported).receive(piece, NOW))
    for each in (pushed, written, exported):
        [(key, column)] = each.known.items()
        assert column >= 0
        assert len(repr(key)) < 4 * MAX_KEY_BYTES


def test_titles_and_units_of_senders_are_bounded() -> None:
    of = source()
    taken = PushDecoder(json.dumps([{"name": "g", "value": 1, "title": "t" * 300}]).encode(), of, NOW)
    for steps in (taken.read(), taken.write()):
        list(steps)
    assert taken.refused == 1
    assert "the title has 300 characters: use 256 at most" in taken.reason
