"""The input of `tickboard pipe` fails, hangs, ends, floods and contains anything at all; reading continues.

Raises: a read or a receiver that fails. Cancels: the board stops while it reads. Hangs: a command that falls silent.
Returns the wrong type: any bytes. Ends: the end of the input.
"""

import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving import Server, serve, wait_for

from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources import stdin as stdin_module
from tickboard.sources.pipe import Format, Pipe
from tickboard.sources.stdin import Stdin


class CollectingReceiver:
    """A receiver that keeps its input, and fails when a test wants it to."""

    def __init__(self, *errors: BaseException) -> None:
        self.got = b""
        self.errors = list(errors)
        self.ended = anyio.Event()

    def receive(self, data: bytes, now: float) -> Iterator[None]:
        self.got += data
        yield
        if self.errors:
            raise self.errors.pop(0)

    def end(self) -> Iterator[None]:
        self.ended.set()
        yield


class Input:
    """A pipe that is read, and the problems reported for it."""

    def __init__(self, receiver: CollectingReceiver, say: Callable[[str], None] = lambda _: None) -> None:
        self.told: list[str | None] = []
        self.receiver = receiver
        self.descriptor, self.writing = os.pipe()
        self.stdin = Stdin(self.descriptor, receiver, self.told.append, say)

    async def close(self) -> None:
        await self.stdin.close()
        for descriptor in (self.descriptor, self.writing):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(20):
            while not condition():
                await anyio.sleep(0.005)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin_module, "AGAIN_S", 0.01)


# --- the reader ---


async def test_the_input_is_read_to_its_end_and_the_end_is_reported() -> None:
    said: list[str] = []
    one = Input(CollectingReceiver(), said.append)
    await one.stdin.start()
    await one.stdin.start()
    pieces = [b"%d " % number * 500 for number in range(200)]

    def write() -> None:
        for piece in pieces:
            os.write(one.writing, piece)
        os.close(one.writing)

    thread = threading.Thread(target=write)
    thread.start()
    await one.until(lambda: one.told)
    thread.join()
    assert one.receiver.got == b"".join(pieces)
    assert one.receiver.ended.is_set()
    assert one.told == ["the input has ended: the page shows its last values until Ctrl-C"]
    assert said == ["The input has ended; the board stays until Ctrl-C."]
    await one.close()


@pytest.mark.parametrize("error", [RuntimeError("no"), MemoryError(), StopAsyncIteration(), OSError(5, "no")])
async def test_a_receiver_that_fails_is_reported_and_gets_the_next_input(error: Exception) -> None:
    one = Input(CollectingReceiver(error))
    await one.stdin.start()
    os.write(one.writing, b"a")
    await one.until(lambda: one.told)
    assert str(one.told[0]).startswith(type(error).__name__)
    os.write(one.writing, b"b")
    await one.until(lambda: len(one.told) == 2)
    assert (one.told[1], one.receiver.got) == (None, b"ab")
    await one.close()


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), KeyboardInterrupt(), SystemExit(1), StopIteration(), MemoryError()]
)
async def test_a_read_that_fails_is_reported_and_retried(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    one, left, read = Input(CollectingReceiver()), [error, error], os.read

    def fails(descriptor: int, size: int) -> bytes:
        if left:
            raise left.pop()
        return read(descriptor, size)

    monkeypatch.setattr("tickboard.sources.stdin.os.read", fails)
    await one.stdin.start()
    os.write(one.writing, b"a")
    await one.until(lambda: one.receiver.got)
    await one.until(lambda: one.told[-1] is None)
    assert type(error).__name__ in str(one.told[0])
    assert str(one.told[0]).endswith("reading is tried again in 0.01 s")
    await one.close()


async def test_a_closed_terminal_is_reported() -> None:
    terminal, other = os.openpty()
    told: list[str | None] = []
    stdin = Stdin(terminal, CollectingReceiver(), told.append)
    await stdin.start()
    os.close(other)
    os.close(terminal)
    with anyio.fail_after(20):
        while not told:
            await anyio.sleep(0.005)
    assert "Input/output error" in str(told[0])
    await stdin.close()


async def test_reading_from_a_terminal_prints_a_hint() -> None:
    terminal, shown = os.openpty()
    said: list[str] = []
    taker = CollectingReceiver()
    stdin = Stdin(shown, taker, lambda _: None, said.append)
    await stdin.start()
    assert said == [
        "Reading what you type here; or pipe the output of a command into it: some-command | tickboard pipe"
    ]
    os.write(terminal, b"load 1\n")
    with anyio.fail_after(20):
        while taker.got != b"load 1\n":
            await anyio.sleep(0.005)
    await stdin.close()
    os.write(terminal, b"\n")
    os.close(terminal)
    os.close(shown)


async def test_a_non_blocking_input_is_polled() -> None:
    one = Input(CollectingReceiver())
    os.set_blocking(one.descriptor, False)
    await one.stdin.start()
    await anyio.sleep(0.05)
    for number in range(3):
        os.write(one.writing, b"%d" % number)
        await one.until(lambda: len(one.receiver.got) == number + 1)  # noqa: B023  # it is called here alone
    assert (one.receiver.got, one.told) == (b"012", [])
    await one.close()


async def test_long_silence_is_reported_until_input_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin_module, "SILENT_S", 0.02)
    one = Input(CollectingReceiver())
    await one.stdin.start()
    await one.until(lambda: one.told)
    assert "the command prints nothing, hangs, or keeps its output in a buffer" in str(one.told[0])
    os.write(one.writing, b"a")
    await one.until(lambda: len(one.told) >= 2)
    assert one.told[1] is None
    await one.close()


