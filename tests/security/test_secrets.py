"""No secret leaks: neither printed, logged and served, nor shown on a command line."""

import asyncio
import itertools
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.serving import SUBPROTOCOL, Server, serve, serve_app
from websockets.sync.client import connect

import tickboard
from tickboard import Board, InputError
from tickboard.output.secrets import (
    HIDDEN,
    is_exposed,
    public,
    redacted,
    remember,
    remember_environment,
    remember_headers,
)
from tickboard.problems import Problems

PASSWORD, TOKEN, HEADER = "can4ry:p@ss/w?rd", "can4ry-t0ken&more", "can4ry-header-value"
CANARIES = ("can4ry",)

PATHS = (
    "/",
    "/metrics",
    "/api/board",
    "/api/health",
    "/api/alerts",
    "/api/stats",
    "/api/metrics/recent",
    "/api/openapi.json",
    "/api/config-schema.json",
    "/api/silences",
)


class Target:
    """An HTTP server that answers as a test wants, and echoes the request."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = "{path} {headers}\n"
        self.port = 0

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append((handler.path, headers))
        body = self.body.format(path=handler.path, headers=headers).encode()
        handler.send_response(self.status, f"asked {handler.path}" if self.status != 200 else None)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def target() -> Iterator[Target]:
    one = Target()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            one.answer(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            one.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    one.port = server.server_port
    yield one
    server.shutdown()
    server.server_close()


def everything_shown(server: Server) -> str:
    """Return everything that a server has printed, serves, and shows to other users of its machine."""
    said = [httpx.get(server.url.rstrip("/") + path).text for path in PATHS]
    said.append(httpx.get(f"{server.url}metrics", headers={"accept": "application/openmetrics-text"}).text)
    for subprotocols in ((), (SUBPROTOCOL,)):
        with connect(server.ws_url, subprotocols=subprotocols or None) as viewer:
            said += [str(viewer.recv(10)) for _ in range(3)]
    with connect(f"{server.ws_url}?changes=1", subprotocols=[SUBPROTOCOL]) as viewer:
        said += [str(viewer.recv(10)) for _ in range(3)]
    said.append(Path(f"/proc/{server.process.pid}/cmdline").read_text())
    return "\n".join([*said, server.output()])


def assert_nothing_in(said: str) -> None:
    for canary in CANARIES:
        at = said.find(canary)
        assert at < 0, said[max(0, at - 200) : at + 100]


QUICK = ("--state", "none", "--interval", "250")

ENVIRONMENT = {"CANARY_PASSWORD": PASSWORD, "CANARY_T": TOKEN, "CANARY_H": HEADER}


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, {}, "has no metrics"),
        (503, {}, "it answers 503"),
        (
            301,
            {"location": f"http://me:can4ry-pw@127.0.0.1:1/x?token={TOKEN}#can4ry"},
            "the address that it redirects to",
        ),
        (200, {"content-type": f"text/{TOKEN}"}, "has no metrics"),
        (200, {"content-encoding": f"{TOKEN}"}, "Content-Encoding"),
    ],
)
def test_a_scrape_target_that_echoes_the_request_leaks_no_secret(
    target: Target, status: int, headers: dict[str, str], said: str
) -> None:
    target.status, target.headers = status, headers
    url = f"http://me:${{CANARY_PASSWORD}}@127.0.0.1:{target.port}/metrics?token=${{CANARY_T}}"
    with serve("--scrape", url, *QUICK, "--log-level", "debug", env=ENVIRONMENT) as server:
        server.wait_for(lambda: said in httpx.get(f"{server.url}api/health").text)
        everything = everything_shown(server)
    assert_nothing_in(everything + server.output())
    assert f"scrape http://127.0.0.1:{target.port}/metrics" in everything
    path, sent = target.asked[0]
    assert path == "/metrics?token=can4ry-t0ken%26more"
    assert sent["authorization"].startswith("Basic ")
    assert "single quotes" not in server.output(), "nothing on the command line is a secret"


def test_a_working_scrape_target_leaks_no_secret(target: Target) -> None:
    target.body = "up 1\n"
    url = f"http://127.0.0.1:{target.port}/metrics?token=${{CANARY_T}}"
    with serve("--scrape", url, *QUICK, env=ENVIRONMENT) as server:
        server.wait_for(lambda: '"up"' in httpx.get(f"{server.url}api/board").text)
        everything = everything_shown(server)
    assert_nothing_in(everything)
    assert f'source="scrape http://127.0.0.1:{target.port}/metrics"' in everything


def test_an_unset_variable_fails_the_start_and_the_error_names_it() -> None:
    command = [sys.executable, "-m", "tickboard", "--scrape", "http://me:can4ry@127.0.0.1:1/?token=${CANARY_MISSING}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the environment variable CANARY_MISSING of its URL is not set: set it" in done.stderr
    assert_nothing_in(done.stdout + done.stderr)


def test_a_secret_on_the_command_line_is_warned_about_once_with_the_fix(target: Target) -> None:
    target.body = "up 1\n"
    urls = (
        f"http://127.0.0.1:{target.port}/a?token=can4ry-a",
        f"http://me:can4ry-b@127.0.0.1:{target.port}/b",
        f"http://127.0.0.1:{target.port}/c?format=prometheus",
    )
    arguments = [argument for url in urls for argument in ("--scrape", url)]
    with serve(*arguments, *QUICK) as server:
        server.wait_for(lambda: len(target.asked) > 6)
    output = server.output()
    assert_nothing_in(output)
    assert output.count("write it as '${NAME}', in single quotes") == 2
    assert f"--scrape http://127.0.0.1:{target.port}/a: every user of this machine" in output
    assert "/c: every user of this machine" not in output


def test_the_health_command_shows_no_secret(target: Target) -> None:
    def health(url: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tickboard", "health", url]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=os.environ | ENVIRONMENT
        )

    urls = (
        f"http://me:can4ry@127.0.0.1:{target.port}/?token=can4ry",
        f"http://me:${{CANARY_PASSWORD}}@127.0.0.1:{target.port}/?token=${{CANARY_T}}",
        "http://me:can4ry@127.0.0.1:1/?token=can4ry#can4ry",
        "me:can4ry@host/?token=can4ry",
        "ftp://me:can4ry@host/?token=can4ry",
        "http://me:can4ry@[bad/?token=can4ry",
        "http://me:can4ry@host:port/?token=can4ry",
        "http://${CANARY_MISSING}:can4ry@host/",
    )
    # At the same time: some wait for a name server.
    with ThreadPoolExecutor(len(urls)) as pool:
        for done in pool.map(health, urls):
            assert_nothing_in(done.stdout + done.stderr)
            assert done.stdout or done.stderr
    target.status, target.headers = 302, {"location": "ftp://me:can4ry@127.0.0.1/?can4ry"}
    done = health(f"http://me:${{CANARY_PASSWORD}}@127.0.0.1:{target.port}/")
    assert_nothing_in(done.stdout + done.stderr)
    assert done.returncode == 1


DASHBOARD = """
import os
from tickboard import Board

