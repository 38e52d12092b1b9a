"""Nothing that happens to standard output or standard error stops or delays the server."""

import contextlib
import fcntl
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.serving import wait_for
from websockets.sync.client import connect

from tickboard.errors import OutputError
from tickboard.output.terminal import ERRORS, MAX_CHARACTERS, Answers, LogHandler, Printer, put

DASHBOARD = """
from tickboard import Board
board = Board("Br\\u00fccke \\u00fc", interval_ms=50)
cpu = board.gauge("cpu_usage", "CPU \\u00b0", unit="\\u00b0C")
"""


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(DASHBOARD)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def shell(line: str, *arguments: str | Path, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a line of shell, in which "$@" is tickboard with these arguments, while the context is open."""
    command = [sys.executable, "-m", "tickboard", *map(str, arguments)]
    process = subprocess.Popen(
        ["sh", "-c", f"exec {line}" if "|" not in line else line, "sh", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | environ,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=20)


def answers(port: int) -> bool:
    try:
        return bool(httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=5).json()["seq"] > 2)
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    ("line", "environ"),
    [
        ('"$@" >&-', {}),
        ('"$@" 2>&-', {}),
        ('"$@" <&- >&- 2>&-', {}),
        ('"$@" >/dev/full 2>/dev/full', {}),
        ('"$@" >/dev/full', {"PYTHONUNBUFFERED": "1"}),
        ('"$@"', {"PYTHONIOENCODING": "ascii"}),
        ('"$@"', {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    ],
)
def test_a_board_is_served_even_if_its_output_cannot_be_written(
    line: str, environ: dict[str, str], dashboard: Path
) -> None:
    port = free_port()
    with shell(line, "run", dashboard, "--port", str(port), "--log-level", "debug", **environ) as process:
        wait_for(lambda: answers(port))
        with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
            viewer.recv(10)
        process.terminate()
        assert process.wait(20) == 0


def test_the_descriptors_of_closed_streams_are_not_reused(dashboard: Path, tmp_path: Path) -> None:
    port, state = free_port(), tmp_path / "alerts.sqlite"
    with shell('"$@" <&- >&- 2>&-', "run", dashboard, "--port", str(port), "--state", str(state)) as process:
        wait_for(lambda: answers(port))
        assert {str(Path(f"/proc/{process.pid}/fd/{number}").readlink()) for number in (0, 1, 2)} == {os.devnull}


def test_closing_the_reading_end_of_standard_output_stops_nothing(dashboard: Path) -> None:
    port = free_port()
    with shell('"$@"', "dev", dashboard, "--port", str(port)) as process:
        wait_for(lambda: answers(port))
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        dashboard.write_text(DASHBOARD + "board.gauge('more')\n")
        wait_for(lambda: "more" in httpx.get(f"http://127.0.0.1:{port}/api/board").text)
        dashboard.write_text(DASHBOARD + "board.gauge('even_more')\n")
        wait_for(lambda: "even_more" in httpx.get(f"http://127.0.0.1:{port}/api/board").text)
        assert "problems" not in httpx.get(f"http://127.0.0.1:{port}/api/board").json()
        process.terminate()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""
        process.stdout = None  # communicate would read it


def test_a_full_pipe_on_standard_output_blocks_nothing(dashboard: Path) -> None:
    """The pipe is full from the start, like a paused terminal: every write to it blocks for ever."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tickboard", "run", str(dashboard), "--port", str(port), "--log-level", "info"],
        stdout=writing,
        stderr=writing,
    )
    try:
        wait_for(lambda: answers(port))
        for _ in range(3):
            with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
                viewer.recv(10)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        os.close(reading)
        os.close(writing)


PRINTS = (
    DASHBOARD
    + """
import sys
print("loading \u00fc", flush=True)

@board.every()
def sample():
    print("x" * 20_000, flush=True)
    print("y" * 20_000, file=sys.stderr, flush=True)
    assert sys.stdout.encoding
    cpu.set(1)
"""
)


@pytest.mark.parametrize("to", [">&- 2>&-", ">/dev/full 2>/dev/full", "2>&1 | sleep 60", "2>&1 | true"])
def test_a_dashboard_file_may_print(to: str, dashboard: Path) -> None:
    dashboard.write_text(PRINTS)
    port = free_port()
    with shell(f'"$@" {to}', "run", dashboard, "--port", str(port), PYTHONUNBUFFERED="1"):
        wait_for(lambda: answers(port))
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/api/stats").json()["cpu"]["count"] > 10)
        assert "problems" not in httpx.get(f"http://127.0.0.1:{port}/api/board").json()


def test_output_of_a_dashboard_file_is_printed_in_order(dashboard: Path) -> None:
    dashboard.write_text(DASHBOARD + "for number in range(3_000):\n    print('line', number)\n")
    port = free_port()
    with shell('"$@"', "run", dashboard, "--port", str(port)) as process:
        wait_for(lambda: answers(port))
        process.terminate()
        output, _ = process.communicate(timeout=20)
    lines = output.decode().splitlines()
    assert lines[:3_000] == [f"line {number}" for number in range(3_000)]
    assert "is live at" in lines[3_000]


@pytest.mark.parametrize("arguments", [["check", "FILE"], ["schema"], ["--help"], ["--version"], ["check", "--help"]])
@pytest.mark.parametrize(("to", "why"), [(">/dev/full", b"No space left"), (">&-", b"it is closed")])
def test_a_command_whose_output_cannot_be_written_fails(
    arguments: list[str], to: str, why: bytes, dashboard: Path
) -> None:
    arguments_with_file = [str(dashboard) if each == "FILE" else each for each in arguments]
    with shell(f'"$@" {to}', *arguments_with_file) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.startswith(b"tickboard: standard output cannot be written to: ")
    assert why in errors
    assert errors.count(b"\n") == 1


