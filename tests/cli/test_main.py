"""The command line as users run it: real processes, real sockets, real signals."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest
from tests.serving import Server, has_ipv6, serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import tickboard
from tickboard import __main__
from tickboard.cli import imports
from tickboard.cli.serving_options import Options

EXAMPLE = Path(__file__).parents[2] / "examples" / "dashboard.py"

BOARD = 'from tickboard import Board\nboard = Board("Mine")\ncpu = board.gauge("cpu_usage", unit="%")\n'

BLOCKS = (
    BOARD
    + """import time

@board.every()
def block():
    time.sleep(60)
"""
)

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("METRIC_", "WINDOW_", "ALERT_"))},
    "NO_COLOR": "1",
    "COLUMNS": "200",
}


def command(arguments: Sequence[str | Path]) -> list[str]:
    return [sys.executable, "-m", "tickboard", *map(str, arguments)]


def end(running: Server, number: signal.Signals) -> tuple[int, str]:
    """Send a signal. Return the exit status (not 0 if it had to be killed) and the output after the greeting."""
    status = running.stop(number)
    return status, running.output().partition("Ctrl-C ends it.\n")[2]


def once(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends on its own."""
    return subprocess.run(
        command(arguments), capture_output=True, text=True, timeout=20, env=ENVIRONMENT | environ, check=False
    )


def refusal(*arguments: str | Path, **environ: str) -> str:
    """Run an invalid command and return its one line of output."""
    result = once(*arguments, **environ)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("tickboard: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip()


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(BOARD)
    return path


# --- commands ---


def test_without_a_command_this_machine_is_shown() -> None:
    with serve() as running:
        board = running.json("/api/board")
        assert {"cpu_usage", "memory_usage"} <= {metric["name"] for metric in board["metrics"]}
        assert socket.gethostname() in board["title"]
        assert "cpu_usage" in running.output()


def test_the_board_of_a_machine_is_named_as_its_host_is() -> None:
    with serve("--name", "web-1") as running:
        assert running.json("/api/board")["title"] == "Live Dashboard · web-1"


@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_file_is_served(name: str, dashboard: Path) -> None:
    with serve(name, str(dashboard)) as running:
        assert running.json("/api/board")["title"] == "Mine"


def test_the_example_ticks() -> None:
    with (
        serve("run", str(EXAMPLE), "--interval", "50") as running,
        connect(running.ws_url) as viewer,
    ):
        assert json.loads(viewer.recv(5))["type"] == "initial"
        tick = json.loads(viewer.recv(5))
        assert tick["type"] == "metrics"


def test_check_summarizes_a_valid_file() -> None:
    result = once("check", EXAMPLE)
    assert result.returncode == 0
    assert result.stdout == f"{EXAMPLE}: 'Live Dashboard', 4 metrics, 3 alert rules: good\n"
    assert result.stderr == ""


def test_check_reports_an_error_in_a_file(dashboard: Path) -> None:
    dashboard.write_text(BOARD + "1 / 0\n")
    assert refusal("check", dashboard) == f"tickboard: {dashboard}:4: ZeroDivisionError: division by zero"


def test_check_reads_the_environment(dashboard: Path) -> None:
    assert "WINDOW_SIZE=none" in refusal("check", dashboard, WINDOW_SIZE="none")


RULES = '[rules.cpu_usage]\nwhen = "cpu_usage > 95"\nmessage = "high"\n'


def rules_of(running: Server) -> list[str]:
    return [rule["condition"] for rule in running.json("/api/board")["rules"]]


@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_configuration_beside_a_file_is_applied(name: str, dashboard: Path) -> None:
    dashboard.with_name("tickboard.toml").write_text(RULES)
    with serve(name, str(dashboard)) as running:
        assert rules_of(running) == ["cpu_usage > 95"]


def test_the_host_board_uses_the_given_configuration(tmp_path: Path) -> None:
    config = tmp_path / "host.toml"
    config.write_text("[rules.disk_space_usage]\nthreshold = 50\n[rules.load]\nenabled = false\n")
    with serve("--config", str(config)) as running:
        assert "disk_space_usage > 50" in rules_of(running)
        assert not [rule for rule in rules_of(running) if rule.startswith("load")]


def test_pipe_uses_the_given_configuration(tmp_path: Path) -> None:
    config = tmp_path / "pipe.toml"
    config.write_text("[rules.load]\nwhen = 'metric(\"load\") > 4'\nmessage = 'high'\n")
    with serve("pipe", "--config", str(config), stdin=subprocess.DEVNULL) as running:
        assert rules_of(running) == ["load > 4"]


def test_check_names_the_configuration_in_use(dashboard: Path, tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text(RULES)
    assert once("check", dashboard).stdout == f"{dashboard} with {config}: 'Mine', 1 metric, 1 alert rule: good\n"
    other = tmp_path / "other.toml"
    other.write_text("")
    output = once("check", dashboard, "--config", other).stdout
    assert output == f"{dashboard} with {other}: 'Mine', 1 metric, 0 alert rules: good\n"


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["r"], ["run"]),
        (["run", "--log-level", "w"], ["warning"]),
        (["dev", "--wi"], ["--window"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["export", "--format", "o"], ["openmetrics"]),
        (["history", "f"], ["forget"]),
    ],
)
def test_bash_completes_a_typed_word(typed: list[str], completed: list[str], tmp_path: Path) -> None:
    script = once("completion", "bash")
    assert (script.returncode, script.stderr) == (0, "")
    words = " ".join(f'"{word}"' for word in ["tickboard", *typed])
    program = tmp_path / "tickboard"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tickboard "$@"\n')
    program.chmod(0o755)
    ask = f'COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _tickboard_completion {program}; echo "${{COMPREPLY[@]}}"'
    asked = f"{script.stdout}\n{ask}"
    answer = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=20, check=True)
    assert answer.stdout.split() == completed


