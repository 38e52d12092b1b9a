"""Lines of text, as a command prints them, into a board: ``some-command | tickboard pipe``.

Three kinds are told apart by themselves, line by line but for CSV, which its first line announces:

    load 1.52                    a name, a value and, if there is one, a unit
    room_temperature{room="attic"} 31.5 °C
    queue=12
    17.4                         a value alone is called `value`
    {"cpu": 12.5, "mem": 40}     a JSON object: a metric for each number in it, or a Metric as on the wire
    time,host,cpu (%),mem        CSV: the columns of texts are labels, the others metrics; a time is the row's time
    2026-11-24T10:00:00Z,web-1,12.5,40

It takes bytes and writes to a source; where they come from is not its business.
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from tickboard.errors import InputError
from tickboard.intake import Source

Format = Literal["auto", "lines", "json", "csv"]

MAX_LINE_BYTES = 65_536
"""A longer line is malformed."""

MILLISECONDS = 1e11
"""A number of seconds that would be in the year 5138 is taken for milliseconds."""

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)"
_ALONE = re.compile(rf"({_NUMBER})\s*([^\s0-9]\S*)?", re.IGNORECASE)
_NAMED = re.compile(rf"([^\s={{}}]+?)\s*(?:\{{(.*)\}})?(?:\s*[=:]\s*|\s+)({_NUMBER})\s*(\S.*)?", re.IGNORECASE)
_LABEL = re.compile(r'\s*([^\s=,]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,"]*))\s*(?:,|$)')
_UNIT = re.compile(r"(.*\S)\s*[(\[](.*)[)\]]")
_TIMES = frozenset({"time", "timestamp", "ts", "date", "datetime"})

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Pipe:
    """Lines in, samples out.

    Args:
        source: where to write.
        complain: told of the first line that could not be read, as a sentence; the others are counted.
        form: what the lines are; "auto" tells it from them.
    """

    def __init__(self, source: Source, complain: Callable[[str], None], form: Format = "auto") -> None:
        self._source = source
        self._complain = complain
        self._form: Format = form
        self._rest = b""
        self._lines = 0
        self._complained = False
        self._overlong = False
        self._header: list[_Column] | None = None

    def receive(self, data: bytes) -> None:
        """Take what has come; a line that is not whole yet waits for its end."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._line(line)
        if len(self._rest) > MAX_LINE_BYTES:
            # What has come of it is enough to know; the rest of it is thrown away as it comes.
            self._rest, self._overlong = b"", True

    def end(self) -> None:
        """Take the last line, if it has no end."""
        if self._rest or self._overlong:
            self._line(self._rest)
            self._rest = b""

    def _line(self, line: bytes) -> None:
        self._lines += 1
        overlong, self._overlong = self._overlong, False
        text = line.decode("utf-8", "replace").strip()
        if not text and not overlong:
            return
        try:
            if overlong or len(line) > MAX_LINE_BYTES:
                raise InputError(f"it has more than {MAX_LINE_BYTES} bytes")
            self._take(text)
        except InputError as error:
            self._source.malformed += 1
            if not self._complained:
                self._complained = True
                shown = text if len(text) <= 60 else f"{text[:60]}…"
                self._complain(f"line {self._lines}, {shown!r}: {error}; it is left out")

    def _take(self, text: str) -> None:
        form = self._form
        if form == "auto" and self._header is not None:
            form = "csv"
        elif form == "auto" and text.startswith("{"):
            form = "json"
        elif form == "auto" and "," in text and "{" not in text:
            form = self._form = "csv"
        if form == "csv":
            self._csv(text)
        elif form == "json":
            self._json(text)
        else:
            self._named(text)

    def _write(self, name: str, labels: Iterable[tuple[str, str]], unit: str, value: float, time: float | None) -> None:
        pairs = tuple(labels)
        try:
            number = float(value)
        except OverflowError:
            raise InputError(f"{name}: the number is too large") from None
        column = self._source.known.get((name, pairs))
        if column is None:
            column = self._source.gauge((name, pairs), name, pairs, unit=unit)
        self._source.set([column], [number], None if time is None else [time])
        if (refusal := self._source.take_refusal()) is not None:
            raise InputError(refusal.reason)

    # --- lines ---

    def _named(self, text: str) -> None:
        if found := _ALONE.fullmatch(text):
            self._write("value", (), found[2] or "", float(found[1]), None)
        elif found := _NAMED.fullmatch(text):
            name, labels, value, unit = found.groups()
            self._write(name, _labels(labels or ""), unit or "", float(value), None)
        else:
            raise InputError("write a name, a value and, if there is one, a unit, as: load 1.52")

    # --- JSON ---

    def _json(self, text: str) -> None:
        try:
            found = _decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise InputError(f"it is not a JSON object: {error}") from error
        if isinstance(found.get("name"), str) and "value" in found:
            value, labels = found["value"], found.get("labels") or {}
            if not _is_number(value) or not isinstance(labels, dict):
                raise InputError('"value" must be a number and "labels" an object of texts')
            pairs = tuple((label, str(text)) for label, text in labels.items())
            time = parse_time(found["timestamp"]) if found.get("timestamp") is not None else None
            self._write(found["name"], pairs, str(found.get("unit") or ""), value, time)
            return
        time = next((parse_time(value) for name, value in found.items() if name.lower() in _TIMES), None)
        numbers = {name: value for name, value in found.items() if name.lower() not in _TIMES and _is_number(value)}
        labels = {name: value for name, value in found.items() if name.lower() not in _TIMES and isinstance(value, str)}
        if not numbers:
            raise InputError('there is no number in it, as in {"cpu": 12.5}')
        for name, value in numbers.items():
            self._write(name, labels.items(), "", value, time)

    # --- CSV ---

    def _csv(self, text: str) -> None:
        try:
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error as error:
            raise InputError(f"it is not CSV: {error}") from error
        if self._header is None:
            if all(_as_number(cell) is not None for cell in cells):
                self._header = [_Column(f"column{number}", "") for number in range(1, len(cells) + 1)]
            else:
                self._header = [_column(cell) for cell in cells]
                return
        if len(cells) != len(self._header):
            raise InputError(f"it has {len(cells)} cells, and the first line has {len(self._header)}")
        self._row(self._header, cells)

    def _row(self, header: Sequence["_Column"], cells: Sequence[str]) -> None:
        labels: list[tuple[str, str]] = []
        values: list[tuple[_Column, float]] = []
        time: float | None = None
        for column, cell in zip(header, cells, strict=True):
            if not cell:
                continue
            if column.name.lower() in _TIMES:
                time = parse_time(cell)
            elif (number := _as_number(cell)) is not None and not column.is_label:
                values.append((column, number))
            else:
                # A column that has had a text is a label from then on, whatever its texts look like.
                column.is_label = True
                labels.append((column.name, cell))
        if not values:
            raise InputError("there is no number in it")
        for column, number in values:
            self._write(column.name, labels, column.unit, number, time)


