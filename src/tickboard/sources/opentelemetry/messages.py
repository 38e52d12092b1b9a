"""OTLP's export requests, in protobuf and in JSON, split into pieces that each take a moment to read.

A request is a tree: resources have scopes, these have metrics, and metrics have data points. A small request is read
whole. Of a larger one, each piece has some children of one parent, together with the other fields of all their parents:

    request ─┬─ resource A ─┬─ scope ─┬─ metric ── 50,000 points      A, scope, metric with points 1 to 900
             │              │         │                               A, scope, metric with points 901 to 1,800, …
             │              │         ├─ metric ── 3 points           A, scope with both metrics
             │              │         └─ metric ── 2 points
             ├─ resource B …                                          B and C
             └─ resource C …

The pieces together are the request. Nothing here knows what a metric means.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tickboard.errors import PayloadError
from tickboard.output.text import without_mark
from tickboard.sources.json_mistakes import explain_mistake
from tickboard.sources.prometheus.protobuf import BYTES, fields

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

PIECE_BYTES = 2**17
"""How many bytes the library parses at once: at most 60,000 empty messages, which take it 3 ms."""

MAX_POINT_BYTES = 2**18
"""The most bytes of one data point, which is parsed whole: a histogram with 10,000 buckets has 160,000."""

BESIDE_BYTES = 2**15
"""The most bytes of a large message's own fields, without its children: they are repeated in each of its pieces."""

STEP_FIELDS = 2_000
"""How many fields of a large message are walked over before others may run: about 2 ms."""

MAX_MESSAGES = 500_000
"""The most resources, scopes, metrics and data points of one request that are read one by one. A request of 16 MB has
as many if each has 33 bytes, and no SDK sends a smaller data point."""

MAX_JSON_BYTES = 4 * 2**20
"""The most bytes of a JSON body: its decoder cannot be interrupted, and takes 10 ms for this many."""

MAX_JSON_VALUES = 300_000
"""The most values of a JSON body: each becomes an object while it is read, 30 MB in all."""

PIECE_JSON_COST = 2**15
"""The cost of JSON that the library reads at once, in Python: some 50 data points, which take it 3 ms."""

OBJECT_COST, VALUE_COST = 32, 8
"""The cost of an object and of a value in JSON in addition to their bytes: empty ones take time, too."""


def read_protobuf(data: bytes) -> "Iterator[ExportMetricsServiceRequest | None]":
    """Yield the pieces of a protobuf body, and None where others may run.

    Raises:
        PayloadError: it is malformed (400) or too large (413).
    """
    if len(data) <= PIECE_BYTES:
        yield _parsed(data)
        return
    # Walk over the whole body before yielding any of it, so that a malformed one has no effect.
    pieces: list[bytes] = []
    for piece in _Cut(data).request():
        if piece is None:
            yield None
        else:
            pieces.append(piece)
    for piece in pieces:
        yield _parsed(piece)


def _parsed(data: bytes) -> "ExportMetricsServiceRequest":
    request, decode_error, _ = _library()
    try:
        found: ExportMetricsServiceRequest = request.FromString(data)
    except decode_error as error:
        raise PayloadError(f"the body is not an ExportMetricsServiceRequest: {error}") from error
    return found


_CHILDREN: Sequence[frozenset[int]] = tuple(map(frozenset, ({1}, {2}, {2}, {5, 7, 9, 10, 11}, {1})))
"""The fields with the children of a request, a resource, a scope, a metric and a metric's data."""

_NAMES = ("request", "resource", "scope", "metric", "metric", "data point")


class _Cut:
    """Splits one protobuf body."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._messages = 0

    def request(self) -> Iterator[bytes | None]:
        """Yield the pieces, each of which is a request, and None where others may run."""
        try:
            yield from self._message(0, len(self._data), 0)
        except PayloadError as error:
            raise PayloadError(f"the body is not an ExportMetricsServiceRequest: {error}", error.status) from error

    def _message(self, begin: int, end: int, level: int) -> Iterator[bytes | None]:
        """Yield the pieces of a message that is too large for one."""
        data, children = self._data, _CHILDREN[level]
        beside: list[bytes] = []
        size = 0
        found: list[tuple[int, int, int, int]] = []
        at = begin
        for count, (number, wire, start, stop) in enumerate(fields(data, begin, end), 1):
            if number in children and wire == BYTES:
                found.append((at, number, start, stop))
                self._count()
            else:
                beside.append(data[at:stop])
                size += stop - at
                if size > BESIDE_BYTES:
                    raise _too_large(_NAMES[level], BESIDE_BYTES)
            at = stop
            if not count % STEP_FIELDS:
                yield None
        yield from self._pieces(b"".join(beside), found, level)

    def _pieces(
        self, beside: bytes, children: Sequence[tuple[int, int, int, int]], level: int
    ) -> Iterator[bytes | None]:
        """Yield the children, many small ones at a time and large ones split, each time with their parent's fields."""
        data = self._data
        group: list[bytes] = []
        size = 0
        for count, (at, number, start, stop) in enumerate(children, 1):
            if group and size + stop - at > PIECE_BYTES:
                yield beside + b"".join(group)
                group, size = [], 0
            if stop - at > PIECE_BYTES and level + 1 == len(_CHILDREN):
                if stop - at > MAX_POINT_BYTES:
                    raise _too_large(_NAMES[level + 1], MAX_POINT_BYTES)
                yield beside + data[at:stop]
            elif stop - at > PIECE_BYTES:
                for piece in self._message(start, stop, level + 1):
                    yield piece if piece is None else beside + _field(number, piece)
            else:
                group.append(data[at:stop])
                size += stop - at
            if not count % STEP_FIELDS:
                yield None
        if group or not children:
            yield beside + b"".join(group)

    def _count(self) -> None:
        self._messages += 1
        if self._messages > MAX_MESSAGES:
            raise PayloadError(
                f"it has more than {MAX_MESSAGES} resources, scopes, metrics and data points: send fewer at a time", 413
            )


