"""Pushed metrics: JSON in, batches of samples out.

A body is one Metric, a list of them, or one on each line (NDJSON), in the format in which the board itself sends them,
optionally with a kind and a title. A body is read completely before any of it is written, so that a malformed body has
no effect.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

import msgspec

from tickboard.errors import PayloadError
from tickboard.metrics.cleaning import MAX_NAME, short
from tickboard.metrics.source import Source
from tickboard.output.text import without_mark
from tickboard.sources.json_list import PIECE_BYTES, cut
from tickboard.sources.json_mistakes import explain_mistake
from tickboard.wire import MetricKind

CHUNK_SAMPLES = 2_000
"""How many samples are processed in one step before others may run: about 2 ms."""

NEW_COST, LABEL_BYTES = 40, 10
"""The cost of a sample of a new series, in samples; and the bytes of its labels that cost one more."""

CHUNK_BYTES = PIECE_BYTES
"""How many bytes of lines are read in one step before others may run; no line may be longer."""

MAX_SPELLINGS = 100_000
"""How many spellings of its series a source may have beyond four for each."""

_MILLISECONDS_FROM, _TIME_UNTIL = 1e11, 1e14
"""Numbers in this range count as milliseconds: as seconds, they would be after the year 5000."""

_FIX = 'send {"name": "queue", "value": 3}'
_PATH = re.compile(r"\$\[(\d+)\]")
_BYTE = re.compile(r"\(byte (\d+)\)")

Key = tuple[str, bytes, MetricKind]


class _Sample(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A PushedMetric whose labels are decoded only if its series is new."""

    name: str
    value: float | None
    unit: str = ""
    timestamp: str | float | None = None
    labels: msgspec.Raw = msgspec.Raw()
    kind: MetricKind = "gauge"
    title: str = ""


_one_or_list = msgspec.json.Decoder(list[_Sample] | _Sample)
_list = msgspec.json.Decoder(list[_Sample])
_line = msgspec.json.Decoder(_Sample)
_labels = msgspec.json.Decoder(dict[str, str])


