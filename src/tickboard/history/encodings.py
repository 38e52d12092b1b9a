"""Encodes answers as JSON, CSV and ``tickboard.history.v1``, and changes as JSON, in steps.

Each function yields the pieces of a document in order; a piece may be empty. A piece takes about a millisecond at most,
so an event loop can encode one in each turn. docs/protocol.md describes the binary format.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import orjson
from msgspec import Struct

from tickboard.client.history_format import ALIGNMENT, BUCKETS, HEADER, MAGIC, SERIES_HEADER, TICKS, TIERS
from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Answer, Buckets, Changed, FoundChanges, Integers
from tickboard.history.asking import STATS
from tickboard.history.time_texts import TIME_BYTES, json_times, time_texts
from tickboard.times import time_text
from tickboard.wire import ChangesAnswer, SeriesChange, SeriesInfo, encode

PIECE_BYTES = 2**16
"""The size of a piece. It may exceed this by one column of one series."""

PIECE_PARTS = 150
"""The most parts of a piece, since short parts take time too. A series has one to seventeen."""

SHORT = 1_000
"""A series of at most this many buckets is one part of JSON, since joining many parts takes time too."""

STEP_ROWS = 500
"""How many rows of CSV are encoded in one step."""

STEP_CHANGES = 200
"""How many changes are encoded in one step."""


def json_pieces(answer: Answer, stats: Collection[str] = STATS) -> Iterator[bytes]:
    """Encode an answer as JSON, a ``HistoryAnswer`` with some of `STATS`."""
    return _joined(_json_parts(answer, stats))


def csv_pieces(answer: Answer, stats: Collection[str] = STATS) -> Iterator[bytes]:
    """Encode an answer as CSV (RFC 4180): a header, then a row for each bucket of each series.

    Labels are a JSON object, or empty if there are none. Where a series has no value, min, max and avg are empty and
    the count is 0. Columns that are not among `stats` are left out.
    """
    return _joined(_csv_parts(answer, [stat for stat in STATS if stat in stats]))


def binary_pieces(answer: Answer, stats: Collection[str] = STATS) -> Iterator[bytes]:
    """Encode an answer as ``tickboard.history.v1``, which always has all of `STATS`."""
    return _joined(_binary_parts(answer))


class _Present(Struct, frozen=True):
    """The buckets of a series from its first value to its last.

    Attributes:
        first: the place of their first time among the answer's times.
    """

    first: int
    min: Floats
    max: Floats
    avg: Floats
    count: Integers

    @classmethod
    def of(cls, series: Buckets) -> "_Present":
        if np.count_nonzero(series.count) == len(series.count):
            return cls(0, series.min, series.max, series.avg, series.count)
        places = np.flatnonzero(series.count)
        first, end = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
        there = slice(first, end)
        return cls(first, series.min[there], series.max[there], series.avg[there], series.count[there])

    @property
    def end(self) -> int:
        """The place after the last time."""
        return self.first + len(self.count)

    @property
    def is_ticks(self) -> bool:
        """Whether each is a bucket of one, whose min, max and avg are the same."""
        return bool((self.count <= 1).all()) and _same(self.avg, self.min) and _same(self.avg, self.max)


def _same(one: Floats, other: Floats) -> bool:
    """Return whether two columns are equal."""
    # Usually their bytes are equal too, and comparing bytes takes a tenth of the time.
    return one.tobytes() == other.tobytes() or np.array_equal(one, other, equal_nan=True)


def _joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join parts to pieces of `PIECE_BYTES` or `PIECE_PARTS`. An empty part ends a piece early."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        if (size := size + len(part)) >= PIECE_BYTES or len(waiting) >= PIECE_PARTS or not part:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


# --- JSON ---


def _json_parts(answer: Answer, stats: Collection[str]) -> Iterator[bytes]:
    start, end = time_text(answer.start_ms), time_text(answer.end_ms)
    yield b'{"from":"%b","to":"%b","resolution_ms":%d,"tier":"%b","series":[' % (
        start.encode(),
        end.encode(),
        answer.resolution_ms,
        answer.tier.encode(),
    )
    times = json_times(answer.times)
    comma = b""
    for series in answer.series:
        parts = _json_of_series(series, times, stats)
        if len(answer.times) <= SHORT:
            yield comma + b"".join(parts)
        else:
            yield comma
            yield from parts
        comma = b","
    yield b"]}"


def _json_of_series(series: Buckets, times: bytes, stats: Collection[str]) -> list[bytes]:
    """Encode a series; `times` are those of the answer."""
    present = _Present.of(series)
    described = encode({"name": series.name, "labels": dict(series.labels), "unit": series.unit})[:-1]
    parts = [described, b',"times":[', times[TIME_BYTES * present.first + 1 : TIME_BYTES * present.end], b"]"]
    # Of ticks, min, max and avg are the same.
    known, text = b"", b"[]"
    for name, values in (("min", present.min), ("max", present.max), ("avg", present.avg)):
        if name in stats:
            if known != (known := values.tobytes()):
                text = _numbers(values)
            parts += (b',"', name.encode(), b'":', text)
    if "count" in stats:
        parts += (b',"count":', _numbers(present.count))
    parts.append(b"}")
    return parts


def _numbers(values: Floats | Integers) -> bytes:
    """Encode numbers as a JSON list, with null for NaN."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)