class _Column:
    """A column of CSV."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit
        self.is_label = False


def _column(cell: str) -> _Column:
    """Return what the first line says of a column: ``cpu`` or ``cpu (%)``."""
    found = _UNIT.fullmatch(cell)
    return _Column(found[1], found[2]) if found else _Column(cell, "")


def _labels(text: str) -> list[tuple[str, str]]:
    """Return the labels of ``a="b", c=d``."""
    labels: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = _LABEL.match(text, at)
        if found is None:
            raise InputError(f'labels {{{text}}}: write them as {{room="attic"}}')
        value = found[3].strip() if found[2] is None else re.sub(r"\\(.)", _unescaped, found[2])
        labels.append((found[1], value))
        at = found.end()
    return labels


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _as_number(cell: str) -> float | None:
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_time(value: object) -> float:
    """Return POSIX seconds of RFC 3339, or of a number of seconds or milliseconds.

    Raises:
        InputError: it is neither.
    """
    number = _as_number(value) if isinstance(value, str) else float(value) if _is_number(value) else None  # type: ignore[arg-type]
    if number is not None and math.isfinite(number):
        return number / 1000 if abs(number) > MILLISECONDS else number
    try:
        at = datetime.fromisoformat(str(value))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InputError(f"{value!r} is no time: write 2026-11-24T10:00:00Z, or seconds since 1970") from None
