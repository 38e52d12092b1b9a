"""Encoding answers of history as JSON, CSV and binary."""

import csv
import io
import json
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.history.answers import START_MS, answer, answers, buckets

from tickboard.client.history_data import HistorySeries
from tickboard.client.history_format import decode
from tickboard.history.answers import Answer, Buckets, Changed, ChangesQuestion, FoundChanges
from tickboard.history.asking import STATS
from tickboard.history.encodings import (
    PIECE_BYTES,
    PIECE_PARTS,
    STEP_CHANGES,
    binary_pieces,
    change_pieces,
    changes_answer,
    csv_pieces,
    json_pieces,
)
from tickboard.times import parse_time, time_text
from tickboard.wire import ChangesAnswer, HistoryAnswer

NAN = np.nan


def present(series: Buckets) -> slice:
    """Return the buckets of a series from its first value to its last."""
    places = np.flatnonzero(series.count)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)


def test_json_has_null_between_the_values_of_a_series() -> None:
    disk = buckets("disk", np.array([NAN, 1.5, NAN, 3.0]), (("mount", "/"),), "%")
    assert json.loads(b"".join(json_pieces(answer(disk)))) == {
        "from": "2026-01-31T12:00:00.000Z",
        "to": "2026-01-31T12:00:04.001Z",
        "resolution_ms": 1000,
        "tier": "raw",
        "series": [
            {
                "name": "disk",
                "labels": {"mount": "/"},
                "unit": "%",
                "times": ["2026-01-31T12:00:01.000Z", "2026-01-31T12:00:02.000Z", "2026-01-31T12:00:03.000Z"],
                "min": [1.5, None, 3.0],
                "max": [1.5, None, 3.0],
                "avg": [1.5, None, 3.0],
                "count": [1, 0, 1],
            }
        ],
    }


def test_csv_has_a_row_for_each_bucket_quoted_as_in_rfc_4180() -> None:
    one = buckets("a", np.array([1.0, 2.0]), unit='"x", y', many=3)
    two = buckets("b", np.array([0.1, NAN]), (("mount", "C:\\, or\nnone"),))
    assert b"".join(csv_pieces(answer(one, two, resolution_ms=60_000))).decode() == (
        "timestamp,name,labels,unit,min,max,avg,count\r\n"
        '2026-01-31T12:00:00.000Z,a,,"""x"", y",-1.0,3.0,1.0,3\r\n'
        '2026-01-31T12:01:00.000Z,a,,"""x"", y",0.0,4.0,2.0,3\r\n'
        '2026-01-31T12:00:00.000Z,b,"{""mount"":""C:\\\\, or\\nnone""}",,0.1,0.1,0.1,1\r\n'
    )


def test_an_empty_answer_is_encoded() -> None:
    nothing = answer()
    assert json.loads(b"".join(json_pieces(nothing)))["series"] == []
    assert b"".join(csv_pieces(nothing)) == b"timestamp,name,labels,unit,min,max,avg,count\r\n"
    assert len(decode(b"".join(binary_pieces(nothing)))) == 0


@given(answers(), st.sets(st.sampled_from(STATS), min_size=1))
def test_only_the_stats_that_are_asked_for_are_encoded(given: Answer, stats: set[str]) -> None:
    full = json.loads(b"".join(json_pieces(given)))
    others = set(STATS) - stats
    expected = [{name: value for name, value in one.items() if name not in others} for one in full["series"]]
    assert json.loads(b"".join(json_pieces(given, stats)))["series"] == expected
    rows = [dict(row) for row in csv.DictReader(io.StringIO(b"".join(csv_pieces(given)).decode(), newline=""))]
    found = list(csv.DictReader(io.StringIO(b"".join(csv_pieces(given, stats)).decode(), newline="")))
    assert found == [{name: value for name, value in row.items() if name not in others} for row in rows]


@given(answers())
def test_json_has_everything_in_an_answer(given: Answer) -> None:
    found = msgspec.json.decode(b"".join(json_pieces(given)), type=HistoryAnswer)
    assert (found.start, found.end) == (time_text(given.start_ms), time_text(given.end_ms))
    assert (found.resolution_ms, found.tier) == (given.resolution_ms, given.tier)
    for one, series in zip(found.series, given.series, strict=True):
        there = present(series)
        assert (one.name, one.labels, one.unit) == (series.name, dict(series.labels), series.unit)
        assert [parse_time("times", text, 0) for text in one.times] == given.times[there].tolist()
        for name in ("min", "max", "avg"):
            values = [NAN if value is None else value for value in getattr(one, name)]
            np.testing.assert_array_equal(values, getattr(series, name)[there])
        assert one.count == series.count[there].tolist()