def test_closing_the_pipe_early_causes_no_error_message() -> None:
    with shell('"$@" | true', "schema") as process:
        _, errors = process.communicate(timeout=20)
    assert errors == b""


def test_characters_that_the_terminal_lacks_are_escaped(dashboard: Path) -> None:
    with shell('"$@"', "check", dashboard, PYTHONIOENCODING="ascii") as process:
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert rb"'Br\xfccke \xfc'" in output


def test_a_pipe_without_standard_input_is_refused_in_one_line() -> None:
    with shell('"$@" <&-', "pipe") as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert errors.startswith(b"tickboard: standard input is closed: ")


# --- the log ---


def test_viewers_and_readers_are_logged_at_info(dashboard: Path) -> None:
    port = free_port()
    with shell('"$@"', "run", dashboard, "--port", str(port), "--log-level", "info") as process:
        wait_for(lambda: answers(port))
        with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
            viewer.recv(10)
        with httpx.stream("GET", f"http://127.0.0.1:{port}/events/alerts") as stream:
            next(stream.iter_lines())
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/api/health").json()["subscribers"] == 0)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    lines = errors.decode().splitlines()
    output = [re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", "", line) for line in lines]
    assert output == [
        "INFO viewer connected from 127.0.0.1",
        "INFO viewer disconnected from 127.0.0.1",
        "INFO alert stream connected from 127.0.0.1",
        "INFO alert stream disconnected from 127.0.0.1",
    ]


def test_client_activity_is_not_logged_by_default(dashboard: Path) -> None:
    port = free_port()
    with shell('"$@"', "run", dashboard, "--port", str(port)) as process:
        wait_for(lambda: answers(port))
        with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
            viewer.recv(10)
        for wrong in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port), 10) as client:
                client.sendall(wrong)
                assert client.recv(100).startswith(b"HTTP/1.1 ")
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors == b""


@pytest.mark.parametrize("arguments", [[], ["run", "FILE"], ["dev", "FILE"], ["pipe"]])
def test_an_unknown_log_level_is_refused_in_one_line(arguments: list[str], dashboard: Path) -> None:
    arguments_with_file = [str(dashboard) if each == "FILE" else each for each in arguments]
    with shell('"$@"', *arguments_with_file, "--log-level", "loud") as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"'debug', 'info', 'warning', 'error'" in errors
    assert b"'loud'" in errors
    assert errors.count(b"\n") == 1


def test_a_file_that_configures_logging_keeps_its_configuration(dashboard: Path) -> None:
    own = "import logging\nlogging.basicConfig(format='mine %(message)s')\nlogging.warning('loaded')\n"
    dashboard.write_text(own + DASHBOARD)
    port = free_port()
    with shell('"$@"', "run", dashboard, "--port", str(port), "--log-level", "info") as process:
        wait_for(lambda: answers(port))
        with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
            viewer.recv(10)
        process.terminate()
        _, errors = process.communicate(timeout=20)
    assert errors.decode().splitlines()[:2] == ["mine loaded", "mine viewer connected from 127.0.0.1"]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_that_cannot_be_formatted_is_still_logged(capfd: pytest.CaptureFixture[str]) -> None:
    LogHandler().handle(logging.makeLogRecord({"msg": "so %s", "args": (Unprintable(),), "levelname": "WARNING"}))
    assert ERRORS.finish(10)
    assert "'so %s' cannot be formatted: RuntimeError" in capfd.readouterr().err


# --- the printer ---


def test_an_unexpected_error_is_printed_before_the_program_ends() -> None:
    program = """
import sys
from tickboard.output.terminal import prepare, prepare_to_serve
prepare()
prepare_to_serve("warning")
# The thread that prints runs only while this one waits.
sys.setswitchinterval(1000)
raise RuntimeError("unforeseen")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "RuntimeError: unforeseen" in ended.stderr


def test_the_queue_of_output_is_bounded_and_drops_are_reported() -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * 4096)
    printer = Printer(writing)
    for _ in range(3):
        printer.put("y" * MAX_CHARACTERS)
    for _ in range(5):
        printer.put("z\n")
    assert not printer.finish(0)
    got: list[bytes] = []
    emptying = threading.Thread(target=lambda: got.extend(iter(lambda: os.read(reading, 65_536), b"")))
    emptying.start()
    assert printer.finish(20)
    printer.put("again\n")
    assert printer.finish(20)
    os.close(writing)
    emptying.join(20)
    os.close(reading)
    output = b"".join(got).decode().replace("x", "").replace("y", "")
    assert sorted(output.splitlines()) == ["(6 prints were lost)", "again"]


def test_a_slow_reader_gets_everything() -> None:
    reading, writing = os.pipe()
    printer = Printer(writing)
    size = 0

    def read() -> None:
        nonlocal size
        while data := os.read(reading, 65_536):
            size += len(data)

    emptying = threading.Thread(target=read)
    emptying.start()
    for _ in range(50):
        printer.put("y" * 100_000)
    assert printer.finish(20)
    os.close(writing)
    emptying.join(20)
    os.close(reading)
    assert size == 5_000_000


def test_a_non_blocking_descriptor_is_written_completely() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    printer = Printer(writing)
    text = "z" * 300_000
    printer.put(text)
    got = b""
    while len(got) < len(text):
        got += os.read(reading, 65_536)
    assert printer.finish(10)
    assert got.decode() == text
    os.close(writing)
    os.close(reading)


def test_put_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    put("good")
    assert capsys.readouterr().out == "good\n"
    assert not Answers().isatty()


def test_put_raises_without_a_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="it is closed"):
        put("good")
