"""Reads the text that Prometheus scrapes, in its own format (0.0.4) and in OpenMetrics (1.0).

A target sends the same lines again and again, with new values. The text before the value is the key of a series. A line
with a known key costs a split at its last space and a dict look-up; all values are parsed at once. Other lines (types,
new series, timestamps, exemplars) are parsed by their grammar:

    # TYPE http_requests_total counter
    http_requests_total{method="post",code="200"} 1027 1395066363000
    └──────────────── key ──────────────────────┘ value  timestamp

Formats: github.com/prometheus/docs, "Exposition formats"; prometheus.io/docs/specs/om/open_metrics_spec.
"""

import math
import re
from collections.abc import Generator, Iterator

import numpy as np
from numpy.typing import NDArray

from tickboard.metrics.cleaning import MAX_KEY_BYTES, short
from tickboard.metrics.source import REFUSED, Source
from tickboard.output.text import without_mark
from tickboard.sources.prometheus.classic_histograms import ClassicHistograms, Part

SLICE = 2_000
"""How many lines are read before others may run."""

SLOW, SLOW_BYTES = 100, 40
"""The cost, in lines, of a line that is parsed by its grammar; and how many bytes of it cost as much as one more."""

PIECE_BYTES = 2**16
"""How many bytes of text are split into lines at once; a longer line is malformed."""

MAX_LINES = 1_000_000
"""The most lines of one text; further ones are not read."""

MAX_LINE_LABELS = 200
"""The most labels of one line; a series with more than 64 is refused."""

MAX_KNOWN = 200_000
"""The most lines that are remembered, besides those of the series themselves."""

_DECLARATION = re.compile(rb"#\s*(TYPE|UNIT)\s")
_LABELS = r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}'
_LINE = re.compile(rf"([^\s{{}}\"#]+)?(?:\s*{_LABELS}\s*|\s+)([^\s#]+)(?:\s+([^\s#]+))?(?:\s+#\s.*)?\s*")
# All parts are possessive and do not backtrack, so that no text is tried in more than one way.
_PAIR = re.compile(
    r'\s*+(?:([^\s="{},]++)|"((?:[^"\\]|\\.)*+)")\s*+(?:=\s*+"((?:[^"\\]|\\.)*+)"\s*+)?(?:,\s*+|$)', re.DOTALL
)
_ESCAPED = re.compile(r'\\([\\"n])')
_METADATA = re.compile(r'#\s*(TYPE|UNIT)\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))\s+(\S+)\s*')

_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created", "_gsum", "_gcount", "_info")
_TYPES = frozenset(
    {"counter", "gauge", "histogram", "gaugehistogram", "summary", "untyped", "unknown", "info", "stateset"}
)

_HISTOGRAMS = frozenset({"histogram", "gaugehistogram"})

Labels = tuple[tuple[str, str], ...]


class _LineError(ValueError):
    """A line is malformed; the text says why."""