board = Board("Shop", interval_ms=50)
load = board.gauge("load")
board.notify("hook", "json://me:${CANARY_PASSWORD}@127.0.0.1:1/${CANARY_T}", wait="50ms")
board.scrape("http://127.0.0.1:1/m?x=${CANARY_T}", headers={"X-Odd": "${CANARY_H}", "Authorization": "Bearer can4ry-b"})

@board.every()
def url_in_a_text():
    load.set(1)
    raise ConnectionError("could not connect to postgres://app:can4ry-pw@db.internal/shop?password=can4ry")

@board.every()
def known_by_its_variable():
    raise RuntimeError(f"login {os.environ['CANARY_PASSWORD']} / {os.environ['CANARY_H']} refused")

@board.every()
async def in_what_is_called():
    connect("redis://:can4ry-in-the-code@cache:6379/0")

def connect(url):
    raise ValueError(url) from KeyError(os.environ["CANARY_T"])

board.alert(load > 0, "busy", severity="critical")
"""


def test_secrets_in_the_errors_of_a_dashboard_file_are_not_leaked(tmp_path: Path) -> None:
    path = tmp_path / "dashboard.py"
    path.write_text(DASHBOARD)
    with serve("run", str(path), "--state", "none", "--log-level", "debug", env=ENVIRONMENT) as server:
        server.wait_for(lambda: len(server.json("/api/health")["reasons"]) == 5)
        everything = everything_shown(server)
        assert any("Traceback" in problem.get("detail", "") for problem in server.json("/api/board")["problems"])
    assert_nothing_in(everything + server.output())
    assert "postgres://…@db.internal/shop?…" in everything
    assert f"login {HIDDEN} / {HIDDEN} refused" in everything


# --- who sees details ---


FAILING = """
from tickboard import Board

board = Board("Shop", interval_ms=50)

@board.every()
def fails():
    raise ValueError("the text of an exception")
