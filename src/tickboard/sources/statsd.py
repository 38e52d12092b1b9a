"""StatsD and DogStatsD: packets in, batches of samples out.

It reads the lines of `StatsD <https://github.com/statsd/statsd/blob/master/docs/metric_types.md>`_ with the fields that
`DogStatsD <https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/>`_ adds::

    name:value|type|@rate|#tag:value,tag|c:container|T1700000000

It knows no sockets; `tickboard.sources.datagrams` listens.
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
from msgspec import Struct, field

from tickboard.metrics.cleaning import MAX_KEY_BYTES, short
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.source import REFUSED, Source
from tickboard.output.text import without_mark

MAX_LINE_BYTES = 8_192
"""A longer line is malformed; it is as long as the packets that clients send to a Unix socket."""

MAX_SHAPES = 10_000
"""How many different endings of lines, after the value, are cached."""

LEAST_RATE = 1e-9
"""The lowest valid sample rate; the highest is 1."""

SLICE = 2_000
"""How many lines are read in one step before others may run: about 2 ms."""

OTHER_COST, NEW_COST, COST_BYTES = 4, 50, 10
"""The cost, in lines, of an unusual line and of a line of a new series; and how many bytes of an unusual line cost as
much as one more."""

MAX_LINES = 50_000
MAX_KEPT_BYTES = 256
"""How many lines of counters are cached, and up to which length: they are the same again and again."""

MAX_DISTINCT = 1_000_000
"""The most distinct values of all sets between two ticks; further ones are not counted."""

MAX_SPELLINGS = 100_000
"""How many spellings of its series a source may have beyond four for each."""

_COUNTER, _GAUGE, _SET = b"cgs"
_PLUS, _MINUS = b"+-"
_TYPES = frozenset({b"c", b"g", b"ms", b"h", b"d", b"s"})
_NOT_METRICS = (b"_e{", b"_sc|")


class _Shape(Struct, frozen=True):
    """The part of a line after the value.

    Attributes:
        kind: the first byte of the type: ``m``, ``h`` and ``d`` are all histograms.
        key: the type and the tags as written; together with the name, the key of the series.
        weight: how many values this one stands for.
        time: POSIX seconds; None: the line has none.
    """

    kind: int
    key: bytes
    weight: float
    time: float | None


class _Batch(Struct):
    """The samples of one call, by how they are written."""

    counters: list[int] = field(default_factory=list)
    amounts: list[float] = field(default_factory=list)
    gauges: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timed: list[tuple[int, float, float]] = field(default_factory=list)
    observed: dict[int, list[float]] = field(default_factory=dict)
    weighted: dict[int, list[tuple[float, float]]] = field(default_factory=dict)


class StatsD:
    """Reads packets and writes their samples to a source.

    Args:
        source: where to write.
        relative: whether a gauge's value with a sign is added to the gauge, as in StatsD; False: it replaces the gauge,
            as in DogStatsD.
    """

    def __init__(self, source: Source, *, relative: bool = True) -> None:
        self.source = source
        self._relative = relative
        self._shapes: dict[bytes, _Shape | None] = {}
        self._lines: dict[bytes, tuple[tuple[bytes, bytes], float]] = {}
        # By column: its series, the value of its gauge, and the hashes of its set's values in this tick.
        self._owners: dict[int, tuple[str, tuple[tuple[str, str], ...]]] = {}
        self._held: dict[int, float] = {}
        self._sets: dict[int, set[int]] = {}
        self._distinct = self._cost = 0
        self._complaint = ""

    def receive(self, data: bytes) -> Iterator[None]:
        """Read the lines of one or more packets, separated by line breaks; others may run at each step.

        A line that cannot be read is counted in the source's ``malformed``; events and service checks are skipped.
        """
        lines, at = without_mark(data).split(b"\n"), 0
        while (at := self._read(lines, at)) < len(lines):
            yield

    def _read(self, lines_here: list[bytes], at: int) -> int:
        """Read some lines, beginning at `at`; return where the next ones begin."""
        batch = _Batch()
        self._cost = 0
        known = self.source.known.get
        counters, amounts, gauges, values = batch.counters, batch.amounts, batch.gauges, batch.values
        observed, held, relative = batch.observed, self._held, self._relative
        lines = self._lines
        seen = lines.get
        for line in lines_here[at : at + SLICE]:
            at += 1
            if self._cost >= SLICE:
                at -= 1
                break
            if (again := seen(line)) is not None:
                key, value = again
                if (column := known(key)) is not None:
                    counters.append(column)
                    amounts.append(value)
                    continue
            name, _, tail = line.partition(b":")
            text, _, rest = tail.partition(b"|")
            key = (name, rest)
            column = known(key)
            if column is None:
                self._take(line, name, text, rest, batch)
                continue
            try:
                value = float(text)
            except ValueError:
                self._take(line, name, text, rest, batch)
                continue
            # float() accepts what StatsD does not: 1_000, and infinity and NaN, for which value - value is not 0.
            if value - value or b"_" in text:
                self._refuse(line)
                continue
            kind = rest[0]
            if kind == _COUNTER:
                counters.append(column)
                amounts.append(value)
                if len(line) <= MAX_KEPT_BYTES:
                    if len(lines) >= MAX_LINES:
                        lines.clear()
                    lines[line] = key, value
            elif kind == _GAUGE:
                if relative and ((sign := text[0]) == _PLUS or sign == _MINUS):
                    value += held.get(column, 0.0)
                held[column] = value
                gauges.append(column)
                values.append(value)
            elif (several := observed.get(column)) is None:
                observed[column] = [value]
            else:
                several.append(value)
        self._write(batch)
        return at

    def flush(self) -> None:
        """End a tick: write the number of distinct values of each set. An empty set is written as 0, once."""
        if not self._sets:
            return
        columns = list(self._sets)
        self.source.set(columns, [len(values) for values in self._sets.values()])
        self._sets = {column: set() for column, values in self._sets.items() if values}
        self._distinct = 0

    def take_complaint(self) -> str:
        """Return the problem of the first malformed or refused line since the last call, or an empty string."""
        complaint, self._complaint = self._complaint, ""
        refusal = self.source.take_refusal()
        return complaint or ("" if refusal is None else refusal.reason)

    # --- unusual lines ---

    def _take(self, line: bytes, name: bytes, text: bytes, rest: bytes, batch: _Batch) -> None:
        """Read a line of any form, or of a series that is not known yet."""
        if not line or line == b"\r" or line.startswith(_NOT_METRICS):
            return
        self._cost += OTHER_COST + len(line) // COST_BYTES
        shape = self._shape(rest) if len(line) <= MAX_LINE_BYTES and name else None
        if shape is None:
            self._refuse(line)
            return
        if shape.kind == _SET:
            self._include(self._column((short(name), short(shape.key), _SET), name, shape), text)
            return
        texts = text.split(b":")
        values = [_number(one) for one in texts]
        if any(value is None or not isfinite(value * shape.weight) for value in values):
            self._refuse(line)
            return
        column = self._column((short(name), short(shape.key)), name, shape)
        for one, value in zip(texts, values, strict=True):
            assert value is not None
            self._sort(column, value, shape, one.startswith((b"+", b"-")), batch)

    def _sort(self, column: int, value: float, shape: _Shape, signed: bool, batch: _Batch) -> None:
        """Add one value to the batch."""
        if shape.kind == _COUNTER:
            batch.counters.append(column)
            batch.amounts.append(value * shape.weight)
        elif shape.kind == _GAUGE:
            if signed and self._relative:
                value += self._held.get(column, 0.0)
            self._held[column] = value
            if shape.time is None:
                batch.gauges.append(column)
                batch.values.append(value)
            else:
                batch.timed.append((column, value, shape.time))
        elif shape.weight == 1:
            batch.observed.setdefault(column, []).append(value)
        else:
            batch.weighted.setdefault(column, []).append((value, shape.weight))

    def _include(self, column: int, text: bytes) -> None:
        """Add a value to a set."""
        values = self._sets.setdefault(column, set())
        # Hashes have 64 bits: among a million values, two equal hashes have a chance of about 1 in 10^7.
        if self._distinct < MAX_DISTINCT and (mark := hash(text)) not in values:
            values.add(mark)
            self._distinct += 1

    def _write(self, batch: _Batch) -> None:
        source = self.source
        if batch.counters:
            source.add(batch.counters, batch.amounts)
        if batch.gauges:
            source.set(batch.gauges, batch.values)
        if batch.timed:
            columns, values, times = zip(*batch.timed, strict=True)
            source.set(columns, values, times)
        for column, seen in batch.observed.items():
            source.observe(column, seen)
        for column, pairs in batch.weighted.items():
            points, weights = np.array(pairs).T
            total = sum(value * weight for value, weight in pairs)
            source.merge(column, Distribution(points, points, weights, total))

    def _refuse(self, line: bytes) -> None:
        self.source.malformed += 1
        if not self._complaint:
            shown = line[:80].decode("utf-8", "replace")
            self._complaint = f"{shown!r} is not a line of StatsD: send name:value|type, the value a finite number"

    # --- cached ---

    def _column(self, key: tuple[bytes, bytes] | tuple[bytes, bytes, int], name: bytes, shape: _Shape) -> int:
        """Return the column of a series; it is made on first use."""
        source = self.source
        column = source.known.get(key)
        if column is not None:
            return column
        self._cost += NEW_COST
        if len(source.known) >= 4 * source.series + MAX_SPELLINGS:
            return source.refuse(
                key, f"{source.name}: its tags arrive in too many different orders: always use the same one"
            )
        called, labels = name.decode("utf-8", "replace"), _labels(shape.key)
        if shape.kind == _COUNTER:
            column = source.counter(key, called, labels)
        elif shape.kind in {_GAUGE, _SET}:
            column = source.gauge(key, called, labels)
        else:
            column = source.histogram(key, called, labels, unit="ms" if shape.key.startswith(b"m") else "")
        if column > REFUSED and self._owners.get(column) != (owner := (called, labels)):
            self._owners[column] = owner
            self._held.pop(column, None)
            self._sets.pop(column, None)
        return column

    def _shape(self, rest: bytes) -> _Shape | None:
        """Return the part of a line after the value; None if it cannot be read."""
        if len(rest) > MAX_KEY_BYTES:
            return _read_shape(rest)
        try:
            return self._shapes[rest]
        except KeyError:
            if len(self._shapes) >= MAX_SHAPES:
                self._shapes.clear()
            shape = self._shapes[rest] = _read_shape(rest)
            return shape


def _read_shape(rest: bytes) -> _Shape | None:
    name, *fields = rest.rstrip(b"\r").split(b"|")
    weight, time, tags = 1.0, None, b""
    for one in fields:
        if one.startswith(b"@"):
            rate = _number(one[1:])
            if rate is None or not LEAST_RATE <= rate <= 1:
                return None
            weight = 1 / rate
        elif one.startswith(b"#"):
            tags = one
        elif one.startswith(b"T"):
            if not one[1:].isdigit() or len(one) > 12:
                return None
            time = float(one[1:])
        # Other fields say where a line comes from, or belong to a later version.
    if name not in _TYPES:
        return None
    return _Shape(name[0], name + b"|" + tags if tags else name, weight, time)


def _labels(key: bytes) -> tuple[tuple[str, str], ...]:
    """Return the labels of a type with tags, sorted.

    A tag without a value gets ``true``; of two tags with the same name, the last one counts.
    """
    tags = key.partition(b"|#")[2].decode("utf-8", "replace")
    pairs = (tag.partition(":") for tag in tags.split(",") if tag)
    return tuple(sorted({name: value if colon else "true" for name, colon, value in pairs}.items()))


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value - value or b"_" in text else value