def test_the_printed_schema_equals_the_served_one(dashboard: Path) -> None:
    result = once("schema")
    assert (result.returncode, result.stderr) == (0, "")
    with serve("run", str(dashboard)) as running:
        assert running.json("/api/config-schema.json") == json.loads(result.stdout)


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("[rules.cpu_usage]\nthreshold = 9\n", ":1: rules.cpu_usage: no rule of this board has this name"),
        (RULES + "\nsevirity = 'info'\n", ":5: rules.cpu_usage.sevirity: there is no such key: write severity"),
        (RULES.replace("95", "95 %"), ":2: rules.cpu_usage.when: condition 'cpu_usage > 95 %', column 16: % is not"),
        (RULES.replace("cpu_usage >", "cpu >"), ":2: rules.cpu_usage.when: condition 'cpu > 95', column 1: cpu is no"),
        (RULES.replace("cpu_usage >", 'cpu_usage.avg(\\"2h\\") >'), ':2: cpu_usage.avg("2h"): the window is 60 s long'),
        ("[rules.cpu_usage\n", ":1: it is not valid TOML"),
        ("#" * 2_000_000, ": it has more than 1024 KiB"),
    ],
)
def test_an_invalid_configuration_is_reported_in_one_line(text: str, output: str, dashboard: Path) -> None:
    config = dashboard.with_name("tickboard.toml")
    config.write_text(text)
    assert refusal("check", dashboard).startswith(f"tickboard: {config}{output}")


@pytest.mark.parametrize("arguments", [[], ["run"], ["check"], ["pipe"]])
def test_an_error_in_a_given_configuration_is_reported_in_one_line(arguments: list[str], dashboard: Path) -> None:
    config = dashboard.with_name("given.toml")
    config.write_text("\n[rules.nothing]\n")
    files = [] if arguments in ([], ["pipe"]) else [dashboard]
    output = refusal(*arguments, *files, "--config", config)
    assert output.startswith(f"tickboard: {config}:2: rules.nothing: no rule of this board has this name")


