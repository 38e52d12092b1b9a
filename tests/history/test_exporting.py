"""What an export has, in which order, and how much of it is in memory."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.history.naive import layout_of
from tests.history.recorded import START, record

from tickboard.errors import HistoryError, InputError
from tickboard.history import exporting, unsealed
from tickboard.history.answers import Question
from tickboard.history.export_formats import FORMATS, Form
from tickboard.history.exporting import Export, Piece, exported
from tickboard.history.file import FOREVER


def asked(*patterns: str, since: float = 0, until: float = FOREVER / 1000) -> Question:
    return Question(patterns, int(since * 1000), int(until * 1000), 1)


def written(path: Path, form: Form, question: Question | None = None) -> str:
    with exported(path, question or asked()) as export:
        return b"".join(FORMATS[form](export)).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def test_csv_has_a_row_for_each_value_ordered_by_time_then_by_series(path: Path) -> None:
    record(path, (START, 2))
    text = written(path, "csv")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["timestamp", "name", "labels", "unit", "value"],
        ["2027-01-15T08:00:00.000Z", "cpu.usage", "", "%", "1000.0"],
        ["2027-01-15T08:00:00.000Z", "disk", '{"mount":"/\\"a\\n"}', "°", "1000.2"],
        ["2027-01-15T08:00:00.000Z", "disk", '{"mount":"/\\"b\\n"}', "°", "1000.1"],
        ["2027-01-15T08:00:01.000Z", "cpu.usage", "", "%", "1001.0"],
        ["2027-01-15T08:00:01.000Z", "disk", '{"mount":"/\\"b\\n"}', "°", "1001.1"],
    ]
    assert text.count("\r\n") == 6


def test_ndjson_has_a_metric_in_each_line(path: Path) -> None:
    record(path, (START, 1))
    first, second, _ = map(json.loads, written(path, "ndjson").splitlines())
    assert first == {"name": "cpu.usage", "value": 1000.0, "unit": "%", "timestamp": "2027-01-15T08:00:00.000Z"}
    assert second == {
        "name": "disk",
        "value": 1000.2,
        "unit": "°",
        "timestamp": "2027-01-15T08:00:00.000Z",
        "labels": {"mount": '/"a\n'},
    }


def test_openmetrics_is_ordered_by_series_with_valid_names_and_escaped_labels(path: Path) -> None:
    record(path, (START + 0.5, 2))
    assert written(path, "openmetrics").splitlines() == [
        "# TYPE cpu_usage gauge",
        "cpu_usage 1000.0 1800000000.5",
        "cpu_usage 1001.0 1800000001.5",
        "# TYPE disk gauge",
        'disk{mount="/\\"a\\n"} 1000.2 1800000000.5',
        'disk{mount="/\\"b\\n"} 1000.1 1800000000.5',
        'disk{mount="/\\"b\\n"} 1001.1 1800000001.5',
        "# EOF",
    ]


def test_seconds_mean_the_same_milliseconds_rounded_or_truncated() -> None:
    times = np.arange(START * 1000, START * 1000 + 5_000)
    seconds = Piece(times, np.empty((len(times), 0))).seconds
    assert [int(float(text) * 1000) for text in seconds] == times.tolist()
    assert [round(float(text) * 1000) for text in seconds] == times.tolist()
    assert seconds[500] == "1800000000.5"


@pytest.mark.parametrize("form", ["csv", "ndjson", "openmetrics"])
def test_memory_is_bounded_and_the_export_is_the_same(path: Path, form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    record(path, (START, 2_000), (START + 9_000, 500))
    whole = written(path, form)
    assert whole.count("\n") > 6_000
    monkeypatch.setattr(exporting, "MOST_VALUES", 400)
    sizes: list[int] = []
    pieces = Export.pieces

    def counted(*arguments: object) -> object:
        for piece in pieces(*arguments):  # type: ignore[arg-type]
            sizes.append(piece.values.size)
            yield piece

    monkeypatch.setattr(Export, "pieces", counted)
    assert written(path, form) == whole
    assert max(sizes) <= 400


def test_each_row_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(path, (START, 300))
    whole = written(path, "csv")
    monkeypatch.setattr(exporting, "MOST_VALUES", 30)
    sizes: list[int] = []
    batches = unsealed._batches

    def counted(*arguments: Any) -> Iterator[list[Any]]:
        for batch in batches(*arguments):
            sizes.append(len(batch))
            yield batch

    monkeypatch.setattr(unsealed, "_batches", counted)
    assert written(path, "csv") == whole
    assert len(sizes) >= 30
    assert sum(sizes) == 300


def test_the_range_is_the_requested_one(path: Path) -> None:
    record(path, (START, 100))
    rows = written(path, "csv", asked("cpu.*", since=START + 10, until=START + 12)).splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["2027-01-15T08:00:10.000Z", "2027-01-15T08:00:11.000Z"]


def test_times_ascend_where_the_clock_was_set_back_and_forward_again(path: Path) -> None:
    record(path, (START, 900), (START + 400, 100), (START + 2_000, 50))
    lines = written(path, "openmetrics", asked("cpu.usage")).splitlines()[1:-1]
    times = [float(line.split()[-1]) for line in lines]
    assert times == sorted(set(times))
    assert len(times) == 950
    assert lines[400].startswith("cpu_usage 2000.0 ")


def test_series_that_would_be_the_same_in_openmetrics_are_refused(path: Path) -> None:
    record(path, (START, 1), layout=layout_of([("a.b", (), ""), ("a_b", (), ""), ("a_b", (("c", "d"),), "")]))
    with pytest.raises(InputError, match=r"a\.b and a_b would both be a_b in OpenMetrics: choose one of them"):
        written(path, "openmetrics")
    assert written(path, "openmetrics", asked("a_b")).count("\n") == 4
    assert written(path, "csv").count("\n") == 4


def test_labels_that_would_be_the_same_in_openmetrics_are_refused(path: Path) -> None:
    record(path, (START, 1), layout=layout_of([("a", (("b.c", "1"), ("b_c", "2")), "")]))
    with pytest.raises(InputError, match="has two labels with one name in OpenMetrics"):
        written(path, "openmetrics")


def test_the_log_of_the_database_can_be_reused_while_an_export_waits(path: Path) -> None:
    record(path, (START, 300))
    with exported(path, asked()) as export:
        pieces = FORMATS["csv"](export)
        assert next(pieces)
        assert next(pieces)
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE more (x)")
        other.commit()
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        other.close()


def test_damaged_blocks_are_counted_and_the_rest_is_exported(path: Path) -> None:
    record(path, (START, 2_000))
    connection = sqlite3.connect(path)
    [(key, block)] = connection.execute("SELECT key, block FROM blocks ORDER BY key LIMIT 1").fetchall()
    connection.execute("UPDATE blocks SET block = ? WHERE key = ?", (block[:-1] + bytes([block[-1] ^ 1]), key))
    connection.commit()
    connection.close()
    with exported(path, asked()) as export:
        text = b"".join(FORMATS["csv"](export)).decode()
        assert len(export.damaged) == 1
    assert 3_000 < text.count("\n") < 5_000


def test_a_file_that_is_not_a_history_is_refused(path: Path) -> None:
    with pytest.raises(HistoryError, match="does not exist"), exported(path, asked()):
        pass
    path.write_bytes(b"x" * 4096)
    with pytest.raises(HistoryError, match="is damaged, or is not a history: "), exported(path, asked()):
        pass