def _too_large(what: str, size: int) -> PayloadError:
    return PayloadError(
        f"a {what} has more than {size} bytes without its children: send fewer or shorter attributes", 413
    )


def _field(number: int, content: bytes) -> bytes:
    """Return a field with a length-delimited value."""
    size, rest = bytearray(), len(content)
    while rest >= 0x80:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes([number << 3 | BYTES]) + bytes(size) + content


# --- JSON ---


def read_json(data: bytes) -> "Iterator[ExportMetricsServiceRequest | None]":
    """Yield the pieces of a JSON body (OTLP's JSON encoding of protobuf), and None where others may run.

    Raises:
        PayloadError: it is malformed (400) or too large (413).
    """
    pieces: list[ExportMetricsServiceRequest] = []
    data = without_mark(data)
    document = _document(data)
    if _cost(data) <= PIECE_JSON_COST:
        yield _converted(document)
        return
    yield None
    # As with protobuf, yield nothing before all of it could be read.
    for piece in _cut(document, 0):
        pieces.append(_converted(piece))
        yield None
    yield from pieces


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_JSON_BYTES:
        raise PayloadError(
            f"the body has more than {MAX_JSON_BYTES} bytes of JSON: send protobuf, or less at a time", 413
        )
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > MAX_JSON_VALUES:
        raise PayloadError(f"the body has more than {MAX_JSON_VALUES} values in JSON: send fewer at a time", 413)
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise PayloadError(
            f"the body is not an ExportMetricsServiceRequest in JSON: {explain_mistake(error, data)}"
        ) from error


_JSON_CHILDREN = (
    ("resourceMetrics", "resource_metrics"),
    ("scopeMetrics", "scope_metrics"),
    ("metrics",),
    ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram", "summary"),
    ("dataPoints", "data_points"),
)
"""The members that correspond to `_CHILDREN`; those of a metric are objects, the others lists of objects."""


def _cut(message: Any, level: int) -> Iterator[Any]:
    """Yield the pieces of a message that is too large for one."""
    if not isinstance(message, dict):
        # The library reports what is wrong with it.
        yield message
        return
    names = [name for name in _JSON_CHILDREN[level] if name in message]
    beside = {name: value for name, value in message.items() if name not in names}
    if _cost_of(beside) > PIECE_JSON_COST:
        raise _too_large(_NAMES[level], PIECE_JSON_COST)
    if not names:
        yield beside
    for name in names:
        children = message[name]
        if isinstance(children, list):
            for group in _groups(children, level):
                yield beside | {name: group}
        elif level + 1 < len(_JSON_CHILDREN):
            for piece in _cut(children, level + 1):
                yield beside | {name: piece}
        else:
            yield beside | {name: children}


def _groups(children: list[Any], level: int) -> Iterator[list[Any]]:
    """Yield groups of children: many small ones at a time, and large ones split."""
    group: list[Any] = []
    cost = 0
    for child in children:
        own = _cost_of(child)
        if group and cost + own > PIECE_JSON_COST:
            yield group
            group, cost = [], 0
        if own <= PIECE_JSON_COST:
            group.append(child)
            cost += own
        elif level + 1 == len(_JSON_CHILDREN):
            raise _too_large(_NAMES[level + 1], PIECE_JSON_COST)
        else:
            for piece in _cut(child, level + 1):
                yield [piece]
    if group or not children:
        yield group


def _cost_of(value: object) -> int:
    try:
        return _cost(msgspec.json.encode(value))
    except (ValueError, TypeError, OverflowError, RecursionError):
        # Such as a number that JSON allows and the encoder does not.
        return PIECE_JSON_COST + 1


def _cost(text: bytes) -> int:
    return len(text) + OBJECT_COST * text.count(b"{") + VALUE_COST * text.count(b",")


def _converted(document: Any) -> "ExportMetricsServiceRequest":
    request, _, json_format = _library()
    try:
        _drop_exemplars(document)
        found: ExportMetricsServiceRequest = json_format.ParseDict(document, request(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PayloadError(f"the body is not an ExportMetricsServiceRequest in JSON: {error}") from error
    return found


def _drop_exemplars(document: object) -> None:
    """Remove the exemplars: OTLP writes their ids in hexadecimal, where protobuf's JSON expects base64."""
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            found.pop("exemplars", None)
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


@cache
def _library() -> Any:
    # Imported here, since it takes some megabytes that a board without OTLP does not need.
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest, DecodeError, json_format