async def test_a_failing_problem_or_message_callback_stops_nothing() -> None:
    def fails(*_: object) -> None:
        raise BrokenPipeError

    one = Input(CollectingReceiver(RuntimeError("no")), fails)
    one.stdin._report_to = fails
    await one.stdin.start()
    os.write(one.writing, b"a")
    await one.until(lambda: not one.receiver.errors)
    os.write(one.writing, b"b")
    os.close(one.writing)
    await one.until(one.receiver.ended.is_set)
    assert one.receiver.got == b"ab"
    await one.close()


async def test_nothing_is_received_after_closing() -> None:
    one = Input(CollectingReceiver())
    await one.stdin.start()
    await one.stdin.close()
    os.write(one.writing, b"load 1\n")
    os.close(one.writing)
    assert one.stdin._thread is not None
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(one.stdin._thread.join)
    await anyio.lowlevel.checkpoint()
    assert (one.receiver.got, one.told) == (b"", [])
    os.close(one.descriptor)


async def test_the_event_loop_runs_between_two_steps_of_a_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin_module, "SLICE_S", 0.0)
    taken = asyncio.Event()

    class Endless(CollectingReceiver):
        def receive(self, data: bytes, now: float) -> Iterator[None]:
            while not taken.is_set():
                yield

    one = Input(Endless())
    await one.stdin.start()
    os.write(one.writing, b"a")
    # The point is that this is reached at all.
    await anyio.sleep(0.05)
    taken.set()
    os.close(one.writing)
    await one.until(one.receiver.ended.is_set)
    await one.close()


