"""Pushed metrics: JSON in, batches of samples out.

A body is one Metric, a list of them, or one on each line (NDJSON), in the shape in which the board itself sends them,
with a kind and a title where wanted. It is read to its end before anything of it is written: what is malformed leaves
no trace.
"""

import math
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

import msgspec

from tickboard.errors import PayloadError
from tickboard.intake import Source
from tickboard.types import MetricKind

CHUNK_SAMPLES = 2_000
"""So many samples are dealt with before others have their turn: about 2 ms."""

CHUNK_BYTES = 2**18
"""So many bytes of lines are read before others have their turn."""

MAX_SPELLINGS = 100_000
"""How many more ways to write its series a source may have than four for each of them."""

_MILLISECONDS_FROM, _TIME_UNTIL = 1e11, 1e14
"""A number from here on, up to there, is in milliseconds: as seconds it would be past the year 5000."""

_MEND = 'send {"name": "queue", "value": 3}'
_PATH = re.compile(r"\$\[(\d+)\]")
_BYTE = re.compile(r"\(byte (\d+)\)")

Key = tuple[str, bytes, MetricKind]


class _Sample(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A PushedMetric whose labels are read only when its series is new."""

    name: str
    value: float | None
    unit: str = ""
    timestamp: str | float | None = None
    labels: msgspec.Raw = msgspec.Raw()
    kind: MetricKind = "gauge"
    title: str = ""


_one_or_list = msgspec.json.Decoder(list[_Sample] | _Sample)
_line = msgspec.json.Decoder(_Sample)
_labels = msgspec.json.Decoder(dict[str, str])


class Push:
    """One body on its way: first `read` it, then `write` it; both yield now and then, for others to have their turn.

    Args:
        body: JSON.
        source: where to.
        now: the time of samples that have none, POSIX seconds.
        lines: it is NDJSON; it is found out from the body when False.

    Attributes:
        accepted: how many samples were taken.
        refused: how many were of series that the board refuses.
        reason: why the first of them was.
    """

    def __init__(self, body: bytes, source: Source, now: float, *, lines: bool = False) -> None:
        self.accepted = 0
        self.refused = 0
        self.reason = ""
        self._body = body
        self._source = source
        self._now = now
        self._lines = lines or _is_lines(body)
        self._samples: list[_Sample] = []
        self._keys: list[Key] = []
        self._checked: set[Key] = set()
        self._time_of: dict[str | float | None, float] = {None: now}

    # --- reading ---

    def read(self) -> Iterator[None]:
        """Read all of the body.

        Raises:
            PayloadError: some of it is malformed (400), or cannot be used (422); it says where, counted from 1.
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
        """Decode part by part."""
        if not self._lines:
            yield self._decoded()
            return
        body, start = self._body, 0
        while start < len(body):
            end = len(body) if start + CHUNK_BYTES >= len(body) else body.find(b"\n", start + CHUNK_BYTES) + 1
            part = body[start : end or len(body)]
            try:
                samples = _line.decode_lines(part)
            except (ValueError, RecursionError):
                raise self._bad_line(start) from None
            yield samples
            start += len(part)

    def _decoded(self) -> list[_Sample]:
        try:
            found = _one_or_list.decode(self._body)
        except (ValueError, RecursionError) as error:
            text = str(error)
            if inside := _PATH.search(text):
                text = f"metric {int(inside[1]) + 1} of the list: {text.replace(inside[0], '$')}"
            elif byte := _BYTE.search(text):
                lines_before = self._body.count(b"\n", 0, int(byte[1]))
                text = f"line {lines_before + 1}: {text}"
            raise PayloadError(f"{text}; {_MEND}, or a list of such") from None
        return found if isinstance(found, list) else [found]

    def _bad_line(self, start: int) -> PayloadError:
        """Return what is wrong with the first bad line of the part that begins at `start`."""
        before = self._body.count(b"\n", 0, start)
        for number, line in enumerate(self._body[start:].split(b"\n"), before + 1):
            try:
                _line.decode_lines(line)
            except (ValueError, RecursionError) as error:
                text = _PATH.sub("$", str(error))
                return PayloadError(f"line {number}: {text}; {_MEND} on each line")
        raise AssertionError("a line was bad a moment ago")

    def _check(self, first: int, chunk: list[_Sample]) -> None:
        """See that samples can be used, of which `first` is the place of the first, and note their keys and times."""
        known, checked, time_of, keys = self._source.known, self._checked, self._time_of, self._keys
        for place, sample in enumerate(chunk, first):
            kind, value, time = sample.kind, sample.value, sample.timestamp
            if time not in time_of:
                time_of[time] = self._read_time(place, time)
            if kind != "gauge" and (value is None or (value < 0 and kind == "counter")):
                raise self._unusable(place, f"a {kind}'s value is {_text(value)}: {_VALUES[kind]}")
            key = (sample.name, bytes(sample.labels), kind)
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
        written = (number for number, line in enumerate(self._body.split(b"\n"), 1) if line.strip())
        return PayloadError(f"line {next(islice(written, place, None), place + 1)}: {text}", status)

    # --- writing ---

    def write(self) -> Iterator[None]:
        """Write what was read to the source."""
        for start in range(0, len(self._samples), CHUNK_SAMPLES):
            chunk = self._samples[start : start + CHUNK_SAMPLES]
            self._write(chunk, self._keys[start : start + CHUNK_SAMPLES])
            if refusal := self._source.take_refusal():
                self.refused += refusal.samples
                self.reason = self.reason or refusal.reason
            self.accepted = start + len(chunk) - self.refused
            yield

    def _write(self, chunk: list[_Sample], keys: list[Key]) -> None:
        source, known, time_of = self._source, self._source.known.get, self._time_of
        gauges: list[int] = []
        values: list[float] = []
        times: list[float] = []
        counters: list[int] = []
        amounts: list[float] = []
        observed: dict[int, list[float]] = {}
        for sample, key in zip(chunk, keys, strict=True):
            kind, value = sample.kind, sample.value
            column = known(key)
            if column is None:
                column = self._open(key, sample)
            if kind == "gauge":
                gauges.append(column)
                values.append(math.nan if value is None else value)
                times.append(time_of[sample.timestamp])
            elif kind == "counter":
                counters.append(column)
                amounts.append(value or 0.0)
            else:
                observed.setdefault(column, []).append(value or 0.0)
        if gauges:
            source.set(gauges, values, times if len(time_of) > 1 else None)
        if counters:
            source.add(counters, amounts)
        for column, seen in observed.items():
            source.observe(column, seen)

    def _open(self, key: Key, sample: _Sample) -> int:
        """Return the column of a series that is new."""
        source = self._source
        if len(source.known) >= 4 * source.series + MAX_SPELLINGS:
            return source.refuse(key, f"{source.name}: its labels are written in too many ways: send one order of them")
        opened = {"gauge": source.gauge, "counter": source.counter, "histogram": source.histogram}[sample.kind]
        return opened(key, sample.name, _read_labels(sample), title=sample.title, unit=sample.unit)


_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_VALUES = {"counter": "send how much more there is, 0 or more", "histogram": "send a number"}


def _read_labels(sample: _Sample) -> list[tuple[str, str]]:
    return list(_labels.decode(sample.labels).items()) if len(bytes(sample.labels)) else []


def _text(value: float | None) -> str:
    return "null" if value is None else f"{value:g}"


def _is_lines(body: bytes) -> bool:
    """Return whether it is more than one object, the first of them on a line of its own."""
    stripped = body.strip()
    first, _, more = stripped.partition(b"\n")
    return bool(more) and stripped.startswith(b"{") and first.rstrip().endswith(b"}")
