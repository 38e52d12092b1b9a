"""The client of history: decoding, tables, and asking a board that runs elsewhere."""

import datetime as dt
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.history.answers import START_MS, answer, buckets
from tests.hostile import HTTP, Answers, answering, body

import tickboard
from tickboard import HistoryData, InputError, ProtocolError, RefusedError
from tickboard.client.asking import MAX_ADDRESS_BYTES
from tickboard.client.history import history_url
from tickboard.client.history_format import HEADER, SERIES_HEADER, decode
from tickboard.history.encodings import binary_pieces

NAN = float("nan")

DISK = (("mount", "/"), ("name", "sda"))

ANSWER = answer(
    buckets("cpu", np.array([1.0, 2.0, NAN]), unit="%"),
    buckets("disk", np.array([10.0, NAN, 30.0]), DISK, many=60),
    buckets("disk", np.array([NAN, 20.0, NAN]), (("mount", "/home"),)),
)

BODY = b"".join(binary_pieces(ANSWER))

DATA = decode(BODY)


def test_the_data_is_a_mapping_from_keys_to_series() -> None:
    assert list(DATA) == ["cpu", 'disk{mount="/",name="sda"}', 'disk{mount="/home"}']
    assert len(DATA) == 3
    assert DATA["cpu"] is DATA.series[0]
    assert (DATA.start, DATA.end) == (
        dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC),
        dt.datetime(2026, 1, 31, 12, 0, 3, 1000, dt.UTC),
    )
    assert (DATA.resolution_s, DATA.tier) == (1.0, "raw")
    assert repr(DATA) == (
        "<HistoryData 2026-01-31 12:00:00+00:00 to 2026-01-31 12:00:03.001000+00:00: 3 series, buckets of 1 s>"
    )


def test_a_series_has_arrays() -> None:
    disk = DATA['disk{mount="/",name="sda"}']
    assert (disk.name, disk.unit, disk.labels) == ("disk", "", {"mount": "/", "name": "sda"})
    assert disk.times.tolist() == [dt.datetime(2026, 1, 31, 12, 0, second) for second in range(3)]  # noqa: DTZ001
    np.testing.assert_array_equal(disk.min, [-49, NAN, -29])
    np.testing.assert_array_equal(disk.max, [69, NAN, 89])
    np.testing.assert_array_equal(disk.avg, [10, NAN, 30])
    assert disk.count.tolist() == [60, 0, 60]
    assert (len(disk), repr(disk)) == (3, '<HistorySeries disk{mount="/",name="sda"}: 3 buckets>')


def test_the_error_for_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"in this range; it has disk\{mount"):
        _ = DATA["disk"]
    assert "disk" not in DATA
    assert DATA.get("disk") is None


ROWS = [
    ("cpu", 0, 1.0, 1, None, None),
    ("cpu", 1, 2.0, 1, None, None),
    ('disk{mount="/",name="sda"}', 0, 10.0, 60, "/", "sda"),
    ('disk{mount="/",name="sda"}', 1, None, 0, "/", "sda"),
    ('disk{mount="/",name="sda"}', 2, 30.0, 60, "/", "sda"),
    ('disk{mount="/home"}', 1, 20.0, 1, "/home", None),
]
"""The rows of the table: series, second, avg, count, and the labels mount and name."""


def test_the_pandas_table_has_a_row_for_each_bucket() -> None:
    table = DATA.to_pandas()
    assert list(table) == ["time", "series", "name", "unit", "min", "max", "avg", "count", "mount", "label_name"]
    for (_, row), (key, second, avg, count, mount, name) in zip(table.iterrows(), ROWS, strict=True):
        assert row["series"] == key
        assert row["time"] == pd.Timestamp(START_MS + 1000 * second, unit="ms", tz="UTC")
        assert row["count"] == count
        assert [None if pd.isna(row[column]) else row[column] for column in ("avg", "mount", "label_name")] == [
            avg,
            mount,
            name,
        ]
    wide = table.pivot(index="time", columns="series", values="avg")
    assert wide.shape == (3, 3)
    means = table.groupby("mount", observed=True)["avg"].mean()
    assert means.to_dict() == {"/": 20.0, "/home": 20.0}