@pytest.mark.parametrize("arguments", [[], ["run"], ["dev"], ["check"], ["pipe"]])
def test_a_missing_configuration_is_reported_in_one_line(arguments: list[str], dashboard: Path) -> None:
    missing = dashboard.with_name("nowhere.toml")
    files = [] if arguments in ([], ["pipe"]) else [dashboard]
    assert f"{missing}: there is no such file" in refusal(*arguments, *files, "--config", missing)


def test_version_prints_the_version() -> None:
    result = once("--version")
    assert (result.returncode, result.stdout) == (0, f"{tickboard.__version__}\n")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["run", "--help"], ["dev", "--help"], ["check", "--help"]])
def test_help_prints_the_usage(arguments: list[str]) -> None:
    result = once(*arguments)
    assert result.returncode == 0
    assert "Usage: tickboard" in result.stdout
    assert result.stderr == ""


def test_help_names_every_command_and_flag() -> None:
    output = once("--help").stdout
    flags = [f"--{name.replace('_', '-')}" for name in Options.__struct_fields__]
    for word in ("run", "dev", "check", "--version", *flags):
        assert word in output


# --- flags ---


def test_the_greeting_shows_the_address_the_metrics_and_the_interval(dashboard: Path) -> None:
    with serve("run", str(dashboard), "--interval", "250ms", "--window", "7") as running:
        assert "Mine" in running.output()
        assert re.search(r"http://127\.0\.0\.1:\d+\n", running.output())
        assert "1 metric," in running.output()
        assert "cpu_usage" in running.output()
        assert "every 250 ms" in running.output()
        assert "7 ticks" in running.output()


def test_many_metrics_are_counted_rather_than_listed(dashboard: Path) -> None:
    dashboard.write_text(BOARD + "for n in range(40):\n    board.gauge(f'metric_{n}')\n")
    with serve("run", str(dashboard)) as running:
        assert "41 metrics" in running.output()
        assert "and 29 more" in running.output()


@pytest.mark.parametrize(("interval", "milliseconds"), [("200", 200), ("250ms", 250), ("2s", 2000)])
def test_the_interval_is_a_number_or_a_duration(interval: str, milliseconds: int, dashboard: Path) -> None:
    with serve("run", str(dashboard), "--interval", interval, env={"METRIC_INTERVAL_MS": "777"}) as running:
        assert running.json("/api/board")["interval_ms"] == milliseconds


def test_the_environment_sets_the_interval_and_the_window(dashboard: Path) -> None:
    with serve("run", str(dashboard), env={"METRIC_INTERVAL_MS": "300", "WINDOW_SIZE": "5"}) as running:
        board = running.json("/api/board")
        assert (board["interval_ms"], board["window_size"]) == (300, 5)


def test_the_environment_takes_precedence_over_the_settings_of_the_board(dashboard: Path) -> None:
    dashboard.write_text('from tickboard import Board\nboard = Board("Own", interval_ms=400, window_size=9)\n')
    with serve("run", str(dashboard), env={"METRIC_INTERVAL_MS": "300"}) as running:
        board = running.json("/api/board")
        assert (board["interval_ms"], board["window_size"]) == (300, 9)


def test_the_window_holds_as_many_ticks_as_asked(dashboard: Path) -> None:
    dashboard.write_text(BOARD + "cpu.set(1)\n")
    with serve("run", str(dashboard), "--interval", "20", "--window", "3") as running:
        deadline = time.monotonic() + 5
        while running.json("/api/health")["seq"] < 5:
            assert time.monotonic() < deadline
        assert len(running.json("/api/metrics/recent")) == 3


