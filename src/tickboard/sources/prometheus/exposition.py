"""The text that Prometheus scrapes, in its own format (0.0.4) and in OpenMetrics (1.0), into a source.

A target says the same lines again and again, with other values. What stands before the value is the key of a series: a
line whose key is known costs a cut at its last space and a look into a dict; all values are read at once. Other lines
(types, series that are new, timestamps, exemplars) are read by their grammar:

    # TYPE http_requests_total counter
    http_requests_total{method="post",code="200"} 1027 1395066363000
    └──────────────── key ──────────────────────┘ value  timestamp

Formats: github.com/prometheus/docs, "Exposition formats"; prometheus.io/docs/specs/om/open_metrics_spec.
"""

import math
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tickboard.intake import Source
from tickboard.sources.prometheus.histograms import ClassicHistograms, Part

SLICE = 2_000
"""Lines that are read before others may run."""

SLOW = 100
"""Lines that one costs as much as, which is read by its grammar."""

MAX_KNOWN = 200_000
"""Lines that are known at the same time, beside those of the series themselves."""

_SAYS = re.compile(rb"#\s*(TYPE|UNIT)\s")
_LABELS = r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}'
_LINE = re.compile(rf"([^\s{{}}\"#]+)?\s*(?:{_LABELS})?\s+([^\s#]+)(?:\s+([^\s#]+))?(?:\s+#\s.*)?\s*")
_PAIR = re.compile(r'\s*(?:([^\s="{},]+)|"((?:[^"\\]|\\.)*)")\s*(?:=\s*"((?:[^"\\]|\\.)*)")?\s*(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_METADATA = re.compile(r'#\s*(TYPE|UNIT)\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))\s+(\S+)\s*')

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created", "_gsum", "_gcount", "_info")

Labels = tuple[tuple[str, str], ...]


class _LineError(ValueError):
    """A line is not as it should be; says what is wrong."""


class Exposition:
    """What one target says.

    Args:
        source: where to write.
        labels: added to each series; a label of the target with the same name becomes ``exported_…``.

    Attributes:
        problem: what is wrong with the last text, naming the line; empty when nothing is.
        samples: how many it had.
    """

    def __init__(self, source: Source, labels: Labels = ()) -> None:
        self.problem = ""
        self.samples = 0
        self._source = source
        self._labels = labels
        self._types: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._classic = ClassicHistograms(source)
        self._parts: list[Part] = []
        self._part_values: list[float] = []
        self._part_times: list[float] = []
        self._skipped: set[bytes] = set()
        self._said: set[bytes] = set()
        self._totals: NDArray[np.bool_] = np.zeros(1_024, np.bool_)
        self._before: NDArray[np.intp] = np.empty(0, np.intp)
        self._cost = 0
        self._seconds = False

    def receive(self, text: bytes, now: float, *, openmetrics: bool = False) -> Iterator[None]:
        """Take a text; others may run at each step. A line that cannot be read is counted, and the others are taken.

        Args:
            text: UTF-8.
            now: the time of samples that say none, POSIX seconds.
            openmetrics: whether it is in that format, whose timestamps are in seconds and which has an end.
        """
        self.problem, self.samples = "", 0
        self._seconds = openmetrics
        lines = text.split(b"\n")
        here: list[NDArray[np.intp]] = []
        at = 0
        while at < len(lines):
            at, columns = self._slice(lines, at, now)
            here.append(columns)
            yield
        # All of a histogram is in one text: none is complete before its end.
        self._classic.take(self._parts, self._part_values, self._part_times)
        here.append(np.array(self._classic.columns(self._parts), np.intp))
        for each in (self._parts, self._part_values, self._part_times):
            each.clear()
        if openmetrics and b"# EOF" not in [line.strip() for line in lines[-3:]]:
            self.problem = self.problem or "the answer has no # EOF at its end: it is not whole; what came was used"
        columns = np.unique(np.concatenate(here))
        self._end(columns[columns >= 0])

    def clear(self) -> None:
        """Take all values away: the target says nothing any more."""
        self._end(np.empty(0, np.intp))

    def _end(self, columns: NDArray[np.intp]) -> None:
        """Take the values away of series that were in the text before and aren't now."""
        gone = np.setdiff1d(self._before, columns, assume_unique=True)
        if len(gone):
            # The column of one that has left the board meanwhile may be another's now.
            known = np.fromiter(self._source.known.values(), np.intp, len(self._source.known))
            self._source.clear(gone[np.isin(gone, known)])
        self._before = columns

    def _slice(self, lines: list[bytes], at: int, now: float) -> tuple[int, NDArray[np.intp]]:
        """Read some lines; return where the next one is, and the columns that had a sample."""
        known = self._source.known.get
        parts = self._classic.parts.get
        columns: list[int] = []
        written: list[bytes] = []
        times: dict[int, float] = {}
        self._cost = 0
        end = min(at + SLICE, len(lines))
        while at < end and self._cost < SLICE:
            line = lines[at]
            at += 1
            key, _, value = line.rpartition(b" ")
            column = known(key)
            if column is not None:
                columns.append(column)
                written.append(value)
            elif (part := parts(key)) is not None:
                self._part(part, _number(value), now)
            elif line.startswith(b"#"):
                self._metadata(line)
            elif key not in self._skipped and line and not line.isspace():
                self._cost += SLOW
                try:
                    taken = self._grammar(line, now)
                except _LineError as error:
                    self._malformed(at, line, str(error))
                    continue
                if taken is not None:
                    column, number, time = taken
                    times[len(columns)] = time
                    columns.append(column)
                    written.append(b"%r" % number)
        found = np.array(columns, np.intp)
        self._write(found, written, times, now)
        return at, found

    def _write(self, columns: NDArray[np.intp], written: list[bytes], times: dict[int, float], now: float) -> None:
        if not len(columns):
            return
        try:
            values = np.array(list(map(float, written)))
        except ValueError:
            values = np.array([_number(each) for each in written])
            wrong = int(np.count_nonzero(np.isnan(values))) - sum(each.lower() == b"nan" for each in written)
            self._source.malformed += wrong
        self.samples += len(columns)
        at = np.full(len(columns), now)
        for place, time in times.items():
            at[place] = time
        totals = (columns >= 0) & self._totals[columns]
        if totals.any():
            self._source.set_totals(columns[totals], values[totals], at[totals])
            columns, values, at = columns[~totals], values[~totals], at[~totals]
        self._source.set(columns, values, at)

    def _part(self, part: Part, value: float, time: float) -> None:
        self.samples += 1
        self._parts.append(part)
        self._part_values.append(value)
        self._part_times.append(time)

    def _malformed(self, number: int, line: bytes, why: str) -> None:
        self._source.malformed += 1
        if not self.problem:
            shown = line[:80].decode("utf-8", "replace")
            self.problem = f"line {number}, {shown!r}: {why}; it is left out"

    # --- by the grammar ---

    def _grammar(self, line: bytes, now: float) -> tuple[int, float, float] | None:
        """Read a line; return the column, value and time of its sample, where it has one."""
        try:
            text = line.decode().strip()
        except UnicodeDecodeError:
            raise _LineError("it is not UTF-8") from None
        if text.startswith("#"):
            return None
        found = _LINE.fullmatch(text)
        if found is None:
            raise _LineError("write a name, labels in braces and a value")
        name, inner, written, stamp = found.groups()
        labels: list[tuple[str, str]] = []
        if inner is not None:
            quoted, labels = _pairs(inner)
            name = name or quoted
        if not name:
            raise _LineError("it has no name")
        try:
            value = float(written)
            time = now if stamp is None else float(stamp) / (1 if self._seconds else 1_000)
        except ValueError:
            raise _LineError(f"{written if stamp is None else stamp!r} is not a number") from None
        if not math.isfinite(time):
            raise _LineError(f"{stamp!r} is no time")
        # The same key as the quick way cuts off: what stands before the value.
        key = text[: found.start(3)].rstrip().encode()
        column = self._take(key, name, labels, value, time)
        return None if column is None else (column, value, time)

    def _metadata(self, line: bytes) -> None:
        """Read a comment: what it says of a family's type or unit, if it does."""
        if not _SAYS.match(line) or line in self._said:
            return
        found = _METADATA.fullmatch(line.decode("utf-8", "replace").strip())
        if found:
            if len(self._said) >= MAX_KNOWN:
                self._forget()
            self._said.add(line)
            what, quoted, plain, said = found.groups()
            name = plain if quoted is None else _unescaped(quoted)
            (self._types if what == "TYPE" else self._units)[name] = said

    def _forget(self) -> None:
        """Know nothing but the series: what is said now is soon known again."""
        for known in (self._said, self._types, self._units, self._skipped):
            known.clear()

    def _take(self, key: bytes, name: str, labels: list[tuple[str, str]], value: float, time: float) -> int | None:
        """Return the column of a sample; None where it is none of its own, or a histogram's."""
        column = self._source.known.get(key)
        if column is not None:
            return column
        kind, family = self._kind(name)
        if len(self._skipped) >= MAX_KNOWN:
            self._forget()
        own = dict(self._labels)
        pairs = tuple((f"exported_{label}" if label in own else label, text) for label, text in labels)
        every = (*self._labels, *pairs)
        if kind == "histogram" and self._is_part(key, name, family, every):
            self._part(self._classic.parts[key], value, time)
            return None
        if kind == "info" or (kind in {"counter", "histogram", "summary"} and name.endswith("_created")):
            self._skipped.add(key)
            return None
        is_total = (
            kind == "counter"
            or (kind in {"histogram", "summary"} and name.endswith(("_count", "_sum")))
            or (kind in {"untyped", "unknown"} and name.endswith("_total"))
        )
        add = self._source.total if is_total else self._source.gauge
        column = add(key, name, every, unit=self._units.get(family, ""))
        if column >= len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros(max(column, len(self._totals)), np.bool_)])
        if column >= 0:
            self._totals[column] = is_total
        return column

    def _kind(self, name: str) -> tuple[str, str]:
        """Return the type of the family that a sample belongs to, and the family's name."""
        if (kind := self._types.get(name)) is not None:
            return kind, name
        for suffix in _SUFFIXES:
            family = name.removesuffix(suffix)
            if family != name and (kind := self._types.get(family)) is not None:
                return kind, family
        return "untyped", name

    def _is_part(self, key: bytes, name: str, family: str, labels: Labels) -> bool:
        """Take a series as a bucket or the sum of a histogram, if it is one; it is in `parts` then."""
        if key in self._classic.parts:
            return True
        if name.endswith("_sum"):
            return self._classic.open_sum(key, family, labels)
        bound = _number(dict(labels).get("le", "").encode())
        if not name.endswith("_bucket") or math.isnan(bound):
            return False
        rest = tuple(pair for pair in labels if pair[0] != "le")
        return self._classic.open_bucket(key, family, rest, bound, self._units.get(family, "")) is None


def _pairs(inner: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the name that stands in the braces, where one does, and the labels."""
    name = ""
    labels: list[tuple[str, str]] = []
    at = 0
    while inner[at:].strip():
        found = _PAIR.match(inner, at)
        if found is None:
            raise _LineError(f'labels {{{inner[:60]}}} are not as in {{name="value"}}')
        plain, quoted, value = found.groups()
        word = plain if quoted is None else _unescaped(quoted)
        if value is not None:
            labels.append((word, _unescaped(value)))
        elif quoted is not None and not name:
            name = word
        else:
            raise _LineError(f"label {word!r} has no value")
        at = found.end()
    return name, labels


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text) if "\\" in text else text


def _number(written: bytes) -> float:
    try:
        return float(written)
    except ValueError:
        return math.nan