class PushDecoder:
    """Reads one body and writes its samples: call `read`, then `write`; both yield where others may run.

    Args:
        body: JSON.
        source: where to write.
        now: the time of samples without a timestamp, POSIX seconds.
        lines: whether it is NDJSON; if False, that is detected from the body.

    Attributes:
        accepted: how many samples were accepted.
        refused: how many samples were of series that the board refuses.
        reason: why the first of them was refused.
    """

    def __init__(self, body: bytes, source: Source, now: float, *, lines: bool = False) -> None:
        self.accepted = 0
        self.refused = 0
        self.reason = ""
        self._body = body = without_mark(body)
        self._source = source
        self._now = now
        self._lines = lines or _is_lines(body)
        self._samples: list[_Sample] = []
        self._keys: list[Key] = []
        self._checked: set[Key] = set()
        # For lines: the number of samples before each part, and the part's start.
        self._begun: list[tuple[int, int]] = []
        self._time_of: dict[str | float | None, float] = {None: now}

    # --- reading ---

    def read(self) -> Iterator[None]:
        """Read the whole body.

        Raises:
            PayloadError: part of it is malformed (400) or cannot be used (422); it says where, counted from 1.
        """
        place = 0
        for part in self._parts():
            for start in range(0, len(part), CHUNK_SAMPLES):
                chunk = part[start : start + CHUNK_SAMPLES]
                self._check(place, chunk)
                place += len(chunk)
                yield
            self._samples += part

    def _parts(self) -> Iterator[list[_Sample]]:
        """Decode the body part by part."""
        body = self._body
        if self._lines:
            yield from self._parts_of_lines()
        elif body.lstrip().startswith(b"["):
            yield from self._parts_of_list()
        elif len(body) > PIECE_BYTES:
            raise _too_long("the metric")
        else:
            try:
                found = _one_or_list.decode(body)
            except (ValueError, RecursionError) as error:
                raise self._bad(error, body, 0, 0) from None
            yield found if isinstance(found, list) else [found]

    def _parts_of_lines(self) -> Iterator[list[_Sample]]:
        body, start = self._body, 0
        while start < len(body):
            end = len(body) if start + CHUNK_BYTES >= len(body) else body.find(b"\n", start + CHUNK_BYTES) + 1
            part = body[start : end or len(body)]
            if len(part) > 2 * CHUNK_BYTES:
                raise _too_long(f"line {self._line_at(start + CHUNK_BYTES)}")
            self._begin_part(start)
            try:
                samples = _line.decode_lines(part)
            except (ValueError, RecursionError):
                raise self._bad_line(start, part) from None
            yield samples
            start += len(part)

    def _parts_of_list(self) -> Iterator[list[_Sample]]:
        place = 0
        for start, stop in cut(self._body):
            if stop - start > PIECE_BYTES + 1:
                raise _too_long(f"metric {place + 1} of the list")
            is_last = stop == len(self._body)
            text = b"[" + self._body[start:stop] + (b"" if is_last else b"]")
            try:
                samples = _list.decode(text)
            except (ValueError, RecursionError) as error:
                raise self._bad(error, text, place, start - 1) from None
            if place and not samples:
                raise PayloadError(f"line {self._line_at(start)}: the list ends with a comma: remove it; {_FIX}")
            yield samples
            place += len(samples)

    def _bad(self, error: Exception, text: bytes, place: int, start: int) -> PayloadError:
        """Return the error for a bad piece of JSON, with positions in the whole body.

        Args:
            error: the decoder's exception.
            text: the piece.
            place: how many metrics of a list come before it.
            start: the byte at which it begins.
        """
        message = explain_mistake(error, text)
        if inside := _PATH.search(message):
            message = f"metric {place + int(inside[1]) + 1} of the list: {message.replace(inside[0], '$')}"
        elif byte := _BYTE.search(message):
            at = start + int(byte[1])
            message = f"line {self._line_at(at)}: {message.replace(byte[0], f'(byte {at})')}"
        return PayloadError(f"{message}; {_FIX}, or a list of these")

    def _line_at(self, at: int) -> int:
        """Return the number of the line that contains a byte."""
        return self._body.count(b"\n", 0, at) + 1

    def _bad_line(self, start: int, part: bytes) -> PayloadError:
        """Return the error for the first bad line of a part that begins at `start`."""
        # By bisection: a part may have a hundred thousand lines.
        while middle := part.find(b"\n", len(part) // 2, -1) + 1 or part.rfind(b"\n", 0, len(part) // 2) + 1:
            try:
                _line.decode_lines(part[:middle])
            except (ValueError, RecursionError):
                part = part[:middle]
            else:
                start, part = start + middle, part[middle:]
        number, part = self._line_at(start), part.removesuffix(b"\n")
        try:
            _line.decode_lines(part)
        except (ValueError, RecursionError) as error:
            text = _PATH.sub("$", explain_mistake(error, part))
            return PayloadError(f"line {number}: {text}; {_FIX} on each line")
        raise AssertionError("a line was bad a moment ago")

    def _begin_part(self, start: int) -> None:
        """Record where a part of the lines begins, and how many samples come before it."""
        self._begun.append((len(self._samples), start))

    def _check(self, first: int, chunk: list[_Sample]) -> None:
        """Check samples, the first of which is number `first`, and record their keys and times."""
        known, checked, time_of, keys = self._source.known, self._checked, self._time_of, self._keys
        for place, sample in enumerate(chunk, first):
            kind, value, time = sample.kind, sample.value, sample.timestamp
            if time not in time_of:
                time_of[time] = self._read_time(place, time)
            if kind != "gauge" and (value is None or (value < 0 and kind == "counter")):
                raise self._unusable(place, f"a {kind}'s value is {_text(value)}: {_VALUES[kind]}")
            # Names that are too long share a key: all are refused.
            key = (sample.name[: MAX_NAME + 1], short(bytes(sample.labels)), kind)
            keys.append(key)
            if key not in known and key not in checked:
                self._check_labels(place, sample)
                checked.add(key)

    def _check_labels(self, place: int, sample: _Sample) -> None:
        try:
            _read_labels(sample)
        except (ValueError, RecursionError) as error:
            raise self._unusable(place, f'labels: {error}; send {{"host": "a"}}', 400) from None

    def _read_time(self, place: int, time: str | float | None) -> float:
        if isinstance(time, str):
            try:
                return msgspec.convert(time, _Instant).timestamp()
            except (ValueError, OverflowError):
                pass
        elif time is not None and 0 <= time < _TIME_UNTIL:
            return time / 1000 if time >= _MILLISECONDS_FROM else time
        raise self._unusable(place, f"timestamp {time!r}: send 2026-01-31T12:00:00Z, or POSIX seconds or milliseconds")

    def _unusable(self, place: int, text: str, status: int = 422) -> PayloadError:
        if not self._lines:
            return PayloadError(f"metric {place + 1}: {text}", status)
        before, start = max(one for one in self._begun if one[0] <= place)
        lines = enumerate(self._body[start : start + 2 * CHUNK_BYTES].split(b"\n"), self._line_at(start))
        written = (number for number, line in lines if line.strip())
        return PayloadError(f"line {next(islice(written, place - before, None), place + 1)}: {text}", status)

    # --- writing ---

    def write(self) -> Iterator[None]:
        """Write the samples to the source."""
        at = 0
        while at < len(self._samples):
            at = self._write(at)
            if refusal := self._source.take_refusal():
                self.refused += refusal.samples
                self.reason = self.reason or refusal.reason
            self.accepted = at - self.refused
            yield

    def _write(self, at: int) -> int:
        """Write some samples, beginning at `at`; return where the next ones begin."""
        source, known, time_of = self._source, self._source.known.get, self._time_of
        gauges: list[int] = []
        values: list[float] = []
        times: list[float] = []
        counters: list[int] = []
        amounts: list[float] = []
        observed: dict[int, list[float]] = {}
        end = min(len(self._samples), at + CHUNK_SAMPLES)
        cost = 0
        for sample, key in zip(self._samples[at:end], self._keys[at:end], strict=True):
            at += 1
            kind, value = sample.kind, sample.value
            column = known(key)
            if column is None:
                column = self._open(key, sample)
                cost += NEW_COST + len(bytes(sample.labels)) // LABEL_BYTES
            if kind == "gauge":
                gauges.append(column)
                values.append(math.nan if value is None else value)
                times.append(time_of[sample.timestamp])
            elif kind == "counter":
                counters.append(column)
                amounts.append(value or 0.0)
            else:
                observed.setdefault(column, []).append(value or 0.0)
            if cost > CHUNK_SAMPLES:
                break
        if gauges:
            source.set(gauges, values, times if len(time_of) > 1 else None)
        if counters:
            source.add(counters, amounts)
        for column, seen in observed.items():
            source.observe(column, seen)
        return at

    def _open(self, key: Key, sample: _Sample) -> int:
        """Return the column of a new series."""
        source = self._source
        if len(source.known) >= 4 * source.series + MAX_SPELLINGS:
            return source.refuse(
                key, f"{source.name}: its labels arrive in too many different orders: always use the same one"
            )
        opened = {"gauge": source.gauge, "counter": source.counter, "histogram": source.histogram}[sample.kind]
        return opened(key, sample.name, _read_labels(sample), title=sample.title, unit=sample.unit)


_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_VALUES = {"counter": "send the increase, 0 or more", "histogram": "send a number"}


def _too_long(what: str) -> PayloadError:
    return PayloadError(
        f"{what} has more than {PIECE_BYTES} bytes, or is not JSON: send fewer labels, and shorter ones", 413
    )


def _read_labels(sample: _Sample) -> list[tuple[str, str]]:
    return list(_labels.decode(sample.labels).items()) if len(bytes(sample.labels)) else []


def _text(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"


def _is_lines(body: bytes) -> bool:
    """Return whether the body is more than one object, the first of them on a line of its own."""
    stripped = body.strip()
    first, _, more = stripped.partition(b"\n")
    return bool(more) and stripped.startswith(b"{") and first.rstrip().endswith(b"}")