def test_the_greeting_for_all_interfaces_shows_an_address_that_can_be_opened(dashboard: Path) -> None:
    with serve("run", str(dashboard), "--host", "0.0.0.0") as running:
        assert "http://127.0.0.1:" in running.output()
        assert running.json("/api/health")["status"] == "ok"


def test_only_allowed_host_names_are_served(dashboard: Path) -> None:
    with serve("run", str(dashboard), "--allow-host", "a.example", "--allow-host", "b.example") as running:
        for name, status in {"a.example": 200, "b.example": 200, "c.example": 421}.items():
            asked = httpx.get(running.url + "api/health", headers={"host": name}, trust_env=False)
            assert asked.status_code == status


# --- shutting down ---


@contextmanager
def watched(running: Server) -> Iterator[tuple[list[int | None], list[str]]]:
    """Watch by WebSocket and by SSE. The lists get the close code and how the stream ended once they have."""
    codes: list[int | None] = []
    endings: list[str] = []
    reading = threading.Event()

    def read_alerts() -> None:
        try:
            with httpx.stream("GET", running.url + "events/alerts", timeout=20, trust_env=False) as stream:
                for _ in stream.iter_lines():
                    reading.set()
            endings.append("ended")
        except httpx.HTTPError as error:
            endings.append(repr(error))

    def read_ticks() -> None:
        try:
            while True:
                viewer.recv()
        except ConnectionClosed as error:
            codes.append(error.rcvd.code if error.rcvd is not None else None)

    with connect(running.ws_url) as viewer:
        assert json.loads(viewer.recv(5))["type"] == "initial"
        threads = [threading.Thread(target=read, daemon=True) for read in (read_alerts, read_ticks)]
        for thread in threads:
            thread.start()
        assert reading.wait(5)
        yield codes, endings
        for thread in threads:
            thread.join(5)


def test_ctrl_c_while_the_program_is_imported_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "prepare", lambda: None)
    monkeypatch.setattr(imports, "imports", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit) as raised:
        __main__.main()
    assert raised.value.code == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("text", [BOARD, BLOCKS], ids=["idle", "blocked"])
@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_signal_stops_the_server_cleanly(name: str, text: str, number: signal.Signals, dashboard: Path) -> None:
    dashboard.write_text(text)
    with serve(name, str(dashboard), "--interval", "100") as running:
        with watched(running) as (codes, endings):
            time.sleep(0.3)  # until the sampler blocks
            status, output = end(running, number)
        assert status == 0
        assert output == ""
        assert codes == [1001]
        assert endings == ["ended"]


