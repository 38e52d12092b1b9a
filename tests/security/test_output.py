"""Foreign text is printed and logged escaped: it can neither control the terminal nor forge a line of the log."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serving import serve

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egnp\u2066\u2028\x7f\n2026-01-01T00:00:00.000Z ERROR forged"
"""Clears the screen, sets the title, reverses text and forges a line of the log."""

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

DASHBOARD = f"""
import threading, warnings
from tickboard import Board

HOSTILE = {HOSTILE!r}
board = Board("Shop " + HOSTILE, interval_ms=50)
load = board.gauge("load", HOSTILE, unit=HOSTILE)
warnings.warn("careful: " + HOSTILE, RuntimeWarning)

def dies():
    raise ValueError("in a thread " + HOSTILE)

threading.Thread(target=dies, name=HOSTILE).start()

@board.every()
def fails():
    raise OSError("in a sampler " + HOSTILE)

class Broken:
    def start(self):
        raise ConnectionError(HOSTILE)
    def close(self): ...

board.add_source(Broken())
"""


def is_text(output: str) -> bool:
    """Return whether an output contains no terminal control and no forged line."""
    return RAW.search(output) is None and not re.search(r"^2026-01-01", output, re.MULTILINE)


def run(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "tickboard", *arguments],
        capture_output=True,
        timeout=60,
        check=False,
        env=environ or None,
    )


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(DASHBOARD)
    return path


def test_titles_warnings_and_exceptions_are_printed_escaped(dashboard: Path) -> None:
    with serve("run", str(dashboard), "--state", "none", "--log-level", "debug") as server:
        expected = ("careful: ", "in a thread ", "in a sampler ", "ConnectionError: ")
        server.wait_for(lambda: all(said in server.output() for said in expected))
        httpx.get(f"{server.url}api/%1b%5b31m%0a2026-01-01")
    output = server.output()
    assert is_text(output), output
    assert r"Shop \x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egnp\u2066\u2028\x7f\n2026-01-01" in output
    assert "  OSError: in a sampler" in output, "the traceback is a part of its record"


def test_output_printed_by_a_dashboard_file_is_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.py"
    path.write_text("from tickboard import Board\nboard = Board()\nprint('\\x1b[1mbold')\n")
    with serve("run", str(path), "--state", "none") as server:
        server.wait_for(lambda: "bold" in server.output())
    assert "\x1b[1mbold" in server.output()


def test_a_failed_reload_is_printed_escaped(tmp_path: Path) -> None:
    path = tmp_path / "dash\x1b[31mboard.py"
    path.write_text("from tickboard import Board\nboard = Board()\n")
    with serve("dev", str(path), "--state", "none") as server:
        path.write_text(f"raise ValueError({HOSTILE!r})\n")
        server.wait_for(lambda: "The last good board keeps running." in server.output())
    assert is_text(server.output()), server.output()
    assert r"dash\x1b[31mboard.py" in server.output()


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", f"no\x1b[31msuch{HOSTILE.replace('/', '')}.py"),
        ("check", "a\x1b[2Jb.py"),
        ("--port", "\x1b[31m80"),
        ("--interval", "\x1b[31m\u202e"),
        ("--log-level", "\x1b[31m\n2026-01-01 forged"),
        ("--host", "\x1b[31m"),
        ("--allow-host", "\x1b[31m/"),
        ("--root-path", "\x1b[31m"),
        ("--state", "/dev/null/\x1b[31m\n2026-01-01"),
        ("--config", "\x1b[31m.toml"),
        ("--scrape", "\x1b[31m\n2026-01-01"),
        ("health", "\x1b[31m\n2026-01-01"),
        ("\x1b[31m\n2026-01-01",),
        ("--\x1b[31m=\n2026-01-01",),
        ("run", "a.py", "\x1b[31m\n2026-01-01"),
    ],
)
def test_command_line_errors_are_printed_escaped(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    output = (done.stdout + done.stderr).decode()
    assert is_text(output), output
    assert done.returncode == 2, output
    assert r"\x1b" in output, "it is escaped, not dropped"


def test_configuration_errors_are_printed_escaped(dashboard: Path) -> None:
    (dashboard.parent / "tickboard.toml").write_text('[rules."\\u001b[31m\\n2026-01-01"]\nseverity = "\\u001b[32m"\n')
    done = run("check", str(dashboard))
    assert is_text((done.stdout + done.stderr).decode())


@contextmanager
def board_reporting(reasons: list[dict[str, str]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "degraded", "reasons": reasons}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_health_of_another_board_is_printed_as_one_escaped_line() -> None:
    with board_reporting([{"source": f"x{HOSTILE}", "message": HOSTILE, "since": "s"}]) as url:
        done = run("health", url)
    output = done.stdout.decode()
    assert is_text(output), output
    assert output.count("\n") == 1
    assert r"\x1b[2J" in output


def test_labels_in_metrics_cannot_be_forged(dashboard: Path) -> None:
    with serve("run", str(dashboard), "--state", "none") as server:
        server.wait_for(lambda: "in a sampler" in server.output())
        text = httpx.get(f"{server.url}metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert any("fails" in sample.labels["source"] for sample in families["tickboard_problem"].samples)
