"""Parses a line of text as a row of samples: a name and a value, a JSON object, or a row of CSV.

Any program may send any text: a line that cannot be read raises an `InputError` that says why. Reading takes time
proportional to the length, whatever the text contains: no pattern here backtracks over more than a few hundred
characters.
"""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tickboard.errors import InputError
from tickboard.metrics.cleaning import MAX_LABELS
from tickboard.sources.json_mistakes import explain_mistake

MILLISECONDS = 1e11
"""A larger number of seconds would lie after the year 5138, so it counts as milliseconds."""

TIME_UNTIL = 253_402_300_800.0
"""The end of the year 9999, POSIX seconds: later times are refused."""

MAX_UNIT = 40
"""The most characters of a unit: a longer one is a sentence with a number in it."""

MAX_CELLS = 4_096
"""The most cells of a line of CSV."""

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """A value of a series."""

    name: str
    labels: Labels
    unit: str
    value: float


class TextRow(NamedTuple):
    """The content of one line.

    Attributes:
        samples: at least one; they are made from the line on demand.
        time: POSIX seconds; None: now.
    """

    samples: Iterator[Sample]
    time: float | None = None


# --- a name, a value and optionally a unit ---

_NUMBER = (
    r"[-+]?(?>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?>[eE][-+]?[0-9]+)?"
    r"|[-+]?(?>infinity|inf|nan)(?![^\W_])"
)
# Times, dates, addresses and the like have numbers after numbers, which are not units. A name might end at any place of
# a line, so no more than the length of a unit is examined after each.
_UNIT = r"(?!/[0-9])[^\s0-9,:;=+.\-][^,;=]{0,127}+"
_ALONE = re.compile(rf"({_NUMBER})\s*+((?!/[0-9])[^\s0-9,:;=+.\-][^\s,;=]*+)?", re.IGNORECASE)
_NAMED = re.compile(rf"([^\s={{}}]+?)(?:\s*+\{{(.*)\}})?(?:\s*+[=:]\s*+|\s++)({_NUMBER})\s*+({_UNIT})?", re.IGNORECASE)
_LABEL = re.compile(r'\s*+([^\s=,]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"\s*+|([^,"]*+))(?:,|\Z)')


def named_row(text: str) -> TextRow:
    """Return the row of ``load 1.52``, ``temp{room="attic"} 31.5 °C`` or ``17.4``."""
    if found := _ALONE.fullmatch(text):
        return _one("value", (), found[2] or "", float(found[1]))
    found = _NAMED.fullmatch(text)
    if found is None:
        raise InputError("write a name, a value and optionally a unit, such as: load 1.52")
    name, labels, value, unit = found.groups()
    if not (name[0].isalpha() or any(map(str.isalpha, name))):
        raise InputError(
            f"name {_shown(name)} has no letter: write a name, a value and optionally a unit, such as: load 1.52"
        )
    return _one(name, _labels(labels or ""), unit or "", float(value))


def _one(name: str, labels: Labels, unit: str, value: float, time: float | None = None) -> TextRow:
    if len(unit) > MAX_UNIT:
        raise InputError(f"unit {_shown(unit)} has more than {MAX_UNIT} characters: write a short one")
    return TextRow(iter([Sample(name, labels, unit, value)]), time)


def _labels(text: str) -> Labels:
    """Parse labels such as ``a="b", c=d``."""
    text = text.strip()
    labels: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _LABEL.match(text, at)
        if found is None:
            raise InputError(f'labels {{{text[:60]}}}: write them as {{room="attic"}}')
        value = found[3].strip() if found[2] is None else re.sub(r"\\(.)", _unescaped, found[2])
        labels.append((found[1], value))
        if len(labels) > MAX_LABELS:
            raise InputError(f"it has more than {MAX_LABELS} labels")
        at = found.end()
    return tuple(labels)


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


# --- JSON ---

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def json_object(text: str) -> TextRow:
    """Return the row of an object: a sample for each number in it, or the one of a Metric as on the wire."""
    encoded = text.encode("utf-8", "surrogatepass")
    try:
        found = _decode(encoded)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"it is not a JSON object: {explain_mistake(error, encoded)}") from error
    if isinstance(found.get("name"), str) and "value" in found:
        return _metric(found)
    times = [value for name, value in found.items() if name.lower() in _TIMES and value is not None]
    fields = [(name, value) for name, value in found.items() if name.lower() not in _TIMES]
    labels = tuple((name, value) for name, value in fields if isinstance(value, str))
    numbers = [(name, value) for name, value in fields if _is_number(value)]
    if not numbers:
        raise InputError('it has no number: write {"cpu": 12.5}')
    time = sample_time(times[0]) if times else None
    return TextRow((Sample(name, labels, "", _finite(name, value)) for name, value in numbers), time)


def _metric(found: dict[str, Any]) -> TextRow:
    value, labels = found["value"], found.get("labels") or {}
    value = math.nan if value is None else value
    if not _is_number(value) or not isinstance(labels, dict):
        raise InputError('"value" must be a number or null, and "labels" an object of strings')
    pairs = tuple((label, str(text)) for label, text in labels.items())
    time = sample_time(found["timestamp"]) if found.get("timestamp") is not None else None
    return _one(found["name"], pairs, str(found.get("unit") or ""), _finite(found["name"], value), time)