def test_the_polars_table_has_a_row_for_each_bucket() -> None:
    table = DATA.to_polars()
    assert table.columns == ["time", "series", "name", "unit", "min", "max", "avg", "count", "mount", "label_name"]
    assert table["time"].dtype == pl.Datetime("ms", "UTC")
    start = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    for row, (key, second, avg, count, mount, name) in zip(table.iter_rows(named=True), ROWS, strict=True):
        assert (row["series"], row["count"], row["mount"], row["label_name"]) == (key, count, mount, name)
        assert row["time"] == start + dt.timedelta(seconds=second)
        np.testing.assert_equal(row["avg"], NAN if avg is None else avg)


@pytest.mark.parametrize("data", [decode(b"".join(binary_pieces(answer())))])
def test_an_empty_table_has_all_columns(data: HistoryData) -> None:
    assert (
        list(data.to_pandas())
        == data.to_polars().columns
        == [*("time", "series", "name", "unit", "min", "max", "avg", "count")]
    )


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_the_error_names_a_library_that_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=f"needs {name}, which is not installed: pip install {name}") as error:
        getattr(DATA, f"to_{name}")()
    assert error.value.name == name


# --- the binary form ---


@given(st.binary(max_size=300))
def test_random_bytes_raise_a_protocol_error(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(junk)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_corrupted_answer_is_decoded_or_raises_a_protocol_error(place: int, change: int) -> None:
    wrong = bytearray(BODY)
    wrong[place] ^= change
    try:
        found = decode(bytes(wrong))
    except ProtocolError:
        return
    assert len(found) == 3


@pytest.mark.parametrize("length", range(len(BODY)))
def test_a_truncated_answer_raises_a_protocol_error(length: int) -> None:
    with pytest.raises(ProtocolError, match="is cut off"):
        decode(BODY[:length])


def header(**changed: float) -> bytes:
    fields: dict[str, Any] = {
        "magic": b"TBH1",
        "tier": 0,
        "flags": 0,
        "zero": 0,
        "start": 0.0,
        "end": 1.0,
        "resolution": 1.0,
        "series": 0,
        "times": 0,
    }
    return HEADER.pack(*(fields | changed).values())


def series(first: int = 0, count: int = 0, form: int = 0, info: bytes = b'{"name":"a","unit":""}') -> bytes:
    return SERIES_HEADER.pack(first, count, len(info), form) + info + bytes(-len(info) % 8)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (header(tier=3), "the tier 3"),
        (header(series=2**32 - 1), "4294967295 series"),
        (header(start=2.0), "an impossible time"),
        (header(start=NAN), "an impossible time"),
        (header(end=1e300), "an impossible time"),
        (header(resolution=NAN), "an impossible time"),
        (header(times=2) + struct.pack("<dd", 5, 5), "do not ascend"),
        (header(times=1) + struct.pack("<d", NAN), "an impossible time"),
        (header(times=2**32 - 1), "is cut off"),
        (header() + b"more", "4 bytes follow"),
        (header(series=1) + series(first=1), "has 0 times from 1 on"),
        (header(series=1) + series(count=1), "has 1 times from 0 on"),
        (header(series=1) + series(form=2), "in the form 2"),
        (header(series=1) + series(info=b"{}"), "is malformed"),
        (header(series=1) + series(info=b"\xff"), "is malformed"),
        (header(series=1) + series(info=b"[" * 100_000), "is malformed"),
        (header(series=2) + series() + series(), "a series twice"),
        (
            header(series=1, times=1) + bytes(8) + series(count=1, form=1) + struct.pack("<4d", 1, 1, 1, NAN),
            "an impossible count",
        ),
    ],
)
def test_a_protocol_error_says_what_is_wrong(wrong: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=re.escape(why)):
        decode(wrong)


# --- asking ---


def answers_of(content: bytes, status: str = "200 OK") -> Iterator[int]:
    with answering(body(content, status=status)) as port:
        yield port


def test_the_answer_of_a_board_is_decoded() -> None:
    for port in answers_of(BODY):
        assert list(tickboard.history(f"http://127.0.0.1:{port}")) == list(DATA)