async def test_a_folder_is_reported(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    told: list[str | None] = []
    stdin = Stdin(folder, CollectingReceiver(), told.append)
    os.close(folder)
    await stdin.start()
    with anyio.fail_after(20):
        while not told:
            await anyio.sleep(0.005)
    assert "Is a directory" in str(told[0])
    await stdin.close()


def test_a_closed_input_raises_one_error_at_once() -> None:
    closed = os.open(os.devnull, os.O_RDONLY)
    os.close(closed)
    with pytest.raises(InputError, match=r"the input can't be read \(Bad file descriptor\): pipe the output"):
        Stdin(closed, CollectingReceiver(), lambda _: None)


# --- the content of a line ---

WELL = b"\nload 7\n"


def read(data: bytes, form: Format, pieces: int = 1) -> tuple[dict[str, float], int]:
    """Return the values and the number of malformed lines after reading some input in pieces."""
    registry = Registry(1_000)
    intake = Intake(registry)
    engine = Engine(registry, [], 60, "e", lambda: "id", intake)
    source = intake.source("pipe")
    pipe = Pipe(source, lambda _: None, form)
    size = max(1, len(data) // pieces)
    for start in range(0, len(data), size):
        for _ in pipe.receive(data[start : start + size], 0.0):
            pass
    for _ in pipe.end():
        pass
    row = engine.tick(1_000.0, 1.0).row
    values = {one.key: float(row[one.column]) for one in registry.series if not math.isnan(row[one.column])}
    return values, source.malformed


LINES = {
    "a time of 400 digits": b'{"time": 1' + b"0" * 400 + b', "a": 2}',
    "a time of 5,000 digits": b'{"time": 1' + b"0" * 5_000 + b', "a": 2}',
    "a time of 400 digits in a Metric": b'{"name": "a", "value": 2, "timestamp": 1' + b"0" * 400 + b"}",
    "a time that is not a number": b'{"time": NaN, "a": 2}',
    "a time beyond all numbers": b'{"time": 1e999, "a": 2}',
    "a time beyond the calendar": b'{"time": 1e300, "a": 2}',
    "a time before 1970": b'{"time": -1, "a": 2}',
    "a time that is true": b'{"time": true, "a": 2}',
    "a time that is a list": b'{"time": [1], "a": 2}',
    "a time in the year 0": b'{"time": "0000-01-01", "a": 2}',
    "a value of 400 digits": b'{"a": 1' + b"0" * 400 + b"}",
    "a value of 5,000 digits": b'{"a": 1' + b"0" * 5_000 + b"}",
    "a value of a Metric of 400 digits": b'{"name": "a", "value": 1' + b"0" * 400 + b"}",
    "a value that is true": b'{"name": "a", "value": true}',
    "lists nested too deeply": b'{"a": ' + b"[" * 60_000,
    "objects nested too deeply": b'{"a": ' * 10_000,
    "a label nested too deeply": b'{"name": "a", "value": 1, "labels": {"b": ' + b"[" * 500 + b"]" * 500 + b"}, }",
    "a name of a lone surrogate": b'{"name": "\\ud800", "value": 1}',
    "text of NUL bytes": b"\0" * 1_000,
    "a name with a NUL byte": b"a\0b 1",
    "not UTF-8": b"\xff\xfe\xfd",
    "an endless line": b"x" * 300_000,
    "half an object": b'{"a": ',
    "words": b"no number here",
}


@pytest.mark.parametrize("what", LINES)
@pytest.mark.parametrize("form", ["auto", "json", "lines", "csv"])
def test_any_malformed_line_is_counted_and_the_next_one_is_read(what: str, form: Format) -> None:
    well = {"json": b'\n{"load": 7}\n', "csv": b"\n7\n"}.get(form, WELL)
    begin = b"load\n" if form == "csv" else b""
    values, malformed = read(begin + LINES[what] + well, form)
    assert values["load"] == 7
    assert malformed == 1


CSV_TIMES = [b"1" + b"0" * 400, b"nan", b"inf", b"-1", b"1e300", b"noon", b"0000-01-01", b"\xff", b"9" * 5_000]


@pytest.mark.parametrize("time", CSV_TIMES)
def test_a_row_with_an_invalid_time_is_counted_and_the_next_one_is_read(time: bytes) -> None:
    values, malformed = read(b"time,load\n1000,1\n" + time + b",2\n1000,7\n", "auto")
    assert (values, malformed) == ({"load": 7}, 1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.integers(-(10**400), 10**400)
    | st.sampled_from(["time", "name", "value", "labels", 10**400, -(10**18), 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(
    st.sampled_from(["time", "ts", "date", "name", "value", "unit", "labels", "timestamp", "cpu", "host"]), json_values
)


@given(objects)
def test_after_any_object_the_next_line_is_read(found: dict[str, object]) -> None:
    values, _ = read(json.dumps(found).encode() + WELL, "auto")
    assert values["load"] == 7


cells = st.sampled_from(["time", "cpu (%)", "1", "1e400", "nan", "x", "", '"', "N/A", "2026-11-24", "{", "#", "9" * 50])


@given(st.lists(st.lists(cells, max_size=4).map(",".join), max_size=6), st.integers(1, 9))
def test_after_any_csv_the_next_row_is_read(lines: list[str], pieces: int) -> None:
    text = "load,other\n1,2\n" + "\n".join(lines) + "\n7,8\n"
    values, _ = read(text.encode(), "auto", pieces)
    assert (values["load"], values["other"]) == (7, 8)


@given(st.binary(max_size=300), st.sampled_from(["auto", "lines"]), st.integers(1, 20))
def test_after_any_bytes_the_next_line_is_read(data: bytes, form: Format, pieces: int) -> None:
    # Input that begins as CSV stays CSV.
    values, _ = read(b"load 1\n" + data + WELL, form, pieces)
    assert values["load"] == 7


# --- the program ---


def value(server: Server, name: str) -> float | None:
    found = [one["value"] for one in server.json("/api/metrics/recent?count=50") if one["name"] == name]
    return found[-1] if found else None


def problems(server: Server) -> dict[str, str]:
    return {one["source"]: one["message"] for one in server.json("/api/board").get("problems") or []}


def write(server: Server, data: bytes) -> None:
    assert server.process.stdin is not None
    server.process.stdin.buffer.write(data)  # type: ignore[attr-defined]
    server.process.stdin.flush()


def test_a_time_of_400_digits_does_not_stop_the_pipe() -> None:
    with serve("pipe", "--interval", "50ms", stdin=subprocess.PIPE) as server:
        write(server, LINES["a time of 400 digits"] + b"\n" + b"load 1\nHello, world\nload 2\n")
        wait_for(lambda: value(server, "load") == 2)
        assert problems(server)["pipe"].startswith('line 1, \'{"time": 1000')


def test_a_flood_slows_neither_ticks_nor_the_page_and_the_writer_waits() -> None:
    flood = "import sys\nwhile True: sys.stdout.write('a 1\\n' * 10000)"
    with subprocess.Popen([sys.executable, "-c", flood], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        with serve("pipe", "--interval", "50ms", stdin=writer.stdout.fileno()) as server:
            wait_for(lambda: value(server, "a") == 1)
            first = server.json("/api/health")["seq"]
            wait_for(lambda: server.json("/api/health")["seq"] > first + 20)
            assert problems(server) == {}
        writer.kill()


def test_the_end_of_the_input_is_reported_on_the_page() -> None:
    with serve("pipe", "--interval", "50ms", stdin=subprocess.DEVNULL) as server:
        wait_for(lambda: "standard input" in problems(server))
        assert problems(server)["standard input"].startswith("the input has ended")
        wait_for(lambda: "The input has ended" in server.output())


def test_a_closed_input_ends_the_program_with_one_line() -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m tickboard pipe --port 0 <&-"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("tickboard: standard input is closed: pipe shows what a command prints")
    assert ended.stderr.count("\n") == 1
