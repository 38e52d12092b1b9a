"""Makes metrics from lines of text that a command prints: ``some-command | tickboard pipe``.

Three formats are recognised, line by line except for CSV, which its first line announces:

    load 1.52                    a name, a value and optionally a unit
    room_temperature{room="attic"} 31.5 °C
    queue=12
    17.4                         a value alone is called `value`
    {"cpu": 12.5, "mem": 40}     a JSON object: a metric for each number in it, or a Metric as on the wire
    time,host,cpu (%),mem        CSV: columns of text are labels, others metrics; a column of times is the row's time
    2026-11-24T10:00:00Z,web-1,12.5,40

It takes bytes and the time, and writes to a source. Whatever a line contains, the next one is read.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Literal, NamedTuple

from tickboard.errors import InputError
from tickboard.metrics.source import Source
from tickboard.output.text import without_mark
from tickboard.problems import Quiet, described
from tickboard.sources.rows import CsvTable, TextRow, are_names, cells_of, json_object, named_row

Format = Literal["auto", "lines", "json", "csv"]

MAX_LINE_BYTES = 65_536
"""A longer line is malformed."""

STEP_SAMPLES = 64
"""How many samples of one line are written in one step."""


class Pipe:
    """Reads lines and writes samples.

    Args:
        source: where to write.
        report: called with the problem of the first line that cannot be read, and with None after a while without such
            lines; further ones are only counted.
        form: the format of the lines; "auto": detect it.
    """

    def __init__(self, source: Source, report: Callable[[str | None], None], form: Format = "auto") -> None:
        self._source = source
        self._report = report
        self._rest = b""
        self._lines = 0
        self._overlong = False
        self._quiet = Quiet()
        self._table: CsvTable | None = None
        self._announced: _Announced | None = None
        self._now = 0.0
        forms: dict[Format, Callable[[str], TextRow | None]] = {
            "auto": self._undecided,
            "lines": named_row,
            "json": json_object,
            "csv": self._csv,
        }
        self._read = forms[form]

    def receive(self, data: bytes, now: float) -> Iterator[None]:
        """Read what has arrived, in steps; an incomplete line waits for its end.

        Args:
            data: the bytes as they arrived.
            now: seconds of any clock that never steps.

        Yields:
            Where others may run.
        """
        self._now = now
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield from self._line(line)
            yield
        if len(self._rest) > MAX_LINE_BYTES:
            # It is too long already; the rest of the line is discarded as it arrives.
            self._rest, self._overlong = b"", True
        if self._quiet.is_over(now):
            self._report(None)

    def end(self) -> Iterator[None]:
        """Read the last line if it is incomplete, in steps like `receive`."""
        if self._rest or self._overlong:
            line, self._rest = self._rest, b""
            yield from self._line(line)
        self._withdraw_announced()

    def _line(self, line: bytes) -> Iterator[None]:
        self._lines += 1
        overlong, self._overlong = self._overlong or len(line) > MAX_LINE_BYTES, False
        # Invalid UTF-8 is escaped, so that different names stay different.
        text = (without_mark(line) if self._lines == 1 else line).decode("utf-8", "backslashreplace").strip()
        if (not text and not overlong) or text.startswith("#"):
            return
        try:
            if overlong:
                raise InputError(f"it has more than {MAX_LINE_BYTES} bytes")
            if "\0" in text:
                raise InputError(
                    "it has NUL bytes, like UTF-16: write UTF-8, for example with iconv -f UTF-16 -t UTF-8"
                )
            row = self._read(text)
            if row is not None:
                yield from self._write(row)
        except Exception as error:  # noqa: BLE001  # a line may contain anything: the next one is read
            self._reject(self._lines, text, error)

    def _reject(self, number: int, text: str, error: Exception) -> None:
        self._source.malformed += 1
        if self._quiet.failed(self._now):
            reason = str(error) if isinstance(error, InputError) else described(error)
            shown = text if len(text) <= 60 else f"{text[:60]}…"
            self._report(f"line {number}, {shown!r}: {reason}; the line was skipped")

    def _write(self, row: TextRow) -> Iterator[None]:
        source, refusal = self._source, None
        while batch := list(islice(row.samples, STEP_SAMPLES)):
            columns = []
            for name, labels, unit, _ in batch:
                column = source.known.get((name, labels))
                if column is None:
                    column = source.gauge((name, labels), name, labels, unit=unit)
                columns.append(column)
            values = [sample.value for sample in batch]
            source.set(columns, values, None if row.time is None else [row.time] * len(batch))
            refusal = source.take_refusal() or refusal
            yield
        if refusal is not None:
            raise InputError(refusal.reason)

    # --- detecting the format ---

    def _undecided(self, text: str) -> TextRow | None:
        """Return the row of a line while the format is unknown; None: the line announces rows."""
        if "," not in text or "{" in text:
            row = _mixed(text)
            # Something other than CSV could be read, so no later line announces CSV.
            self._withdraw_announced()
            self._read = _mixed
            return row
        cells = cells_of(text)
        if are_names(cells):
            self._withdraw_announced()
            self._announced = _Announced(self._lines, text, CsvTable(cells))
            return None
        table = self._announced.table if self._announced is not None else CsvTable(cells)
        if table.has_names and (self._announced is None or not table.fits(cells)):
            raise InputError(
                "it is neither a name and a value nor the first line of CSV: write load 1.52, or time,cpu,memory"
            )
        found = table.row(cells)
        self._table, self._announced, self._read = table, None, self._csv_or_json
        return found

    def _csv_or_json(self, text: str) -> TextRow | None:
        return json_object(text) if text.startswith("{") else self._csv(text)

    def _csv(self, text: str) -> TextRow | None:
        cells = cells_of(text)
        if self._table is None:
            self._table = CsvTable(cells)
            if self._table.has_names:
                return None
        return self._table.row(cells)

    def _withdraw_announced(self) -> None:
        """Count a line that seemed to announce CSV as unreadable, since no row followed."""
        if (announced := self._announced) is not None:
            self._announced = None
            wrong = InputError("it has commas like the first line of CSV, but no row with as many cells follows")
            self._reject(announced.line, announced.text, wrong)


class _Announced(NamedTuple):
    """A line that may be the first of CSV; the next line decides."""

    line: int
    text: str
    table: CsvTable


def _mixed(text: str) -> TextRow:
    return json_object(text) if text.startswith("{") else named_row(text)