HANDSHAKE = (
    "GET /ws/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

SLOW_ROUTE = (
    BOARD
    + """import asyncio
from starlette.responses import Response
from starlette.routing import Route

async def slow(request):
    await asyncio.sleep(60)
    return Response()

board.routes.append(Route("/slow", slow))
"""
)


@pytest.mark.parametrize(
    "request_text",
    [
        HANDSHAKE,
        HANDSHAKE[:-2],
        "GET /events/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "POST /api/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{",
        "GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "GET /api/st",
    ],
    ids=["viewer", "half a handshake", "reader of alerts", "half a body", "slow answer", "half a request"],
)
def test_a_silent_client_does_not_delay_shutdown(request_text: str, dashboard: Path) -> None:
    dashboard.write_text(SLOW_ROUTE)
    with serve("run", str(dashboard)) as running:
        with socket.create_connection(("127.0.0.1", running.port)) as silent:
            silent.sendall(request_text.encode())
            assert running.json("/api/health")["status"] == "ok"  # by now the server has read the bytes sent before
            status, last_output = end(running, signal.SIGINT)
        assert status == 0
        assert last_output == ""


def test_ctrl_c_while_a_file_loads_prints_nothing(dashboard: Path) -> None:
    # Short sleeps: a signal that arrives just before a sleep is noticed only when the sleep ends.
    dashboard.write_text("print('loading', flush=True)\nimport time\nfor _ in range(600):\n    time.sleep(0.1)\n")
    with subprocess.Popen(
        command(["run", dashboard]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # no threads here
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == ""


# --- invalid input ---


def test_a_taken_port_is_refused(dashboard: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        commands: list[list[str | Path]] = [[], ["run", dashboard], ["dev", dashboard]]
        for arguments in commands:
            assert f"port {port} is taken" in refusal(*arguments, "--port", port)


@pytest.mark.parametrize("name", ["run", "dev", "check"])
def test_a_missing_file_or_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"
    assert f"{missing}: there is no such file" in refusal(name, missing)
    assert f"{tmp_path}: is a folder" in refusal(name, tmp_path)


@pytest.mark.parametrize("name", ["run", "check"])
@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("x = 1\n", "it makes no board"),
        ("from tickboard import Board\na = Board('A')\nb = Board('B')\n", "it makes 2 boards"),
        (BOARD + "cpu = (\n", ":4: SyntaxError: '(' was never closed"),
        (BOARD + "\nraise ValueError('no disk')\n", ":5: ValueError: no disk"),
        (BOARD + "exit()\n", ":4: it calls exit()"),
        (BOARD + "board.gauge('a b')\n", ":4: metric name 'a b'"),
    ],
)
def test_a_file_that_is_not_a_dashboard_is_refused(name: str, text: str, output: str, dashboard: Path) -> None:
    dashboard.write_text(text)
    assert f"{dashboard}{output}" in refusal(name, dashboard).replace(f"{dashboard}: {output}", f"{dashboard}{output}")


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["--port", "many"], "--port"),
        (["--port", "65536"], "--port=65536"),
        (["--port", "-1"], "--port"),
        (["--port"], "--port"),
        (["--max-connections", "-1"], "--max-connections=-1"),
        (["--max-per-address", "-1"], "--max-per-address=-1"),
        (["--max-per-address", "few"], "--max-per-address"),
        (["--host", "256.1.1.1"], "--host=256.1.1.1"),
        (["--host", ""], "--host=:"),
        (["--host", "[]"], "--host=[]:"),
        (["--host", "no.such.invalid"], "--host=no.such.invalid:"),
        (["--allow-host", "https://board.example.com/"], "--allow-host=https://board.example.com/: give only a name"),
        (["--root-path", "team/board"], "--root-path=team/board: give the path that the proxy passes on"),
        (["--statsd", "65536"], "--statsd=65536"),
        (["--statsd", "0"], "--statsd=0"),
        (["--statsd", "many"], "--statsd=many: give a UDP port"),
        (["--statsd", "0.0.0.0:"], "--statsd=0.0.0.0:: give a UDP port"),
        (["--trusted-proxy", "10.0.0.1"], "--trusted-proxy needs --proxy-user-header"),
        (
            ["--trusted-proxy", "10.0.0.1", "--proxy-user-header", "Remote User"],
            "--proxy-user-header=Remote User: give the name of a header",
        ),
        (
            ["--trusted-proxy", "10.0.0.1", "--proxy-user-header", "Host"],
            "--proxy-user-header=Host: give the name of a header",
        ),
        (["--proxy-role", "operator"], "--proxy-role=operator is for people whom a proxy names"),
        (["--hsts", "-1"], "--hsts=-1: give days"),
        (["--proxy-user-header", "X"], "--proxy-user-header needs --trusted-proxy"),
        (["--trusted-proxy", "10.0.0.1", "--proxy-user-header", "X", "--auth", "none"], "nobody logs in then"),
        (["--tls-key", "key.pem"], "--tls-key without --tls-cert"),
        (["--tls-cert", "no.pem"], "no.pem cannot be read: No such file or directory"),
        (["--auth", "maybe"], "--auth"),
        (["--scrape", "localhost"], "tickboard: --scrape 'localhost': give a URL"),
        (["--interval", "soon"], "--interval=soon"),
        (["--interval", "5"], "--interval=5"),
        (["--interval", "-5"], "--interval=-5"),
        (["--interval", "2h"], "--interval=2h"),
        (["--interval", "9" * 5_000], "--interval=999"),
        (["--interval", "9" * 400 + "s"], "--interval=999"),
        (["--window", "0"], "--window=0"),
        (["--window", "1.5"], "--window"),
        (["--colour", "red"], "--colour"),
        (
            ["serve"],
            "'serve': the commands are run, dev, check, notify, pipe, follow, export, history, schema, completion, ",
        ),
        (["completion"], "SHELL"),
        (["completion", "tcsh"], "tcsh"),
        (["completion", "bash", "zsh"], "Unexpected argument 'zsh': completion takes one SHELL"),
        (["schema", "a.toml"], "Unexpected argument 'a.toml': schema takes only flags"),
        (["pipe", "a.txt"], "Unexpected argument 'a.txt': pipe takes only flags"),
        (["--port", "0", "pipe"], "after the command: tickboard pipe [flags]"),
        (["dashboard.py"], "'dashboard.py': to serve a file, write tickboard run dashboard.py."),
        (["export", "dashboard.py"], "Unexpected argument 'dashboard.py': export takes only flags"),
        (["run"], "FILE"),
        (["run", "a.py", "b.py"], "'b.py'"),
        (["--port", "0", "run", "a.py"], "after the command"),
    ],
)
def test_invalid_flags_and_commands_are_refused(arguments: list[str], output: str) -> None:
    assert output in refusal(*arguments)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("METRIC_INTERVAL_MS", "fast"),
        ("METRIC_INTERVAL_MS", "0"),
        ("WINDOW_SIZE", "-1"),
        ("WINDOW_SIZE", "1e3"),
        ("ALERT_CHECK_SEC", "0.5"),
    ],
)
def test_invalid_environment_variables_are_refused(variable: str, value: str) -> None:
    assert f"{variable}={value}: give a whole number" in refusal(**{variable: value})


