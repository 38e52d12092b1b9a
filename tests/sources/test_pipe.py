"""What commands print, in the three kinds of lines, into series; what can't be read is left out and told once."""

import math
import os
import threading

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.intake import Intake
from tickboard.series import Registry
from tickboard.sources import pipe as pipe_module
from tickboard.sources.pipe import Format, Pipe, parse_time
from tickboard.sources.stdin import Stdin


class Bench:
    def __init__(self, form: Format = "auto", max_series: int = 1_000) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("pipe")
        self.told: list[str] = []
        self.pipe = Pipe(self.source, self.told.append, form)
        self.time = 1_000.0

    def take(self, text: str | bytes) -> dict[str, float]:
        self.pipe.receive(text.encode() if isinstance(text, str) else text)
        self.pipe.end()
        self.time += 1
        row = self.engine.tick(self.time, 1.0).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}


@pytest.mark.parametrize(
    ("line", "key", "value", "unit"),
    [
        ("load 1.52", "load", 1.52, ""),
        ("  temp   31.5   °C  ", "temp", 31.5, "°C"),
        ("temp 31.5°C", "temp", 31.5, "°C"),
        ("queue=12", "queue", 12, ""),
        ("queue: -3e2 jobs waiting", "queue", -300, "jobs waiting"),
        ('temp{room="the \\"attic\\"", floor=3} 4 C', 'temp{floor="3",room="the \\"attic\\""}', 4, "C"),
        ("17.4", "value", 17.4, ""),
        ("17.4 ms", "value", 17.4, "ms"),
        (".5", "value", 0.5, ""),
        ("disk_used_bytes 7", "disk_used_bytes", 7, "B"),
    ],
)
def test_a_line_is_a_name_a_value_and_a_unit(line: str, key: str, value: float, unit: str) -> None:
    bench = Bench()
    assert bench.take(line) == {key: value}
    assert bench.registry.series[0].metric.unit == unit
    assert bench.told == []


def test_no_number_is_no_value() -> None:
    assert Bench().take("load 3\nload nan\n") == {}


def test_json_lines_are_metrics_or_objects_of_numbers() -> None:
    bench = Bench()
    found = bench.take(
        '{"name": "queue", "value": 3, "unit": "jobs", "labels": {"worker": 1}}\n'
        '{"cpu": 12.5, "mem": 40, "ok": true, "host": "a", "time": "1970-01-01T00:16:40.5Z", "more": [1]}\n'
    )
    assert found == {'queue{worker="1"}': 3, 'cpu{host="a"}': 12.5, 'mem{host="a"}': 40}
    assert bench.registry.metrics["queue"].unit == "jobs"


def test_csv_has_a_header_labels_and_times() -> None:
    bench = Bench()
    found = bench.take('time,host,"cpu (%)",mem\n1000.5,web-1,12.5,40\n1000.6,web-2,,50\n1000.7,"web-1",13,\n')
    assert found == {'cpu{host="web-1"}': 13, 'mem{host="web-1"}': 40, 'mem{host="web-2"}': 50}
    assert bench.registry.metrics["cpu"].unit == "%"


def test_csv_without_a_header_has_numbered_columns() -> None:
    assert Bench().take("1,2\n3,4\n") == {"column1": 3, "column2": 4}


def test_a_column_of_texts_stays_a_label() -> None:
    assert Bench().take("host,cpu\nweb,1\n7,2\n") == {'cpu{host="web"}': 1, 'cpu{host="7"}': 2}


def test_a_form_that_is_given_is_not_told_from_the_lines() -> None:
    assert Bench("lines").take("a,b 3\n") == {"a_b": 3}
    assert Bench("csv").take("cpu\n3\n") == {"cpu": 3}
    bench = Bench("json")
    bench.take("cpu 3")
    assert "not a JSON object" in bench.told[0]