def test_the_url_has_the_parameters_of_the_question() -> None:
    address = history_url("http://me:word@host:3000/live/?a=1#b", ("cpu*", 'disk{mount="/"}'), "-1d", "now", 10)
    assert address == (
        "http://me:word@host:3000/live/api/history?a=1&from=-1d&to=now&points=10&format=binary"
        "&metrics=cpu%2A&metrics=disk%7Bmount%3D%22%2F%22%7D"
    )
    start = dt.datetime(2026, 1, 31, 13, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert "from=2026-01-31T12%3A00%3A00.000Z&to=1970-01-01T00%3A00%3A01.500Z" in history_url(
        "http://host", (), start, 1.5, 10
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"url": "host:3000"}, "is not the address of a board"),
        ({"url": "ftp://host"}, "is not the address of a board"),
        ({"url": None}, "is not the address of a board"),
        ({"url": "http://ho st"}, "is not the address of a board"),
        ({"url": "http://host:99999"}, "is not the address of a board"),
        ({"start": "yesterday"}, "start=yesterday"),
        ({"end": dt.datetime(2026, 1, 1)}, "give it a timezone"),  # noqa: DTZ001
        ({"points": "many"}, "points='many'"),
        ({"points": 0}, "points=0"),
        ({"points": True}, "points=True"),
        ({"headers": {"a b": "c"}}, "is not a valid header name"),
        ({"headers": {"a": "b\nc"}}, "a line break"),
        ({"timeout": "soon"}, "soon"),
    ],
)
def test_the_error_names_an_invalid_argument(arguments: dict[str, Any], why: str) -> None:
    url = arguments.pop("url", "http://127.0.0.1:1")
    with pytest.raises(InputError, match=re.escape(why)):
        tickboard.history(url, "cpu", **arguments)


@pytest.mark.parametrize("metrics", [("a" * MAX_ADDRESS_BYTES,), (1,)])
def test_invalid_metrics_are_refused(metrics: tuple[Any, ...]) -> None:
    with pytest.raises(InputError, match="metrics"):
        tickboard.history("http://127.0.0.1:1", *metrics)


def test_a_refusal_repeats_the_error_of_the_board() -> None:
    for port in answers_of(b'{"error":"points=9999: give a whole number from 1 to 5000"}', "422 Unprocessable"):
        with pytest.raises(RefusedError) as refused:
            tickboard.history(f"http://me:secret1@127.0.0.1:{port}/?token=secret2", points=9999)
        assert str(refused.value) == (
            f"cannot read the history of http://127.0.0.1:{port}/: the server answered 422: "
            "points=9999: give a whole number from 1 to 5000"
        )


def test_an_unreachable_server_raises_a_refused_error() -> None:
    with pytest.raises(RefusedError, match=r"cannot read the history of http://127\.0\.0\.1:1: "):
        tickboard.history("http://127.0.0.1:1")


@pytest.mark.parametrize("name", HTTP)
def test_a_hostile_server_causes_a_short_error(name: str) -> None:
    with answering(HTTP[name]) as port, pytest.raises((RefusedError, ProtocolError)) as refused:
        tickboard.history(f"http://127.0.0.1:{port}", timeout=1.5)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1_000


def test_an_answer_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["tickboard.client.asking"], "MAX_ANSWER_BYTES", len(BODY) - 1)
    for port in answers_of(BODY):
        with pytest.raises(RefusedError, match=f"longer than {len(BODY) - 1} bytes"):
            tickboard.history(f"http://127.0.0.1:{port}")


def test_headers_are_not_sent_to_another_port_of_the_host() -> None:
    asked: list[bytes] = []

    def there() -> Answers:
        return iter([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY])

    with (
        answering(there, asked) as other,
        answering(body(b"", f"Location: http://127.0.0.1:{other}/api/history", status="302 Found")) as port,
    ):
        tickboard.history(f"http://127.0.0.1:{port}", headers={"X-Token": "secret3"})
    assert len(asked) == 1
    assert b"secret3" not in asked[0]


def test_the_client_imports_neither_the_server_nor_numpy() -> None:
    program = (
        # A measurement of coverage has loaded some modules already.
        "import sys; before = set(sys.modules); import tickboard\n"
        "try: tickboard.history('http://127.0.0.1:1')\n"
        "except tickboard.RefusedError: pass\n"
        "heavy = {'numpy', 'starlette', 'uvicorn', 'sqlite3', 'pandas'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_function_can_be_called_after_its_package_is_imported() -> None:
    import tickboard.history.answers

    for port in answers_of(BODY):
        assert list(tickboard.history(f"http://127.0.0.1:{port}")) == list(DATA)