def test_pipe_shows_what_a_command_prints() -> None:
    with serve("pipe", "--title", "Piped", "--interval", "50ms", stdin=subprocess.PIPE) as server:
        assert server.process.stdin is not None
        server.process.stdin.write('load 1.5\ntemp{room="attic"} 31 °C\nwhat is this\n')
        server.process.stdin.flush()
        # A series appears before the first tick with its value.
        server.wait_for(lambda: "last" in server.json("/api/stats").get("load", {}))
        stats, board = server.json("/api/stats"), server.json("/api/board")
        assert stats["load"]["last"] == 1.5
        assert stats['temp{room="attic"}']["last"] == 31
        assert board["title"] == "Piped"
        assert [panel["title"] for panel in board["panels"][0]["panels"]] == ["Load", "Temp", "Load", "Temp"]
        assert "line 3, 'what is this'" in board["problems"][0]["message"]
        server.process.stdin.close()
        server.wait_for(lambda: "The input has ended" in server.output())
    assert refusal("pipe", "--format", "xml").startswith("tickboard: ")


def test_an_invalid_root_path_in_the_environment_is_refused() -> None:
    assert "TICKBOARD_ROOT_PATH=team: give the path" in refusal("--port", "0", TICKBOARD_ROOT_PATH="team")


@pytest.mark.parametrize("host", ["[::1]", "localhost", "::ffff:127.0.0.1", "127.0.1.1", "0"])
def test_a_server_on_loopback_answers_to_no_other_host_name(host: str, dashboard: Path) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with serve("run", str(dashboard), "--host", host) as running:
        url = re.findall(r"http://\S+", running.output())[0]
        assert httpx.get(f"{url}/api/health", trust_env=False).status_code == 200
        answer = httpx.get(f"{url}/api/health", headers={"host": "evil.example"}, trust_env=False)
        assert answer.status_code == (200 if host == "0" else 421)
