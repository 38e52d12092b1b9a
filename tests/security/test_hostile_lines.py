"""Hostile lines in the input of `tickboard pipe`: each is read or skipped, and then the next is read."""

import pytest

from tickboard import Board
from tickboard.settings import Settings
from tickboard.sources.pipe import Pipe

LINES: dict[str, bytes] = {
    "nested": b'{"a":' + b"[" * 60_000,
    "nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a number of many digits": b'{"a":' + b"9" * 60_000 + b"}",
    "many columns": b",".join(b"c%d" % number for number in range(9_000)),
    "many labels": b"a{" + b",".join(b'l%d="x"' % number for number in range(5_000)) + b"} 1",
    "a label of quotes": b'a{b="' + b'\\"' * 30_000 + b'"} 1',
    "quotes": b'a,"' + b'"' * 60_000,
    "braces": b"{" * 60_000,
    "equals": b"a=" * 30_000,
    "an endless line": b"a" * 5_000_000 + b" 1",
    "NUL": b"a\0 1",
    "a time without a valid year": b'{"name":"a","value":1,"timestamp":"99999-01-01T00:00:00Z"}',
}


@pytest.mark.parametrize("name", LINES)
def test_an_unreadable_line_is_skipped_and_reported_in_one_line(name: str) -> None:
    board = Board()
    board.prepare(Settings())
    source = board.intake.source("stdin")
    told: list[str | None] = []
    pipe = Pipe(source, told.append)
    data = b"good 1\n" + LINES[name] + b"\ngood 2\n"
    for start in range(0, len(data), 2**16):
        for _ in pipe.receive(data[start : start + 2**16], 0.0):
            pass
    assert source.malformed == 1
    assert [one.key for one in board.registry.series] == ["good"]
    [said] = told
    assert said is not None
    assert said.startswith("line 2, ")
    assert said.isprintable()
    assert len(said) < 1_000


@pytest.mark.parametrize("value", ["NaN", "inf", "-Infinity", "1e400", "9" * 60_000])
def test_a_value_of_any_length_is_read(value: str) -> None:
    board = Board()
    board.prepare(Settings())
    told: list[str | None] = []
    pipe = Pipe(board.intake.source("stdin"), told.append)
    for _ in pipe.receive(f"a {value}\nb 1\n".encode(), 0.0):
        pass
    assert not told
    board.hub.engine.tick(1.0, 1.0)
    assert [one.key for one in board.registry.series] == ["a", "b"]