def _finite(name: str, value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InputError(f"{_shown(name)}: the number is too large") from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- CSV ---

_TIMES = frozenset({"time", "timestamp", "ts", "date", "datetime"})
_MISSING = frozenset({"", "-", "na", "n/a", "none", "null"})
"""Texts that stand for a missing number in a column of numbers."""


def cells_of(text: str) -> list[str]:
    """Split a line of CSV into its cells."""
    try:
        cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        raise InputError(f"it is not CSV: {error}") from error
    if len(cells) > MAX_CELLS:
        raise InputError(f"it has {len(cells)} cells: write {MAX_CELLS} at most")
    return cells


def are_names(cells: Sequence[str]) -> bool:
    """Return whether all cells are words, like names of columns; the first one, an index, may be empty."""
    words = cells[1:] if len(cells) > 1 and not cells[0] else cells
    return all(cell.lower() not in _MISSING and _as_number(cell) is None and not _is_time(cell) for cell in words)


class CsvTable:
    """The columns of CSV, and its rows.

    Args:
        cells: the first line: the names of the columns, ``cpu`` or ``cpu (%)``; or numbers if they have no names.

    Attributes:
        has_names: whether the first line has names rather than values.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        self.has_names = not all(_as_number(cell) is not None for cell in cells)
        self._first = list(cells)
        self._columns: list[_Column] = []
        taken: set[str] = set()
        for number, cell in enumerate(cells, 1):
            name, unit = _name_and_unit(cell) if self.has_names else ("", "")
            name = name or f"column{number}"
            name = name if name not in taken else f"{name}_{number}"
            taken.add(name)
            self._columns.append(_Column(name, unit, "time" if name.lower() in _TIMES else None))

    def fits(self, cells: Sequence[str]) -> bool:
        """Return whether there is a cell for each column."""
        return len(cells) == len(self._columns)

    def row(self, cells: Sequence[str]) -> TextRow | None:
        """Return a row; None if it repeats the first line, as a restarted program does."""
        if self.has_names and list(cells) == self._first:
            return None
        if not self.fits(cells):
            raise InputError(f"it has {len(cells)} cells, but the first line has {len(self._columns)}")
        labels: list[tuple[str, str]] = []
        values: list[tuple[_Column, float]] = []
        time: float | None = None
        for column, cell in zip(self._columns, cells, strict=True):
            if not cell:
                continue
            if column.kind == "time":
                time = sample_time(cell)
            elif column.kind == "label":
                labels.append((column.name, cell))
            elif (number := _as_number(cell)) is not None:
                values.append((column, number))
            elif column.kind == "value":
                if cell.lower() not in _MISSING:
                    raise InputError(
                        f"column {_shown(column.name)}: {_shown(cell)} is not a number, unlike those before it"
                    )
            elif cell.lower() not in _MISSING:
                labels.append((column.name, cell))
        if not values:
            raise InputError("it has no number")
        self._decide({column.name for column, _ in values}, {name for name, _ in labels})
        pairs = tuple(labels)
        return TextRow((Sample(column.name, pairs, column.unit, number) for column, number in values), time)

    def _decide(self, values: set[str], labels: set[str]) -> None:
        """Set the kinds of columns from the first row that could be read and has a cell in them."""
        for column in self._columns:
            if column.kind is None:
                column.kind = "value" if column.name in values else "label" if column.name in labels else None


class _Column(Struct):
    """A column of CSV: its name, its unit, and its kind (time, label or value); None: not known yet."""

    name: str
    unit: str
    kind: str | None


def _name_and_unit(cell: str) -> tuple[str, str]:
    """Split the name of a column, ``cpu`` or ``cpu (%)``, into name and unit."""
    at = max(cell.rfind("("), cell.rfind("["))
    if at > 0 and cell[-1] in ")]" and (name := cell[:at].rstrip()):
        return name, cell[at + 1 : -1][:MAX_UNIT]
    return cell, ""


def _as_number(cell: str) -> float | None:
    try:
        return float(cell) if "_" not in cell else None
    except ValueError:
        return None


# --- times ---


def sample_time(value: object) -> float:
    """Return a time in POSIX seconds, from RFC 3339 or from a number of seconds or milliseconds.

    Raises:
        InputError: it is neither, or before 1970 or after 9999.
    """
    try:
        time = _time(value)
    except (ValueError, OverflowError):
        time = math.nan
    if not 0 <= time < TIME_UNTIL:
        raise InputError(f"{_shown(value)} is not a time: write 2026-11-24T10:00:00Z, or seconds since 1970")
    return time


def _time(value: object) -> float:
    number = _as_number(value) if isinstance(value, str) else float(value) if _is_number(value) else None  # type: ignore[arg-type]
    if number is not None:
        return number / 1000 if abs(number) > MILLISECONDS else number
    at = datetime.fromisoformat(str(value))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _is_time(cell: str) -> bool:
    try:
        sample_time(cell)
    except InputError:
        return False
    return True


def _shown(value: object) -> str:
    """Return a value for an error message; a number may have more digits than Python converts."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:60]}…")
    try:
        return repr(value)[:60]
    except ValueError:
        return "a number with too many digits"