class Exposition:
    """Reads the texts of one target.

    Args:
        source: where to write.
        labels: added to each series; a label of the target with the same name becomes ``exported_…``.

    Attributes:
        problem: the first problem of the last text, naming the line; empty if there is none.
        samples: how many samples the last text had.
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
        self._declared: set[bytes] = set()
        self._stamped: set[int] = set()
        self._totals: NDArray[np.bool_] = np.zeros(1_024, np.bool_)
        self._before: NDArray[np.intp] = np.empty(0, np.intp)
        self._cost = 0
        self._seconds = False

    def receive(self, text: bytes, now: float, *, openmetrics: bool = False) -> Iterator[None]:
        """Read a text; others may run at each step. A line that cannot be read is counted, and the others are used.

        Args:
            text: UTF-8.
            now: the time of samples without a timestamp, POSIX seconds.
            openmetrics: whether it is OpenMetrics, whose timestamps are in seconds and which has an end marker.
        """
        self.problem, self.samples = "", 0
        self._seconds = openmetrics
        here: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = [(np.empty(0, np.intp), np.empty(0))]
        for first, lines in self._pieces(without_mark(text)):
            at = 0
            while at < len(lines):
                at, found = self._slice(lines, at, first, now)
                here.append(found)
                yield
        columns = np.concatenate([some for some, _ in here])
        values = np.concatenate([some for _, some in here])
        if openmetrics and b"# EOF" not in [line.strip() for line in text[-100:].split(b"\n")[-3:]]:
            self._remark("the answer has no # EOF at its end: it is incomplete; the received part was used")
        histograms = yield from self._end_histograms(columns, values)
        counts = np.bincount(columns[columns >= 0])
        single = np.flatnonzero(counts)
        if len(single) < len(columns) and (twice := set(np.flatnonzero(counts > 1).tolist()) - self._stamped):
            self._remark(f"series {self._shown(min(twice))} occurs more than once: the last line was used")
        self._stamped.clear()
        self._end(np.union1d(single, histograms) if len(histograms) else single)

    def _pieces(self, text: bytes) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the lines of a text, some at a time, each time with the number of lines before them."""
        at = first = 0
        while at <= len(text):
            end = text.rfind(b"\n", at, at + PIECE_BYTES) if at + PIECE_BYTES < len(text) else len(text)
            if end < 0:
                # One line that is too long: continue after it.
                end = text.find(b"\n", at + PIECE_BYTES)
                end = len(text) if end < 0 else end
                self._malformed(first + 1, text[at : at + 80], f"it has more than {PIECE_BYTES} bytes")
                lines = [b""]
            else:
                lines = text[at:end].split(b"\n")
            yield first, lines
            first += len(lines)
            at = end + 1
            if first > MAX_LINES and at < len(text):
                self._remark(f"the answer has more than {MAX_LINES} lines: the rest was left out")
                return

    def _end_histograms(
        self, columns: NDArray[np.intp], values: NDArray[np.float64]
    ) -> Generator[None, None, NDArray[np.intp]]:
        """Finish the histograms of a text, which are complete at its end or never; return their columns."""
        classic = self._classic
        for start in range(0, len(self._parts), SLICE):
            some = slice(start, start + SLICE)
            classic.take(self._parts[some], self._part_values[some], self._part_times[some])
            yield
        found = yield from classic.settle(self._parts, self._part_times, columns, values)
        for each in (self._parts, self._part_values, self._part_times):
            each.clear()
        problem, _ = classic.take_problem()
        self._remark(problem)
        return np.array([column for column in found if column >= 0], np.intp)

    def _remark(self, problem: str) -> None:
        """Keep the first problem of a text."""
        self.problem = self.problem or problem

    def _shown(self, column: int) -> str:
        """Return the target's key for a series, for an error message."""
        key = next((key for key, known in self._source.known.items() if known == column), b"")
        return repr(key.decode("utf-8", "replace")[:80] if isinstance(key, bytes) else str(key))

    def clear(self) -> None:
        """Clear all values: the target no longer answers."""
        self._end(np.empty(0, np.intp))

    def _end(self, columns: NDArray[np.intp]) -> None:
        """Clear the values of series that were in the text before and are not in this one."""
        gone = np.setdiff1d(self._before, columns, assume_unique=True)
        if len(gone):
            # If a series has left the board meanwhile, another may have its column now.
            known = np.fromiter(self._source.known.values(), np.intp, len(self._source.known))
            self._source.clear(gone[np.isin(gone, known)])
        if inherited := self._source.inherited:
            self._source.clear(np.setdiff1d(np.fromiter(inherited, np.intp, len(inherited)), columns))
            inherited.clear()
        self._before = columns

    def _slice(
        self, lines: list[bytes], at: int, first: int, now: float
    ) -> tuple[int, tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Read some lines; return where the next one is, and the columns and values of the samples.

        Args:
            lines: the lines of a piece of the text.
            at: where to begin.
            first: how many lines come before the piece.
            now: the time of samples without a timestamp.
        """
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
            if len(key) > MAX_KEY_BYTES:
                key = short(key)
            column = known(key)
            if column is not None:
                columns.append(column)
                written.append(value)
            elif (part := parts(key)) is not None:
                number = _number(value)
                self._part(part, number, now)
                if math.isnan(number) and not (part[0].is_sum(part[1]) and _is_number(value)):
                    self._malformed(first + at, line, "a bucket or sum is not a number")
            elif line.startswith(b"#"):
                self._metadata(first + at, line)
            elif key not in self._skipped and line and not line.isspace():
                self._cost += SLOW + len(line) // SLOW_BYTES
                try:
                    taken = self._grammar(line, now)
                except _LineError as error:
                    self._malformed(first + at, line, str(error))
                    continue
                if taken is not None:
                    column, number, time = taken
                    if time is not None:
                        times[len(columns)] = time
                        self._stamped.add(column)
                    columns.append(column)
                    written.append(b"%r" % number)
        found = np.array(columns, np.intp)
        values = self._values(columns, written)
        self._write(found, values, times, now)
        return at, (found, values)

    def _values(self, columns: list[int], written: list[bytes]) -> NDArray[np.float64]:
        """Parse the values of known series; one that is not a number becomes NaN and is counted as malformed."""
        try:
            # Python accepts 1_000 as a number, and Prometheus doesn't.
            if b"_" not in b"".join(written):
                return np.array(list(map(float, written)), np.float64)
        except ValueError:
            pass
        for column, each in zip(columns, written, strict=True):
            if not _is_number(each):
                self._source.malformed += 1
                if not self.problem:
                    value = each[:80].decode("utf-8", "replace")
                    self._remark(
                        f"series {self._shown(column)} has the value {value!r}, which is not a number: it was ignored"
                    )
        return np.array([_number(each) for each in written])

    def _write(
        self, columns: NDArray[np.intp], values: NDArray[np.float64], times: dict[int, float], now: float
    ) -> None:
        if not len(columns):
            return
        self.samples += len(columns)
        at = np.full(len(columns), now)
        for place, time in times.items():
            at[place] = time
        totals = columns >= 0
        totals[totals] = self._totals[columns[totals]]
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
        self._remark(f"line {number}, {line[:80].decode('utf-8', 'replace')!r}: {why}; the line was skipped")

    # --- by the grammar ---

    def _grammar(self, line: bytes, now: float) -> tuple[int, float, float | None] | None:
        """Parse a line; return the column and value of its sample, if it has one, and its timestamp."""
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
            value = _real(written.encode())
        except ValueError:
            raise _LineError(f"{written[:80]!r} is not a number") from None
        try:
            time = None if stamp is None else _real(stamp.encode()) / (1 if self._seconds else 1_000)
        except ValueError:
            raise _LineError(f"{stamp[:80]!r} is not a number") from None
        if time is not None and not math.isfinite(time):
            raise _LineError(f"{stamp[:80]!r} is not a time")
        # The same key as for known lines: the text before the value.
        key = short(text[: found.start(3)].rstrip().encode())
        column = self._take(key, name, labels, value, now if time is None else time)
        return None if column is None else (column, value, time)

    def _metadata(self, number: int, line: bytes) -> None:
        """Parse a comment: the type or unit of a metric family, if it has one."""
        if not _DECLARATION.match(line) or line in self._declared:
            return
        self._cost += SLOW
        if len(line) > MAX_KEY_BYTES:
            self._malformed(number, line, f"it has more than {MAX_KEY_BYTES} bytes")
            return
        found = _METADATA.fullmatch(line.decode("utf-8", "replace").strip())
        if found is None:
            return
        what, quoted, plain, value = found.groups()
        name = plain if quoted is None else _unescaped(quoted)
        if what == "TYPE" and (value := value.lower()) not in _TYPES:
            self._malformed(number, line, f"there is no type {value[:80]!r}: write one of {', '.join(sorted(_TYPES))}")
            return
        if len(self._declared) >= MAX_KNOWN:
            self._forget()
        self._declared.add(line)
        (self._types if what == "TYPE" else self._units)[name] = value

    def _forget(self) -> None:
        """Forget everything but the series; the next texts bring it back."""
        for known in (self._declared, self._types, self._units, self._skipped):
            known.clear()

    def _take(self, key: bytes, name: str, labels: list[tuple[str, str]], value: float, time: float) -> int | None:
        """Return the column of a sample; None if it should be ignored or is a part of a histogram."""
        column = self._source.known.get(key)
        if column is not None:
            return column
        kind, family = self._kind(name)
        if len(self._skipped) >= MAX_KNOWN:
            self._forget()
        every = self._with_own(labels)
        if kind in _HISTOGRAMS and (opened := self._open_part(key, name, family, kind, every)) is not None:
            if not opened:
                return self._source.known.get(key, REFUSED)
            part = self._classic.parts[key]
            if math.isnan(value) and not part[0].is_sum(part[1]):
                raise _LineError("a bucket or sum is not a number")
            self._part(part, value, time)
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
        if kind in _HISTOGRAMS and name.endswith(("_count", "_gcount")):
            self._classic.open_count(key, family, tuple(sorted(every)))
        if column >= len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros(max(column, len(self._totals)), np.bool_)])
        if column >= 0:
            self._totals[column] = is_total
        return column

    def _with_own(self, labels: list[tuple[str, str]]) -> Labels:
        """Return the labels together with the scrape's; a label of the target with the same name is renamed."""
        taken = {label for label, _ in (*self._labels, *labels)}
        every = list(self._labels)
        for label, text in labels:
            name = label
            if any(label == own for own, _ in self._labels):
                while name in taken:
                    name = f"exported_{name}"
                taken.add(name)
            every.append((name, text))
        return tuple(every)

    def _kind(self, name: str) -> tuple[str, str]:
        """Return the type and the name of the family that a sample belongs to."""
        if (kind := self._types.get(name)) is not None:
            return kind, name
        for suffix in _SUFFIXES:
            family = name.removesuffix(suffix)
            if family != name and (kind := self._types.get(family)) is not None:
                return kind, family
        return "untyped", name

    def _open_part(self, key: bytes, name: str, family: str, kind: str, labels: Labels) -> bool | None:
        """Add a series to a histogram as a bucket or as the sum: it is then in `parts`.

        Returns:
            True if it was added, False if it was refused; None if it is neither a bucket nor a sum.
        """
        if key in self._classic.parts:
            return True
        rest = tuple(sorted(pair for pair in labels if pair[0] != "le"))
        if name.endswith(("_sum", "_gsum")):
            return self._classic.open_sum(key, family, rest) or None
        if not name.endswith("_bucket"):
            return None
        written = dict(labels).get("le")
        if written is None:
            raise _LineError('a bucket has no label le: write le="0.5"')
        bound = _number(written.encode())
        if math.isnan(bound):
            raise _LineError(f'le="{written}" is not a number')
        unit = self._units.get(family, "")
        return self._classic.open_bucket(key, family, rest, bound, unit, is_gauge=kind == "gaugehistogram") is None


def _pairs(inner: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the name inside the braces, if there is one, and the labels."""
    name = ""
    labels: list[tuple[str, str]] = []
    seen: set[str] = set()
    inner = inner.strip()
    at = 0
    while at < len(inner):
        found = _PAIR.match(inner, at)
        if found is None or found.end() == at:
            raise _LineError(f'labels {{{inner[:60]}}} are malformed: write {{name="value"}}')
        if len(labels) >= MAX_LINE_LABELS:
            raise _LineError(f"it has more than {MAX_LINE_LABELS} labels")
        plain, quoted, value = found.groups()
        word = plain if quoted is None else _unescaped(quoted)
        if value is not None:
            if word == "__name__":
                raise _LineError("a label cannot be called __name__: that is the metric's name")
            if word in seen:
                raise _LineError(f"label {word[:80]!r} occurs twice")
            seen.add(word)
            labels.append((word, _unescaped(value)))
        elif quoted is not None and not name:
            name = word
        else:
            raise _LineError(f"label {word[:80]!r} has no value")
        at = found.end()
    return name, labels


def _unescaped(text: str) -> str:
    """Undo the three escapes of these formats; any other backslash stands for itself, as in Prometheus."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text) if "\\" in text else text


def _real(written: bytes) -> float:
    """Parse a number.

    Raises:
        ValueError: it is not one; Python accepts 1_000, and Prometheus doesn't.
    """
    if b"_" in written:
        raise ValueError(written)
    return float(written)


def _number(written: bytes) -> float:
    try:
        return _real(written)
    except ValueError:
        return math.nan


def _is_number(written: bytes) -> bool:
    try:
        _real(written)
    except ValueError:
        return False
    return True
