"""Output of commands in the three line formats becomes series; unreadable lines are skipped and reported once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.problems import QUIET_S
from tickboard.sources import pipe as pipe_module
from tickboard.sources.pipe import Format, Pipe
from tickboard.sources.rows import sample_time


class Bench:
    def __init__(self, form: Format = "auto", max_series: int = 1_000) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("pipe")
        self.told: list[str | None] = []
        self.pipe = Pipe(self.source, self.told.append, form)
        self.time = 1_000.0
        self.now = 0.0

    def receive(self, data: bytes) -> None:
        for _ in self.pipe.receive(data, self.now):
            pass

    def take(self, text: str | bytes) -> dict[str, float]:
        self.receive(text.encode() if isinstance(text, str) else text)
        for _ in self.pipe.end():
            pass
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


def test_nan_clears_the_value() -> None:
    assert Bench().take("load 3\nload nan\n") == {}


def test_json_lines_are_metrics_or_objects_of_numbers() -> None:
    bench = Bench()
    found = bench.take(
        '{"name": "queue", "value": 3, "unit": "jobs", "labels": {"worker": 1}}\n'
        '{"cpu": 12.5, "mem": 40, "ok": true, "host": "a", "time": "1970-01-01T00:16:40.5Z", "more": [1]}\n'
    )
    assert found == {'queue{worker="1"}': 3, 'cpu{host="a"}': 12.5, 'mem{host="a"}': 40}
    assert bench.registry.metrics["queue"].unit == "jobs"


def test_csv_may_have_a_header_labels_and_times() -> None:
    bench = Bench()
    found = bench.take('time,host,"cpu (%)",mem\n1000.5,web-1,12.5,40\n1000.6,web-2,,50\n1000.7,"web-1",13,\n')
    assert found == {'cpu{host="web-1"}': 13, 'mem{host="web-1"}': 40, 'mem{host="web-2"}': 50}
    assert bench.registry.metrics["cpu"].unit == "%"


def test_csv_without_a_header_has_numbered_columns() -> None:
    assert Bench().take("1,2\n3,4\n") == {"column1": 3, "column2": 4}


def test_a_text_column_stays_a_label() -> None:
    assert Bench().take("host,cpu\nweb,1\n7,2\n") == {'cpu{host="web"}': 1, 'cpu{host="7"}': 2}


AUTO = [
    ("load 1\nHello, world\nload 2\n", {"load": 2}, 1),
    ("Hello, world\nload 2\n", {"load": 2}, 1),
    ("Starting up, please wait\nLoaded 5 files, 3 new, 1 gone\nload 2\n", {"load": 2}, 2),
    ("Starting up, please wait\ncpu,mem\n1,2\n", {"cpu": 1, "mem": 2}, 1),
    ("Welcome\ncpu,mem\n1,2\n", {"cpu": 1, "mem": 2}, 1),
    ('Hello, world\n{"cpu": 1, "mem": 2}\nnext, line\nload 3', {"cpu": 1, "mem": 2, "load": 3}, 2),
    ('{"cpu": 1}\nHello, world\n{"cpu": 2}\n', {"cpu": 2}, 1),
    ("load 1\n1,2\nload 2", {"load": 2}, 1),
    ("cpu,mem\n1,2\nload 2\n3,4\n", {"cpu": 3, "mem": 4}, 1),
    ('cpu,mem\n1,2\n{"other": 5, "more": 6}\n', {"cpu": 1, "mem": 2, "other": 5, "more": 6}, 0),
    ("cpu,mem\n1,2\ncpu,mem\n3,4\n", {"cpu": 3, "mem": 4}, 0),
    ("cpu,mem\ncpu,mem\n3,4\n", {"cpu": 3, "mem": 4}, 1),
    ("Hello, world\n" * 3, {}, 3),
    ("load 31,5\nload 31,6\n", {}, 2),
    ("\n\n  \n# a comment, with a comma\ncpu,mem\n\n1,2\n# 5\n", {"cpu": 1, "mem": 2}, 0),
    ("# a comment, with a comma\nload 1\n", {"load": 1}, 0),
    ('temp{a="b",c="d"} 3\nHello, world\nload 2', {'temp{a="b",c="d"}': 3, "load": 2}, 1),
]


@pytest.mark.parametrize(("text", "found", "malformed"), AUTO)
def test_only_a_first_line_followed_by_a_row_starts_csv(text: str, found: dict[str, float], malformed: int) -> None:
    bench = Bench()
    assert bench.take(text) == found
    assert bench.source.malformed == malformed
    assert len(bench.told) == min(1, malformed)


def test_a_number_column_stays_one_despite_other_content() -> None:
    bench = Bench()
    assert bench.take("host,cpu\nweb,1\nweb,N/A\nweb,-\nweb,oops\nweb,2\n") == {'cpu{host="web"}': 2}
    assert bench.source.malformed == 3


def test_columns_with_equal_or_empty_names_stay_separate() -> None:
    assert Bench().take(",cpu,cpu\n5,1,2\n") == {"column1": 5, "cpu": 1, "cpu_3": 2}


def test_a_byte_order_mark_at_the_start_is_ignored() -> None:
    for text, found in (
        ("cpu 1\n", {"cpu": 1}),
        ("cpu,mem\n1,2\n", {"cpu": 1, "mem": 2}),
        ('{"cpu": 1}\n', {"cpu": 1}),
    ):
        bench = Bench()
        for byte in b"\xef\xbb\xbf" + text.encode():
            bench.receive(bytes([byte]))
        assert bench.take("") == found
        assert bench.source.malformed == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_reported_as_one_clear_problem(encoding: str) -> None:
    bench = Bench()
    assert bench.take("cpu 1\ncpu 2\n".encode(encoding)) == {}
    [told] = bench.told
    assert "it has NUL bytes, like UTF-16: write UTF-8, for example with iconv" in str(told)


def test_labels_that_are_not_utf_8_stay_different() -> None:
    found = Bench().take(b'temp{room="K\xfcche"} 1\ntemp{room="K\xf6che"} 2\n')
    assert sorted(found.values()) == [1, 2]


def test_the_problem_is_cleared_after_a_while_without_unreadable_lines() -> None:
    bench = Bench()
    bench.receive(b"what?\n")
    bench.now += QUIET_S - 1
    bench.receive(b"what?\nload 1\n")
    bench.now += QUIET_S - 1
    bench.receive(b"load 1\n")
    assert len(bench.told) == 1
    bench.now += 1
    bench.receive(b"load 1\n")
    assert bench.told[1:] == [None]
    bench.receive(b"what?\n")
    assert str(bench.told[2]).startswith("line 6, 'what?': ")


def test_a_wide_row_is_read_in_steps_and_refused_series_block_no_others() -> None:
    bench = Bench(max_series=150)
    row = "{" + ", ".join(f'"m{number}": {number}' for number in range(200)) + "}\n"
    assert sum(1 for _ in bench.pipe.receive(row.encode(), 0.0)) > 3
    for _ in bench.pipe.receive(b'{"new": 1, "m0": 5}\n', 0.0):
        pass
    found = bench.take("")
    assert (len(found), found["m0"], found["m149"]) == (150, 5, 149)


def test_an_explicit_format_is_not_detected_from_the_lines() -> None:
    assert Bench("lines").take("a,b 3\n") == {"a_b": 3}
    assert Bench("csv").take("cpu\n3\n") == {"cpu": 3}
    bench = Bench("json")
    bench.take("cpu 3")
    assert "not a JSON object" in str(bench.told[0])


def test_a_line_may_arrive_in_pieces() -> None:
    bench = Bench()
    for piece in (b"lo", b"ad 1", b".5\r", b"\n\n", b"temp 3"):
        bench.receive(piece)
    assert bench.take("1 °C") == {"load": 1.5, "temp": 31}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("no number here", "write a name, a value"),
        ("load one", "write a name, a value"),
        ("t{room} 3", "labels {room}"),
        ('{"cpu": ', "not a JSON object"),
        ("{" * 50_000, "not a JSON object"),
        ('{"a": "b"}', "it has no number"),
        ('{"name": "a", "value": "b"}', "must be a number"),
        ('{"name": "a", "value": 1, "labels": 3}', "must be a number"),
        ('{"cpu": 1, "time": "noon"}', "'noon' is not a time"),
        ('{"cpu": 1' + "0" * 400 + "}", "too large"),
        ("a,b\n1,2\n1", "1 cells, but the first line has 2"),
        ('a,b\n1,"2', "not CSV"),
        ("a,b\nx,", "it has no number"),
        ("a,b\n1,2\n1,x", "column 'b': 'x' is not a number, unlike those before it"),
        ("load 5 " + "of all that there is" * 3, "has more than 40 characters"),
        ("12:30:05 started", "name '12:30' has no letter"),
        ("load 31,5", "it is neither a name and a value nor the first line of CSV"),
        ("load 5 2", "write a name, a value"),
        ("load info", "write a name, a value"),
        ('{"cpu": NaN}', "NaN is not JSON: send null"),
        ("x" * 70_000 + " 1", "more than 65536 bytes"),
        ("--- 1", "name '---'"),
    ],
)
def test_an_unreadable_line_is_reported_with_its_number(text: str, wrong: str) -> None:
    bench = Bench()
    bench.receive(b"\n")
    bench.take(f"{text}\n{text}\n")
    [told] = bench.told
    assert told is not None
    assert told.startswith("line ")
    assert wrong in told
    assert len(told) < 400
    assert bench.source.malformed >= 1
    bench.take("good 1" if "," not in text else "5,6")


def test_exceeding_the_limit_of_series_is_reported() -> None:
    bench = Bench(max_series=1)
    assert bench.take("a 1\nb 2\na 3\n") == {"a": 3}
    assert "1 series" in str(bench.told[0])


def test_an_endless_line_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_module, "MAX_LINE_BYTES", 100)
    bench = Bench()
    for _ in range(50):
        bench.receive(b"x" * 90)
        assert len(bench.pipe._rest) <= 100
    assert bench.take("\nload 1\n") == {"load": 1}
    assert bench.source.malformed == 1


@given(st.binary(max_size=300), st.sampled_from(["auto", "lines", "json", "csv"]))
def test_no_bytes_raise_an_exception(data: bytes, form: Format) -> None:
    Bench(form).take(data)


@given(
    st.lists(
        st.sampled_from(['{"a":', "1", "}", "a ", ",", '"', "\n", "{", "=", "nan", "x", " ", "time", ":"]), max_size=40
    )
)
def test_no_text_of_plausible_parts_raises_an_exception(parts: list[str]) -> None:
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
def test_times_are_parsed(value: object, time: float) -> None:
    assert sample_time(value) == time


@pytest.mark.parametrize(
    "value",
    [
        "noon", "", None, True, "nan", "9999-99-99", math.nan, math.inf, -1, "-1", 10**400, "9" * 400, 1e300, [], {},
        pytest.param(10**5_000, id="many digits"), "\ud800", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
        253_402_300_800_000,
    ],
)  # fmt: skip
def test_an_invalid_time_raises_an_input_error(value: object) -> None:
    with pytest.raises(InputError, match="is not a time") as caught:
        sample_time(value)
    assert len(str(caught.value)) < 200