"""


NUMBERS = itertools.count()


def problems(url: str, headers: dict[str, str]) -> str:
    """Return everything that is served about problems."""
    said = [httpx.get(f"{url}{path}", headers=headers).text for path in ("api/board", "api/health")]
    # A new metric causes the board to be sent again.
    ws = f"{url.replace('http', 'ws')}ws/metrics"
    with connect(ws, subprotocols=[SUBPROTOCOL], additional_headers=headers) as viewer:
        httpx.post(f"{url}api/metrics", json=[{"name": f"new.{next(NUMBERS)}", "value": 1}])
        while '"problems"' not in (message := str(viewer.recv(10))):
            pass
        said.append(message)
    return "\n".join(said)


def is_short(said: str) -> bool:
    assert "ValueError" in said
    assert "fails" in said
    return not any(more in said for more in ("the text of", "Traceback", '"file"', '"line"', ".py"))


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(FAILING)
    return path


def test_details_are_shown_only_on_the_machine_itself(failing: Path) -> None:
    with serve("run", str(failing), "--state", "none", "--auth", "none") as server:
        server.wait_for(lambda: server.json("/api/board").get("problems"))
        assert not is_short(problems(server.url, {}))
        for header in ("X-Forwarded-For", "x-forwarded-host", "Forwarded", "X-Real-IP", "Via"):
            assert is_short(problems(server.url, {header: "127.0.0.1"})), header


def test_a_server_bound_to_other_addresses_shows_short_problems(failing: Path) -> None:
    with serve("run", str(failing), "--state", "none", "--host", "0.0.0.0", "--auth", "none") as server:
        server.wait_for(lambda: server.json("/api/board").get("problems"))
        assert is_short(problems(server.url, {}))
        assert server.says("the text of an exception"), "the log has everything"


def test_the_path_of_the_alert_log_is_shown_only_on_the_machine_itself(failing: Path, tmp_path: Path) -> None:
    state = tmp_path / "kept" / "alerts.sqlite"
    state.parent.mkdir()
    with serve("run", str(failing), "--state", str(state), "--auth", "none") as server:
        state.unlink()
        server.wait_for(lambda: "alert log" in httpx.get(f"{server.url}api/health").text)
        assert str(state) in httpx.get(f"{server.url}api/health").text
        forwarded = httpx.get(f"{server.url}api/health", headers={"x-forwarded-for": "1.2.3.4"}).text
    assert "alerts and marks are published, but not stored" in forwarded
    assert "alerts.sqlite" not in forwarded


def test_a_mounted_board_shows_short_problems() -> None:
    board = Board("Shop", interval_ms=50)

    @board.every()
    def fails() -> None:
        raise ValueError("the text of an exception")

    with serve_app(Starlette(routes=[Mount("/board", board)])) as port:
        url = f"http://127.0.0.1:{port}/board/"
        while not httpx.get(f"{url}api/board").json().get("problems"):
            pass
        assert is_short(problems(url, {}))


def test_the_error_of_a_dashboard_file_is_shown_only_on_the_machine_itself(failing: Path) -> None:
    with serve("dev", str(failing), "--state", "none", "--auth", "none") as server:
        failing.write_text("raise ValueError('the text of an exception')")
        server.wait_for(lambda: "dashboard file" in httpx.get(f"{server.url}api/health").text)
        assert "the text of an exception" in httpx.get(f"{server.url}api/health").text
        forwarded = httpx.get(f"{server.url}api/board", headers={"x-forwarded-for": "1.2.3.4"}).text
    assert "the terminal says why" in forwarded
    assert "the text of" not in forwarded
    assert "dashboard.py" not in forwarded


def test_an_exception_group_is_shortened_too() -> None:
    reported = Problems()
    error = ExceptionGroup("many can4ry", [ValueError("can4ry"), OSError("can4ry")])
    from tickboard.problems import described

    reported.report("source", f"{described(error)}; it is tried again", error=error)
    [short] = reported.shown(details=False)
    assert short.message == "ExceptionGroup (the log says more); it is tried again"
    [whole] = reported.shown(details=True)
    assert "ValueError: can4ry" in whole.message


# --- texts ---


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:9100/metrics", "http://host:9100/metrics"),
        ("http://me:pw@host:9100/metrics?a=b#c", "http://host:9100/metrics"),
        ("http://token@host", "http://host"),
        ("http://me:p@ss@host/", "http://host/"),
        ("http://me:pa/ss@host/x", "http://host/x"),
        ("http://me:1/ss@host/x", "http://me:1/ss@host/x"),
        ("http://[::1]:9100/?a", "http://[::1]:9100/"),
        ("http://me:pw@[::1", "http://[::1"),
        ("me:pw@host/metrics?a=b", "host/metrics"),
        ("/login?next=/a&token=b", "/login"),
        ("http://proxy/http://me:pw@host/", "http://proxy/http://host/"),
        ("http://localhost:5173/@vite/client", "http://localhost:5173/@vite/client"),
        ("", ""),
    ],
)
def test_a_public_url_contains_no_secrets(url: str, shown: str) -> None:
    assert public(url) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no address", "no address"),
        ("see http://host:9100/metrics: it is down", "see http://host:9100/metrics: it is down"),
        ("at http://a:b@h/x?y=z, or ftp://c@d", "at http://…@h/x?…, or ftp://…@d"),
        ("(amqp://u:p%40@h)", "(amqp://…@h)"),
        ("'https://h/?k=v'", "'https://h/?…'"),
        ("http://h/?k=v.", "http://h/?…."),
        ("a://b@c://d@e", "a://…@c://…@e"),
    ],
)
def test_urls_in_a_text_are_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_redacting_long_texts_takes_linear_time() -> None:
    for text in ("a" * 1_000_000, "://" * 300_000, "://a:" * 100_000, "://x?" + "." * 1_000_000, "@" * 1_000_000):
        assert len(redacted(text)) <= 2 * len(text)


def test_a_secret_is_hidden_both_plain_and_url_encoded() -> None:
    remember("t0p s3cret/&")
    assert redacted("a t0p s3cret/& b t0p%20s3cret%2F%26") == f"a {HIDDEN} b {HIDDEN}"
    remember("abc")
    assert redacted("abc") == "abc", "what is so short is a part of any text"


def test_secret_headers_and_variables_are_hidden_and_harmless_ones_are_not() -> None:
    remember_headers({"Accept": "text/plain-for-all", "Authorization": "Bearer be4rer-token", "X-Any": "an-odd-value"})
    assert redacted("text/plain-for-all be4rer-token an-odd-value") == f"text/plain-for-all {HIDDEN} {HIDDEN}"
    remember_environment({"SHOP_DB_PASSWORD": "variable-one", "API_KEY": "variable-two", "HOME": "/home/variable"})
    assert redacted("variable-one variable-two /home/variable") == f"{HIDDEN} {HIDDEN} /home/variable"


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://host/metrics", False),
        ("http://host/metrics?token=abcdefg", True),
        ("http://host/metrics?token=${TOKEN}", False),
        ("http://host/metrics?format=prometheus", False),
        ("http://me:password@host/", True),
        ("http://me:${PASSWORD}@host/", False),
        ("http://a-token@host/", True),
        ("$URL", False),
        ("http://me:password@[bad", True),
    ],
)
def test_a_url_with_a_literal_secret_is_recognized(url: str, exposed: bool) -> None:
    assert is_exposed(url) is exposed


# --- clients ---


@pytest.mark.parametrize(
    "url", ["http://me:can4ry@host:port/?can4ry", "me:can4ry@host", "ftp://me:can4ry@host/?can4ry"]
)
def test_errors_about_invalid_addresses_contain_no_secret(url: str) -> None:
    with pytest.raises(InputError) as pushed:
        tickboard.push(url)
    with pytest.raises(InputError) as watched:
        tickboard.connect(url)
    with pytest.raises(InputError) as scraped:
        Board().scrape(url)
    for caught in (pushed, watched, scraped):
        assert_nothing_in(str(caught.value))


def test_a_push_that_is_refused_logs_no_secret(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    for status, headers in ((400, {}), (302, {"location": "http://a:can4ry@b/?can4ry-token"}), (503, {})):
        target.status, target.headers, target.body = status, headers, '{{"error": "no: {headers} {path}"}}'
        url = f"http://me:can4ry-pw@127.0.0.1:{target.port}/?key=can4ry-k"
        with tickboard.push(url, headers={"X-Odd": "can4ry-odd"}, interval=0.05) as pushed:
            pushed.gauge("a").set(1)
            pushed.flush(10)
    assert "push to http://127.0.0.1" in caplog.text
    assert_nothing_in(caplog.text)


def test_the_error_of_a_refused_client_contains_no_secret(target: Target) -> None:
    target.status, target.body = 403, "no: {path} {headers}"

    async def watch() -> None:
        async with tickboard.connect(f"http://me:can4ry-pw@127.0.0.1:{target.port}/?key=can4ry-k") as ticks:
            async for _ in ticks:
                pass

    with pytest.raises(tickboard.RefusedError) as caught:
        asyncio.run(watch())
    assert "the server answered 403" in str(caught.value)
    assert_nothing_in(str(caught.value))


async def test_targets_that_differ_only_in_hidden_parts_are_numbered(target: Target) -> None:
    board = Board()
    for module in ("one", "two"):
        board.scrape(f"http://127.0.0.1:{target.port}/probe?module={module}")
    names = [f"scrape http://127.0.0.1:{target.port}/probe{more}" for more in ("", " (2)")]
    assert list(board.intake.sources) == names
    with pytest.raises(InputError, match="is already scraped: declare a target once"):
        board.scrape(f"http://other@127.0.0.1:{target.port}/probe?module=two")


def test_the_log_of_an_application_has_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    remember("can4ry-in-a-log")
    try:
        raise OSError("can4ry-in-a-log")
    except OSError:
        logging.getLogger("tickboard").exception("it failed: %s", "can4ry-in-a-log")
    assert_nothing_in(caplog.text)