@given(answers())
def test_csv_has_everything_in_an_answer(given: Answer) -> None:
    rows = list(csv.DictReader(io.StringIO(b"".join(csv_pieces(given)).decode(), newline="")))
    expected = [
        (series, place) for series in given.series for place in range(*present(series).indices(len(given.times)))
    ]
    for row, (series, place) in zip(rows, expected, strict=True):
        assert (row["name"], row["unit"]) == (series.name, series.unit)
        assert json.loads(row["labels"] or "{}") == dict(series.labels)
        assert row["timestamp"] == time_text(int(given.times[place]))
        for name in ("min", "max", "avg"):
            np.testing.assert_equal(float(row[name] or "nan"), getattr(series, name)[place])
        assert int(row["count"]) == series.count[place]


@given(answers())
def test_binary_has_everything_in_an_answer(given: Answer) -> None:
    found = decode(b"".join(binary_pieces(given)))
    assert (found.start.timestamp() * 1000, found.end.timestamp() * 1000) == pytest.approx(
        (given.start_ms, given.end_ms), abs=0.1
    )
    assert (found.resolution_s, found.tier) == (given.resolution_ms / 1000, given.tier)
    for one, series in zip(found.series, given.series, strict=True):
        there = present(series)
        assert (one.name, one.labels, one.unit) == (series.name, dict(series.labels), series.unit)
        assert one.times.astype(np.int64).tolist() == given.times[there].tolist()
        for name in ("min", "max", "avg", "count"):
            np.testing.assert_array_equal(getattr(one, name), getattr(series, name)[there])


@pytest.mark.parametrize("pieces", [json_pieces, csv_pieces, binary_pieces])
def test_a_large_answer_is_encoded_in_small_pieces(pieces: Callable[[Answer], Iterator[bytes]]) -> None:
    values = np.arange(5_002.0)
    made = list(pieces(answer(*(buckets(f"series.{number}", values, many=60) for number in range(20)))))
    # One column of one series at most beyond what a piece has.
    assert max(map(len, made)) < PIECE_BYTES + 30 * len(values)
    assert len(made) > 40


@pytest.mark.parametrize("pieces", [json_pieces, csv_pieces, binary_pieces])
def test_a_piece_has_few_series_however_short_they_are(pieces: Callable[[Answer], Iterator[bytes]]) -> None:
    found = list(pieces(answer(*(buckets(f"series{number}", np.array([1.0])) for number in range(1000)))))
    assert max(piece.count(b"series") for piece in found) <= PIECE_PARTS
    assert sum(piece.count(b"series") for piece in found) >= 1000


def test_a_tick_takes_eight_bytes_in_binary() -> None:
    one, two = (answer(buckets("a", np.arange(float(length)))) for length in (1_000, 2_000))
    size = len(b"".join(binary_pieces(two))) - len(b"".join(binary_pieces(one)))
    assert size == 1_000 * (8 + 8)


def test_the_arrays_of_a_series_are_read_only() -> None:
    found = decode(b"".join(binary_pieces(answer(buckets("a", np.arange(3.0))))))
    series: HistorySeries = found["a"]
    for array in (series.times, series.min, series.max, series.avg, series.count):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert series.times[0] == np.datetime64(START_MS, "ms")


# --- changes ---


def changes(*numbers: tuple[float, float]) -> FoundChanges:
    """Return changes with the averages before and after."""
    asked = ChangesQuestion((), 600_000, 1_200_000, 0, 600_000, 20)
    changed = [Changed("m", (("a", '"'),), "%", 0.5, before, after) for before, after in numbers]
    return FoundChanges(asked, "raw", 9, 8, tuple(changed))


@pytest.mark.parametrize("count", [0, 1, STEP_CHANGES, 2 * STEP_CHANGES + 1])
def test_changes_are_encoded_in_steps(count: int) -> None:
    found = changes(*((1.0, float(number)) for number in range(count)))
    pieces = list(change_pieces(found))
    assert len(pieces) == 2 + -(-count // STEP_CHANGES)
    assert msgspec.json.decode(b"".join(pieces), type=ChangesAnswer) == changes_answer(found)


@pytest.mark.parametrize(
    ("before", "after", "factor"),
    [
        (2.0, 3.0, 1.5),
        (-2.0, -3.0, 1.5),
        (1e-200, 1e-200, 1.0),
        (0.0, 3.0, None),
        (3.0, 0.0, None),
        (-1.0, 1.0, None),
        (NAN, 1.0, None),
        (1.0, NAN, None),
        (1e-300, 1e300, None),
    ],
)
def test_a_missing_factor_is_null(before: float, after: float, factor: float | None) -> None:
    [change] = json.loads(b"".join(change_pieces(changes((before, after)))))["changes"]
    assert change["factor"] == factor
    assert change["before"] == (None if np.isnan(before) else before)
    assert change["after"] == (None if np.isnan(after) else after)