# --- CSV ---


def _csv_parts(answer: Answer, stats: Sequence[str]) -> Iterator[bytes]:
    yield f"{','.join(('timestamp', 'name', 'labels', 'unit', *stats))}\r\n".encode()
    texts = time_texts(answer.times)
    for series in answer.series:
        present = _Present.of(series)
        labels = encode(dict(series.labels)).decode() if series.labels else ""
        named = ",".join(("", *map(csv_field, (series.name, labels, series.unit)), ""))
        empty = ",".join("0" if stat == "count" else "" for stat in stats)
        times = texts[present.first : present.end]
        for start in range(0, len(times), STEP_ROWS):
            rows = slice(start, start + STEP_ROWS)
            columns = [getattr(present, stat)[rows].tolist() for stat in stats]
            yield "".join(
                f"{time}{named}{','.join(map(repr, values)) if count else empty}\r\n"
                for time, count, *values in zip(times[rows], present.count[rows].tolist(), *columns, strict=True)
            ).encode()


def csv_field(text: str) -> str:
    """Quote a text if it has a comma, a quote or a line end."""
    return '"{}"'.format(text.replace('"', '""')) if any(mark in text for mark in ',"\r\n') else text


# --- binary ---


def _binary_parts(answer: Answer) -> Iterator[bytes]:
    yield HEADER.pack(
        MAGIC,
        TIERS.index(answer.tier),
        0,
        0,
        answer.start_ms,
        answer.end_ms,
        answer.resolution_ms,
        len(answer.series),
        len(answer.times),
    )
    yield answer.times.astype("<f8").tobytes()
    for series in answer.series:
        present = _Present.of(series)
        described = encode(SeriesInfo(series.name, series.unit, dict(series.labels)))
        is_ticks = present.is_ticks
        kind = TICKS if is_ticks else BUCKETS
        yield SERIES_HEADER.pack(present.first, len(present.count), len(described), kind)
        yield _aligned(described)
        columns = (present.avg,) if is_ticks else (present.min, present.max, present.avg, present.count)
        for column in columns:
            yield column.astype("<f8").tobytes()


def _aligned(part: bytes) -> bytes:
    """Pad bytes with zeros to a multiple of `ALIGNMENT`."""
    return part + bytes(-len(part) % ALIGNMENT)


# --- changes ---


def changes_answer(found: FoundChanges) -> ChangesAnswer:
    """Return the wire type of changes."""
    return _answer(found, [_change(one) for one in found.changed])


def change_pieces(found: FoundChanges) -> Iterator[bytes]:
    """Encode changes as JSON, a ``ChangesAnswer``."""
    yield encode(_answer(found, []))[: -len("]}")]
    comma = b""
    for start in range(0, len(found.changed), STEP_CHANGES):
        yield comma + encode([_change(one) for one in found.changed[start : start + STEP_CHANGES]])[1:-1]
        comma = b","
    yield b"]}"


def _answer(found: FoundChanges, changes: list[SeriesChange]) -> ChangesAnswer:
    question = found.question
    return ChangesAnswer(
        time_text(question.start_ms),
        time_text(question.end_ms),
        time_text(question.baseline_start_ms),
        time_text(question.baseline_end_ms),
        found.tier,
        found.compared,
        found.count,
        changes,
    )


def _change(one: Changed) -> SeriesChange:
    is_ratio = one.before and one.after and (one.before > 0) == (one.after > 0)
    factor = one.after / one.before if is_ratio else math.nan
    numbers = (number if math.isfinite(number) else None for number in (one.before, one.after, factor))
    return SeriesChange(one.name, dict(one.labels), one.unit, one.score, *numbers)


PIECES: Final = {"json": json_pieces, "csv": csv_pieces, "binary": binary_pieces}
"""The encoder of an answer, by the name of the format."""