def test_a_line_may_come_in_pieces() -> None:
    bench = Bench()
    for piece in (b"lo", b"ad 1", b".5\r", b"\n\n", b"temp 3"):
        bench.pipe.receive(piece)
    assert bench.take("1 °C") == {"load": 1.5, "temp": 31}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("no number here", "write a name, a value"),
        ("load one", "write a name, a value"),
        ("t{room} 3", "labels {room}"),
        ('{"cpu": ', "not a JSON object"),
        ("{" * 50_000, "not a JSON object"),
        ('{"a": "b"}', "no number in it"),
        ('{"name": "a", "value": "b"}', "must be a number"),
        ('{"name": "a", "value": 1, "labels": 3}', "must be a number"),
        ('{"cpu": 1, "time": "noon"}', "'noon' is no time"),
        ('{"cpu": 1' + "0" * 400 + "}", "too large"),
        ("a,b\n1", "1 cells, and the first line has 2"),
        ('a,b\n1,"2', "not CSV"),
        ("a,b\nx,y", "no number in it"),
        ("x" * 70_000 + " 1", "more than 65536 bytes"),
        ("--- 1", "name '---'"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_number(text: str, wrong: str) -> None:
    bench = Bench()
    bench.pipe.receive(b"\n")
    bench.take(f"{text}\n{text}\n")
    [told] = bench.told
    assert told.startswith("line ")
    assert wrong in told
    assert len(told) < 400
    assert bench.source.malformed >= 1
    bench.take("good 1" if "," not in text else "5,6")


def test_beyond_the_limit_of_series_it_is_told() -> None:
    bench = Bench(max_series=1)
    assert bench.take("a 1\nb 2\na 3\n") == {"a": 3}
    assert "1 series" in bench.told[0]


def test_a_line_without_end_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_module, "MAX_LINE_BYTES", 100)
    bench = Bench()
    for _ in range(50):
        bench.pipe.receive(b"x" * 90)
        assert len(bench.pipe._rest) <= 100
    assert bench.take("\nload 1\n") == {"load": 1}
    assert bench.source.malformed == 1


@given(st.binary(max_size=300), st.sampled_from(["auto", "lines", "json", "csv"]))
def test_nothing_that_comes_in_is_an_exception(data: bytes, form: Format) -> None:
    Bench(form).take(data)


@given(
    st.lists(
        st.sampled_from(['{"a":', "1", "}", "a ", ",", '"', "\n", "{", "=", "nan", "x", " ", "time", ":"]), max_size=40
    )
)
def test_nothing_that_looks_like_a_line_is_an_exception(parts: list[str]) -> None:
    Bench().take("".join(parts))


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-11-24T10:00:00Z", 1795514400.0),
        ("2026-11-24 11:00:00+01:00", 1795514400.0),
        ("2026-11-24 10:00:00", 1795514400.0),
        (1795514400, 1795514400.0),
        ("1795514400500", 1795514400.5),
    ],
)
def test_times(value: object, time: float) -> None:
    assert parse_time(value) == time


@pytest.mark.parametrize("value", ["noon", "", None, True, "nan", "9999-99-99"])
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(InputError, match="is no time"):
        parse_time(value)


async def test_standard_input_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    got: list[bytes] = []
    ended = anyio.Event()
    stdin = Stdin(reading, got.append, ended.set)
    await stdin.start()
    await stdin.start()

    def write() -> None:
        for number in range(200):
            os.write(writing, b"%d " % number * 500)
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    with anyio.fail_after(10):
        await ended.wait()
    thread.join()
    assert b"".join(got) == b"".join(b"%d " % number * 500 for number in range(200))
    await stdin.close()


async def test_after_it_is_closed_nothing_comes() -> None:
    reading, writing = os.pipe()
    stdin = Stdin(reading, lambda data: pytest.fail(f"{data!r} came"), lambda: None)
    await stdin.start()
    await stdin.close()
    os.write(writing, b"load 1\n")
    os.close(writing)
    assert stdin._thread is not None
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(stdin._thread.join)
    await anyio.lowlevel.checkpoint()
